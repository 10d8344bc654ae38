/** Identity providers whose JWTs the gateway takes. */
import { z } from 'zod';
import type { ErrorCode } from '../../errors.ts';
import { isLoopback, parseListen } from '../../listen.ts';
import type { Resource } from '../../resource.ts';
import { suggest } from '../../suggest.ts';
import { duration, httpUrl, name } from '../fields.ts';
import { claimName, oauthScope, roleReferences, roles } from './access.ts';
import type { All, Problem, Reference } from '../kind.ts';

/** Signatures that a public key checks. `none` checks nothing, and HMAC would make the public key the secret. */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const stepUp = z.strictObject({
  scopes: z.array(oauthScope).min(1).max(16).describe('OAuth scopes that the access token must have.'),
  projects: z.array(name).max(256).default([]).describe('For the routes of these projects.'),
  roles: roles.default([]).describe('For these roles to count: without the scopes a user who has them goes without.'),
});

const provider = z.strictObject({
  name: name.describe('How Users and Groups call it; also the first part of the names of users that no User maps.'),
  issuer: httpUrl.describe('Its issuer identifier, exactly as the iss claim says it. http only with privateNetwork.'),
  audiences: z
    .array(z.string().min(1).max(1024))
    .max(16)
    .optional()
    .describe('Audiences that tokens may be for. Default: the URL of the route, or of the gateway as a whole.'),
  jwksUri: httpUrl.optional().describe('Where its keys are. Default: as its metadata says (OpenID, RFC 8414).'),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .default(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'])
    .describe('Signatures that are taken.'),
  userClaim: claimName
    .default('sub')
    .describe('The claim that names the user, which users must not be able to choose. A dot leads into an object.'),
  groupsClaim: claimName.default('groups').describe('The claim that lists the user’s groups.'),
  trustEmail: z
    .boolean()
    .default(false)
    .describe('Match Users by an email claim also where the token does not say whether it is verified.'),
  requiredClaims: z
    .record(claimName, z.array(z.string().max(1024)).min(1))
    .default({})
    .describe('Claims that a token must have, each with the values that will do.'),
  clockSkew: duration.default('30s').describe('How far the clocks may be apart.'),
  scopes: z.array(oauthScope).max(64).default([]).describe('OAuth scopes that clients are told of.'),
  requiredScopes: z.array(oauthScope).max(16).default([]).describe('OAuth scopes without which nothing is served.'),
  stepUp: z.array(stepUp).max(64).default([]).describe('Where more scopes are needed; clients are told which (403).'),
  privateNetwork: z
    .boolean()
    .default(false)
    .describe('Let issuer and keys lie at a private address, or be had over plain http.'),
  keys: z
    .strictObject({
      refresh: duration.default('10m').describe('How long keys are used before they are asked for again.'),
      cooldown: duration.default('30s').describe('The pause between two questions when a token names an unknown key.'),
      keep: duration.default('24h').describe('How long the last keys are used while the provider does not answer.'),
    })
    .prefault({})
    .describe('How its keys are cached.'),
});

export type ProviderSpec = z.output<typeof provider>;

export const auth = z
  .strictObject({
    jwt: z
      .array(provider)
      .max(16)
      .default([])
      .describe('Identity providers whose JWT access tokens are taken, beside Tokens.'),
  })
  .prefault({})
  .describe('Who is let in.');

interface GatewaySpec {
  readonly listen: string;
  readonly publicUrl?: string | undefined;
  readonly auth: z.output<typeof auth>;
}

export function providerReferences(providers: readonly ProviderSpec[]): Reference[] {
  return providers.flatMap(({ stepUp: steps }, at) =>
    steps.flatMap(({ projects, roles: names }, step) => {
      const path = ['auth', 'jwt', at, 'stepUp', step] as const;
      return [
        ...projects.map((target, index) => ({ path: [...path, 'projects', index], kind: 'Project', name: target })),
        ...roleReferences(names, [...path, 'roles']),
      ];
    }),
  );
}

/** What is wrong with the providers of a Gateway beside one another, and beside where it listens. */
export function gatewayProblems(gateways: readonly Resource<GatewaySpec>[]): Problem[] {
  return gateways.flatMap((resource) =>
    resource.spec.auth.jwt.flatMap((one, at): Problem[] => {
      const problem = (field: string, code: ErrorCode, message: string, hint: string): Problem => ({
        resource,
        path: ['auth', 'jwt', at, field],
        code,
        message,
        hint,
      });
      const before = resource.spec.auth.jwt.slice(0, at);
      const twice = (['name', 'issuer'] as const)
        .filter((field) => before.some((other) => other[field] === one[field]))
        .map((field) =>
          problem(field, 'conflicting-fields', `Two identity providers have the ${field} ${one[field]}.`, 'Keep one.'),
        );
      // Whoever is on the way could answer in the provider's place, with keys of their own.
      const plain = (['issuer', 'jwksUri'] as const)
        .filter((field) => !one.privateNetwork && one[field]?.startsWith('http:'))
        .map((field) =>
          problem(field, 'invalid-value', 'Keys cannot be had over plain http.', 'Use https, or privateNetwork: true.'),
        );
      // Without a name of its own the gateway cannot tell tokens that are for it from those for others.
      const nameless =
        one.audiences === undefined &&
        resource.spec.publicUrl === undefined &&
        !isLoopback(parseListen(resource.spec.listen).host)
          ? [problem('audiences', 'missing-field', 'Tokens must be for this gateway.', 'Set publicUrl, or audiences.')]
          : [];
      return [...twice, ...plain, ...nameless];
    }),
  );
}

/** Impersonation: what one provider says of its users must not hold for those of another, so it must be said which is meant. */
export function providerProblems(
  resources: readonly Resource<{ readonly provider?: string | undefined }>[],
  all: All,
): Problem[] {
  const known = all('Gateway').flatMap(({ spec }) => (spec as GatewaySpec).auth.jwt.map((one) => one.name));
  return resources.flatMap((resource): Problem[] => {
    const { provider: wanted } = resource.spec;
    if (wanted === undefined && known.length > 1) {
      const message = `There are several identity providers: ${known.join(', ')}.`;
      return [{ resource, path: [], code: 'missing-field', message, hint: 'Say which one is meant: provider.' }];
    }
    if (wanted === undefined || known.includes(wanted)) return [];
    const nearest = suggest(wanted, known);
    const message = `There is no identity provider named ${wanted}.`;
    const hint = nearest === undefined ? 'See spec.auth.jwt of the Gateway.' : `Did you mean ${nearest}?`;
    return [{ resource, path: ['provider'], code: 'dangling-reference', message, hint }];
  });
}

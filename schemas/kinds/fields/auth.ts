/** How the gateway shows a server that runs elsewhere that it may use it. */
import { z } from 'zod';
import { httpUrl, secretRef } from '../fields.ts';

/** JSON Schema's patterns know no flag for it. */
const anyCase = (text: string): string =>
  text.replaceAll(/[a-z]/g, (letter) => `[${letter.toUpperCase()}${letter}]`).replaceAll('-', '[-_]?');

/** What a header that carries a secret is most likely called. */
const SECRET_HEADER = anyCase(
  'token|secret|passw|credential|api-key|apikey|private-key|access-key|auth|cookie|session|signature',
);

/** True if a header of this name most likely carries a secret. */
export const looksSecretHeader = (name: string): boolean => new RegExp(SECRET_HEADER).test(name);

/** Request smuggling and session hijack: what frames a message, and what MCP says in headers, is not the config's. */
const OWN_HEADERS = anyCase(
  'host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|via|accept|origin|mcp-.*|last-event-id',
);

const HEADER = new RegExp(`^(?!(${OWN_HEADERS})$)[A-Za-z0-9!#$%&'*+.^_\`|~-]+$`);

const header = z
  .strictObject({
    name: z.string().regex(HEADER, 'must be the name of a header that is not HTTP’s or MCP’s own').max(128),
    value: z
      .string()
      .regex(/^[!-~]([ !-~]*[!-~])?$/, 'must be visible ASCII')
      .max(8192)
      .optional()
      .describe('The value itself. Not where the name sounds like a secret: those belong into a Secret.'),
    valueFrom: secretRef.optional(),
  })
  .check((check) => {
    const { name, value, valueFrom } = check.value;
    const refuse = (message: string): void => {
      check.issues.push({ code: 'custom', input: check.value, path: [], message, params: { conflict: true } });
    };
    if ((value === undefined) === (valueFrom === undefined)) refuse('must have either value or valueFrom');
    else if (value !== undefined && looksSecretHeader(name))
      refuse(`${name} sounds like a secret: give its value with valueFrom, from a Secret`);
  })
  .meta({
    oneOf: [{ required: ['value'] }, { required: ['valueFrom'] }],
    not: { properties: { name: { pattern: SECRET_HEADER } }, required: ['name', 'value'] },
  });

export const headers = z.array(header).min(1).max(32);

const scopes = z
  .array(
    z
      .string()
      .regex(/^[!#-[\]-~]+$/, 'must be an OAuth scope: visible ASCII without space, " and \\')
      .max(256),
  )
  .max(64)
  .optional();

const clientId = z
  .string()
  .regex(/^[ -~]+$/, 'must be visible ASCII')
  .max(2048)
  .describe('The client’s id at the authorization server.');

const clientSecret = secretRef.describe('The client’s secret there, from a Secret.');

const extra = headers.optional().describe('Headers to send besides, with every request.');

const issuer = httpUrl.describe(
  'The authorization server, as it calls itself. Default: the one that the server names.',
);

const SECRET_NEEDS_ID = { dependentRequired: { clientSecret: ['clientId'] } };

const oauth = z
  .strictObject({
    store: z
      .enum(['perPrincipal', 'shared'])
      .default('perPrincipal')
      .describe(
        'Whose consent counts. perPrincipal: everybody gives their own, and gets a connection of their own. shared: one for all, given by somebody who may edit the server.',
      ),
    clientId: clientId
      .optional()
      .describe('A client that was registered by hand. Default: the gateway introduces itself (CIMD, or RFC 7591).'),
    clientSecret: clientSecret.optional(),
    issuer: issuer.optional(),
    scopes: scopes.describe(
      'Scopes to ask for; more where the server wants more for a call. Default: those that it asks for, or says it has.',
    ),
    headers: extra,
  })
  .meta(SECRET_NEEDS_ID);

const clientCredentials = z.strictObject({
  clientId,
  clientSecret,
  issuer: issuer.optional(),
  scopes: scopes.describe('Scopes to ask for.'),
  headers: extra,
});

const tokenExchange = z
  .strictObject({
    // Token theft: a server could name an authorization server of its own, and be handed the caller's token.
    issuer: httpUrl.describe('The authorization server that exchanges tokens.'),
    clientId: clientId.optional(),
    clientSecret: clientSecret.optional(),
    audience: z.string().min(1).max(2048).optional().describe('For whom the new token is to be.'),
    scopes: scopes.describe('Scopes to ask for.'),
    headers: extra,
  })
  .meta(SECRET_NEEDS_ID);

const WAYS = ['headers', 'bearer', 'oauth', 'clientCredentials', 'tokenExchange'] as const;

export const auth = z
  .strictObject({
    headers: headers.optional().describe('Send these headers with every request.'),
    bearer: secretRef.optional().describe('Send this token with every request.'),
    oauth: oauth.optional().describe('OAuth 2.1 with the consent of a person, as MCP has it.'),
    clientCredentials: clientCredentials
      .optional()
      .describe('OAuth with the gateway’s own credentials; no person is asked.'),
    tokenExchange: tokenExchange
      .optional()
      .describe('Exchange the caller’s own token (RFC 8693). For callers with a token of an identity provider.'),
  })
  .check((check) => {
    const refuse = (path: string[], message: string): void => {
      check.issues.push({ code: 'custom', input: check.value, path, message, params: { conflict: true } });
    };
    const used = WAYS.filter((way) => check.value[way] !== undefined);
    if (used.length === 0) refuse([], `must have one of ${WAYS.join(', ')}`);
    if (used.length > 1) refuse([used[1] as string], `cannot stand beside ${used[0]}: there is one way only`);
    for (const way of ['oauth', 'tokenExchange'] as const)
      if (check.value[way]?.clientSecret && check.value[way].clientId === undefined)
        refuse([way, 'clientSecret'], 'means nothing without a clientId');
  })
  .meta({ oneOf: WAYS.map((way) => ({ required: [way] })) });

export type AuthSpec = z.output<typeof auth>;

interface Target {
  readonly path: readonly (string | number)[];
  readonly secretRef: { readonly name: string; readonly key: string };
}

/** All Secrets that it names. */
export function secretsOf(spec: AuthSpec): Target[] {
  const found: Target[] = [];
  const walk = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const at = [...path, Array.isArray(value) ? Number(key) : key];
      if (key === 'secretRef') found.push({ path: at, secretRef: inner as Target['secretRef'] });
      else walk(inner, at);
    }
  };
  walk(spec, []);
  return found;
}

import { z } from 'zod';
import { name } from './fields.ts';
import { roleReferences, roles, scopes } from './fields/access.ts';
import { callerLimits } from './fields/limits.ts';
import { defineKind } from './kind.ts';

const sha256 = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, 'must be the SHA-256 of the token as 64 hex digits')
  .toLowerCase();

const time = z.iso.datetime({ offset: true });

export const token = defineKind({
  kind: 'Token',
  plural: 'tokens',
  short: ['tok'],
  description: 'Who may call the gateway. Only the hash of the token stands here; `slipway token create` makes both.',
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('Who or what uses the token.'),
    sha256: sha256.describe('SHA-256 of the token, in hex.'),
    previous: z
      .strictObject({
        sha256: sha256.describe('SHA-256 of the token before, in hex.'),
        until: time.describe('Until when it works too.'),
      })
      .optional()
      .describe('The token that this one replaced, while both work: `slipway token rotate --overlap`.'),
    roles: roles.optional().describe('What it may do. Default: member, or nothing but its scopes where it has some.'),
    scopes: scopes.optional().describe('What it may do beyond its roles.'),
    projects: z.array(name).optional().describe('Projects it may use. Absent: everything.'),
    expiresAt: time.optional().describe('When it stops working, e.g. 2027-01-31T00:00:00Z.'),
    limits: callerLimits
      .optional()
      .describe('What its bearer may do, in place of what the Gateway’s limits.perPrincipal says, field by field.'),
  }),
  references: (spec) => [
    ...(spec.projects ?? []).map((target, index) => ({ path: ['projects', index], kind: 'Project', name: target })),
    ...roleReferences(spec.roles ?? [], ['roles']),
  ],
  /** Whoever holds the one token would act under either name, and revoking one of them would leave the other. */
  together(tokens) {
    const seen = new Map<string, string>();
    return tokens.flatMap((resource) =>
      [
        { path: ['sha256'], hash: resource.spec.sha256 },
        ...(resource.spec.previous ? [{ path: ['previous', 'sha256'], hash: resource.spec.previous.sha256 }] : []),
      ].flatMap(({ path, hash }) => {
        const first = seen.get(hash);
        seen.set(hash, first ?? resource.metadata.name);
        if (first === undefined) return [];
        return [
          {
            resource,
            path,
            code: 'conflicting-fields' as const,
            message: `The hash is that of Token ${first} already.`,
            hint: 'Give each its own: `slipway token rotate <name>`.',
          },
        ];
      }),
    );
  },
  example: `apiVersion: slipway/v1
kind: Token
metadata: { name: ci }
spec:
  sha256: 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0
  roles: [member]
  projects: [dev]
`,
});

import { z } from 'zod';
import { name } from './fields.ts';
import { defineKind } from './kind.ts';

export const token = defineKind({
  kind: 'Token',
  plural: 'tokens',
  short: ['tok'],
  description: 'Who may call the gateway. Only the hash of the token stands here; `slipway token create` makes both.',
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('Who or what uses the token.'),
    sha256: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, 'must be the SHA-256 of the token as 64 hex digits')
      .toLowerCase()
      .describe('SHA-256 of the token, in hex.'),
    projects: z.array(name).optional().describe('Projects it may use. Absent: everything.'),
    expiresAt: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('When it stops working, e.g. 2027-01-31T00:00:00Z.'),
  }),
  references: (spec) =>
    (spec.projects ?? []).map((target, index) => ({ path: ['projects', index], kind: 'Project', name: target })),
  example: `apiVersion: slipway/v1
kind: Token
metadata: { name: ci }
spec:
  sha256: 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0
  projects: [dev]
`,
});

import { z } from 'zod';
import { name } from './fields.ts';
import { providerProblems } from './fields/provider.ts';
import { defineKind } from './kind.ts';

export const group = defineKind({
  kind: 'Group',
  plural: 'groups',
  short: ['grp'],
  description:
    'Users and Tokens that RoleBindings name together, and the groups of an identity provider that are in it.',
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('Who is in it.'),
    members: z
      .array(
        z.strictObject({
          kind: z.enum(['User', 'Token']).describe('What the member is.'),
          name: name.describe('Name of the User or Token.'),
        }),
      )
      .max(4096)
      .default([])
      .describe('Who is in it by name.'),
    claims: z
      .array(z.string().min(1).max(1024))
      .max(256)
      .default([])
      .describe('Groups as the provider calls them (its groupsClaim): whoever is in one of them is in this one.'),
    provider: name
      .optional()
      .describe(
        'Name of the provider in Gateway spec.auth.jwt whose claims count. Needed where there is more than one.',
      ),
  }),
  references: ({ members }) =>
    members.map((member, index) => ({ path: ['members', index, 'name'], kind: member.kind, name: member.name })),
  together: (groups, all) =>
    providerProblems(
      groups.filter(({ spec }) => spec.claims.length > 0 || spec.provider !== undefined),
      all,
    ),
  example: `apiVersion: slipway/v1
kind: Group
metadata: { name: developers }
spec:
  members:
    - { kind: User, name: ada }
    - { kind: Token, name: ci }
  claims: [engineering]
`,
});

import { z } from 'zod';
import { BUILT_IN_ROLES, OPERATIONS, RESOURCES, VERBS } from '../access.ts';
import { scopes } from './fields/access.ts';
import { citedPermissions, permissions } from './fields/permissions.ts';
import { defineKind } from './kind.ts';

const pattern = z
  .string()
  .regex(/^[a-z0-9*?-]+$/, 'must be a name, in which * stands for anything and ? for one character')
  .max(63);

const rule = z.strictObject({
  verbs: z
    .array(z.enum([...VERBS, '*']))
    .min(1)
    .max(16)
    .describe('What may be done. edit includes view, create, delete and expose; expose includes view.'),
  resources: z
    .array(z.enum([...RESOURCES, '*']))
    .min(1)
    .max(64)
    .describe('To what. run servers, or run projects, is what calling tools takes.'),
  names: z
    .array(pattern)
    .min(1)
    .max(256)
    .optional()
    .describe('Only to these, by name; * stands for anything, ? for one character. Absent: to all.'),
});

export const role = defineKind({
  kind: 'Role',
  plural: 'roles',
  short: [],
  description:
    'What somebody may do. Roles add up, and nothing is allowed that no role allows; RoleBindings and Tokens give them.',
  reserved: Object.fromEntries(BUILT_IN_ROLES.map((name) => [name, 'a role of that name is built in'])),
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('Who should have it.'),
    rules: z.array(rule).max(256).default([]).describe('Each rule adds; nothing takes away.'),
    operations: z
      .array(z.enum(OPERATIONS))
      .max(16)
      .default([])
      .describe(
        'What it may do beyond looking: read logs, start a sync, prune, read the audit log, make a backup, ask for others.',
      ),
    scopes: scopes.default([]).describe('What Slipway’s own tools and feeds ask for.'),
    permissions: permissions.describe('Which tools may be called with this role.'),
  }),
  references: () => [],
  cited: ({ rules, permissions: said }) => [...rules.map((_, index) => ['rules', index]), ...citedPermissions(said)],
  builtIn: BUILT_IN_ROLES,
  example: `apiVersion: slipway/v1
kind: Role
metadata: { name: triage }
spec:
  rules:
    - { verbs: [view, run], resources: [servers], names: [tickets, 'search-*'] }
  operations: [logs]
  permissions:
    readOnly: true
    rules:
      - { pattern: add_comment, action: allow }
`,
});

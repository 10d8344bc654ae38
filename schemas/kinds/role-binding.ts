import { z } from 'zod';
import { name } from './fields.ts';
import { defineKind } from './kind.ts';

export const roleBinding = defineKind({
  kind: 'RoleBinding',
  plural: 'rolebindings',
  short: ['rb', 'rbac', 'rbac-definition'],
  description: 'Who has a role, and how far it reaches.',
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('Why they have it.'),
    subjects: z
      .array(
        z.strictObject({
          kind: z.enum(['User', 'Group', 'Token']).describe('What the subject is.'),
          name: name.describe('Name of the User, Group or Token.'),
        }),
      )
      .min(1)
      .max(4096)
      .describe('Who has the role.'),
    role: name.describe('Name of a Role, or one that is built in: viewer, member, admin, owner.'),
    projects: z
      .array(name)
      .min(1)
      .max(1024)
      .optional()
      .describe('Only in these projects, on their own routes. Absent: everywhere.'),
    servers: z.array(name).min(1).max(1024).optional().describe('Only for these servers. Absent: for all.'),
  }),
  references: ({ subjects, role, projects = [], servers = [] }) => [
    ...subjects.map((subject, index) => ({
      path: ['subjects', index, 'name'],
      kind: subject.kind,
      name: subject.name,
    })),
    { path: ['role'], kind: 'Role', name: role },
    ...projects.map((target, index) => ({ path: ['projects', index], kind: 'Project', name: target })),
    ...servers.map((target, index) => ({ path: ['servers', index], kind: 'Server', name: target })),
  ],
  example: `apiVersion: slipway/v1
kind: RoleBinding
metadata: { name: developers }
spec:
  subjects:
    - { kind: Group, name: developers }
    - { kind: Token, name: ci }
  role: member
  projects: [dev]
`,
});

/** Who may do what, as the snapshot says it. Every rule tells where it is written. */
import { z } from 'zod';
import { OPERATIONS, SCOPES } from './words.ts';

/** Where something is written. Lines count from 1. */
const cited = { file: z.string(), line: z.number() };

const toolRule = z.strictObject({
  /** Of the tool's own name at its server. */
  pattern: z.string(),
  /** Of the server's name; absent: any. */
  server: z.string().optional(),
  action: z.enum(['allow', 'deny']),
  /** For whoever is refused. */
  message: z.string().optional(),
  ...cited,
});

const permissions = z.strictObject({
  rules: z.array(toolRule),
  default: z.enum(['allow', 'deny']).optional(),
  /** Only tools that say of themselves that they change nothing. */
  readOnly: z.literal(true).optional(),
  ...cited,
});

const role = z.strictObject({
  rules: z.array(
    z.strictObject({
      verbs: z.array(z.string()),
      resources: z.array(z.string()),
      names: z.array(z.string()).optional(),
      ...cited,
    }),
  ),
  operations: z.array(z.enum(OPERATIONS)),
  scopes: z.array(z.enum(SCOPES)),
  permissions: permissions.optional(),
  ...cited,
});

const binding = z.strictObject({
  name: z.string(),
  subjects: z.array(z.strictObject({ kind: z.enum(['User', 'Group', 'Token']), name: z.string() })),
  role: z.string(),
  projects: z.array(z.string()).optional(),
  servers: z.array(z.string()).optional(),
  ...cited,
});

export const accessSchema = z.strictObject({
  /** Those that are written; the built-in ones are everywhere. */
  roles: z.record(z.string(), role),
  bindings: z.array(binding),
  /** Which servers each project holds. */
  members: z.record(z.string(), z.array(z.string())),
  /** Only denies, and nothing overrides them. */
  floor: z.array(toolRule),
  global: permissions.optional(),
  projects: z.record(z.string(), permissions),
  servers: z.record(z.string(), permissions),
});

export type Access = z.output<typeof accessSchema>;
export type RoleMeaning = z.output<typeof role>;
export type Permissions = z.output<typeof permissions>;
export type ToolRule = z.output<typeof toolRule>;
export type Binding = z.output<typeof binding>;

export interface Cited {
  readonly file: string;
  readonly line: number;
}

/** A config that says nothing about access. */
export const NO_ACCESS: Access = { roles: {}, bindings: [], members: {}, floor: [], projects: {}, servers: {} };

/** Whether a project holds a server. */
export function isMember({ members }: Access, project: string, server: string): boolean {
  return Object.hasOwn(members, project) && (members[project]?.includes(server) ?? false);
}

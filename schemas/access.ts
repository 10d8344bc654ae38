/** Who may do what. Pure: a subject and what the config says of it make a grant, and every decision asks that grant. */

/** What may be done with resources. `edit` holds view, create, delete and expose; `expose` holds view. */
export const VERBS = ['view', 'create', 'edit', 'delete', 'run', 'expose'] as const;
export type Verb = (typeof VERBS)[number];

/** What may be done with the contents of a workspace. */
export const SCOPES = [
  'search',
  'graph',
  'artifacts',
  'index',
  'events',
  'sessionMutations',
  'knowledge',
  'audit',
] as const;
export type Scope = (typeof SCOPES)[number];

/** As they are written, too: `sessionmutations`, `session_mutations`. */
export const SCOPE_SPELLINGS = [...SCOPES, 'sessionmutations', 'session_mutations'] as const;

/** Roles that are always there and cannot be redefined. */
export const BUILT_IN_ROLES = ['viewer', 'member', 'admin', 'owner'] as const;

const ROLE_ALIASES: Readonly<Record<string, string>> = {
  read: 'viewer',
  readonly: 'viewer',
  contributor: 'member',
  write: 'member',
};

/** `Read` → `viewer`; other names stay as they are. */
export function canonicalRole(name: string): string {
  return ROLE_ALIASES[name.toLowerCase()] ?? name;
}

/** `session_mutations` and `sessionmutations` → `sessionMutations`; `undefined` for what is no scope. */
export function canonicalScope(name: string): Scope | undefined {
  const wanted = name.trim().replaceAll(/[_-]/g, '').toLowerCase();
  return SCOPES.find((scope) => scope.toLowerCase() === wanted);
}

/** Whom a grant is made for: what the Token or User itself says, and the groups it is in. The rest comes from bindings. */
export interface Subject {
  readonly kind: 'Token' | 'User' | 'Local';
  readonly name: string;
  /** Names of Groups. */
  readonly groups: readonly string[];
  /** Names of roles, aliases resolved. */
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  /** Absent: all. */
  readonly projects?: readonly string[];
  /** Roles that do not count just now, wherever they come from: the access token lacks the OAuth scopes for them. */
  readonly withheld?: readonly string[];
}

/** Where a decision comes from. */
export interface RuleSource {
  readonly file: string;
  readonly line: number;
  readonly pattern: string;
  readonly message?: string;
}

export interface Decision {
  readonly allowed: boolean;
  readonly rule?: RuleSource;
  /** Which level decided: `floor`, `server`, `project`, `role`, `global`, `default`. */
  readonly level: string;
}

/** What one caller may do, under one snapshot. */
export interface Grant {
  /** Absent: all. */
  readonly projects?: readonly string[];
  /** Roles of the subject that its access token may not use. */
  readonly withheld: readonly string[];
  may(verb: Verb, resource: string, name?: string, project?: string): boolean;
  operation(name: string): boolean;
  scope(name: Scope): boolean;
  decide(
    server: string,
    project: string | undefined,
    tool: string,
    annotations?: Readonly<Record<string, unknown>>,
  ): Decision;
}

/** What the config says of access, compiled. */
export interface Access {}

/** Once per caller and snapshot. */
export function grantOf(_: Access, { projects, withheld = [] }: Subject): Grant {
  const unlimited = projects === undefined;
  return {
    ...(unlimited ? {} : { projects }),
    withheld,
    may: (_verb, _resource, _name, project) => unlimited || (project !== undefined && projects.includes(project)),
    operation: () => unlimited,
    scope: () => unlimited,
    decide: () => ({ allowed: true, level: 'default' }),
  };
}

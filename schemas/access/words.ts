/** The words that roles are written in. */

/** What can be done to a resource. `edit` includes `view`, `create`, `delete` and `expose`; `expose` includes `view`. */
export const VERBS = ['view', 'create', 'edit', 'delete', 'run', 'expose'] as const;
export type Verb = (typeof VERBS)[number];

/** What verbs are about: the kinds, and what comes of them. `rbac` stands for roles and rolebindings. */
export const RESOURCES = [
  'gateways',
  'engines',
  'servers',
  'instances',
  'projects',
  'policies',
  'trusts',
  'secrets',
  'tokens',
  'users',
  'groups',
  'roles',
  'rolebindings',
  'rbac',
  'budgets',
  'llmproviders',
  'pipelines',
  'plugins',
  'backups',
  'overlays',
  'templates',
  'workspaces',
  'prompts',
  'promptrequests',
  'proposals',
] as const;
export type ResourceWord = (typeof RESOURCES)[number];

/** What can be done that is about no single resource, or is more than looking at it. */
export const OPERATIONS = ['logs', 'sync', 'prune', 'audit', 'backup', 'impersonate'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What Slipway's own tools and feeds ask for. */
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

/** `session_mutations` and `sessionmutations` → `sessionMutations`; `undefined` for what is no scope. */
export function canonicalScope(name: string): Scope | undefined {
  const wanted = name.trim().replaceAll(/[_-]/g, '').toLowerCase();
  return SCOPES.find((scope) => scope.toLowerCase() === wanted);
}

export const ANY = '*';

/** What else each verb allows. */
export const INCLUDED: Readonly<Record<Verb, readonly Verb[]>> = {
  view: ['view'],
  create: ['create'],
  edit: ['edit', 'view', 'create', 'delete', 'expose'],
  delete: ['delete'],
  run: ['run'],
  expose: ['expose', 'view'],
};

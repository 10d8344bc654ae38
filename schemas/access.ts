/** Who may do what: the contract between what is written, the gateway and the control API. */
export {
  accessSchema,
  isMember,
  NO_ACCESS,
  type Access,
  type Cited,
  type Permissions,
  type ToolRule,
} from './access/compiled.ts';
export { inWords, maySeePlace, placeOf, remedyFor } from './access/explain.ts';
export { grantOf, type Grant, type Reason, type Standing } from './access/grant.ts';
export { LOCAL, type Subject } from './access/held.ts';
export { deciderFor, type Annotations, type Decide, type Decision, type Level } from './access/permissions.ts';
export { BUILT_IN_ROLES, canonicalRole, roleNamed } from './access/roles.ts';
export {
  OPERATIONS,
  RESOURCES,
  SCOPES,
  SCOPE_SPELLINGS,
  VERBS,
  canonicalScope,
  type Operation,
  type ResourceWord,
  type Scope,
  type Verb,
} from './access/words.ts';

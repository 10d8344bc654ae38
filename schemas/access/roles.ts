/** The roles that exist without being written. */
import type { Access, Cited, RoleMeaning } from './compiled.ts';
import { ANY, OPERATIONS, SCOPES, type Operation, type ResourceWord, type Scope, type Verb } from './words.ts';

/** They are written nowhere but here. */
const BUILT_IN_FILE = '(built in)';

export const isBuiltIn = ({ file }: Cited): boolean => file === BUILT_IN_FILE;

interface Wish {
  readonly rules: readonly (readonly [verbs: readonly (Verb | '*')[], resources: readonly (ResourceWord | '*')[]])[];
  readonly operations?: readonly Operation[];
  readonly scopes: readonly Scope[];
  readonly readOnly?: true;
}

function builtIn({ rules, operations = [], scopes, readOnly }: Wish): RoleMeaning {
  const cited = { file: BUILT_IN_FILE, line: 1 };
  return {
    rules: rules.map(([verbs, resources]) => ({ verbs: [...verbs], resources: [...resources], ...cited })),
    operations: [...operations],
    scopes: [...scopes],
    ...(readOnly ? { permissions: { rules: [], readOnly, ...cited } } : {}),
    ...cited,
  };
}

const everything = builtIn({ rules: [[[ANY], [ANY]]], operations: OPERATIONS, scopes: SCOPES });

const BUILT_IN: ReadonlyMap<string, RoleMeaning> = new Map([
  /** Looks at everything, and calls what changes nothing. */
  [
    'viewer',
    builtIn({
      rules: [
        [['view'], [ANY]],
        [['run'], ['servers']],
      ],
      scopes: ['search'],
      readOnly: true,
    }),
  ],
  /** Uses what there is through the gateway, may see what that is, and may ask for something else. */
  [
    'member',
    builtIn({
      rules: [
        [
          ['view', 'run'],
          ['servers', 'projects', 'prompts'],
        ],
        [['create'], ['proposals']],
      ],
      scopes: ['search', 'graph', 'index', 'knowledge', 'events'],
    }),
  ],
  ['admin', everything],
  ['owner', everything],
]);

const ALIASES: Readonly<Record<string, string>> = {
  read: 'viewer',
  readonly: 'viewer',
  contributor: 'member',
  write: 'member',
};

/** Names of roles that no Role can take, aliases included. */
export const BUILT_IN_ROLES: readonly string[] = [...BUILT_IN.keys(), ...Object.keys(ALIASES)];

/** `Read` → `viewer`; other names stay as they are. */
export function canonicalRole(name: string): string {
  const wanted = name.toLowerCase();
  return Object.hasOwn(ALIASES, wanted) ? (ALIASES[wanted] ?? name) : name;
}

/** What a role means; `undefined` for a name that is none. */
export function roleNamed(access: Access, name: string): RoleMeaning | undefined {
  return BUILT_IN.get(canonicalRole(name)) ?? (Object.hasOwn(access.roles, name) ? access.roles[name] : undefined);
}

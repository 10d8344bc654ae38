/** Which roles a subject has, and how far each reaches. Pure. */
import type { Access, Cited, Permissions, RoleMeaning } from './compiled.ts';
import { glob } from '../glob.ts';
import { canonicalRole, roleNamed } from './roles.ts';
import { ANY, INCLUDED, RESOURCES, VERBS, type Verb } from './words.ts';

/** Who asks, and what it says of itself; the rest comes from RoleBindings. */
export interface Subject {
  readonly kind: 'Token' | 'User' | 'Local';
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  /** Nothing beyond these, whatever the roles are. Absent: no such limit. */
  readonly projects?: readonly string[];
  /** Roles that do not count just now, wherever they come from: the access token lacks the OAuth scopes for them. */
  readonly withheld?: readonly string[];
  /** Where its own roles and scopes are written. */
  readonly at?: Cited;
}

/** Whoever may open the control socket, or is on this machine while nobody else is known. */
export const LOCAL: Subject = { kind: 'Local', name: 'local', groups: [], roles: ['owner'], scopes: [] };

/** A role that the caller has, and how far it reaches. */
export interface Held {
  readonly name: string;
  readonly role: Expanded;
  readonly projects: ReadonlySet<string> | undefined;
  readonly servers: ReadonlySet<string> | undefined;
  /** The RoleBinding that gives it; absent where the caller has it of itself. */
  readonly binding?: string;
  /** Where that is written. */
  readonly at: Cited | undefined;
}

export interface Expanded {
  readonly rules: readonly {
    readonly verbs: ReadonlySet<string>;
    readonly resources: ReadonlySet<string>;
    /** Absent: all. */
    readonly names?: readonly ((name: string) => boolean)[];
    readonly said: RoleMeaning['rules'][number];
  }[];
  readonly operations: ReadonlySet<string>;
  readonly scopes: ReadonlySet<string>;
  readonly permissions: Permissions | undefined;
  readonly place: Cited;
}

/** Unknown roles give nothing: whoever is bound to nothing may do nothing. */
export function heldBy(access: Access, subject: Subject, cap: ReadonlySet<string> | undefined): Held[] {
  const own = subject.roles.flatMap((name): Held[] => {
    const role = roleNamed(access, name);
    if (!role) return [];
    return [{ name: canonicalRole(name), role: expanded(role), projects: cap, servers: undefined, at: subject.at }];
  });
  const bound = access.bindings.flatMap((binding): Held[] => {
    const role = roleNamed(access, binding.role);
    if (!role || !binding.subjects.some((wanted) => isMeant(wanted, subject))) return [];
    const { name, file, line } = binding;
    return [
      {
        name: canonicalRole(binding.role),
        role: expanded(role),
        projects: narrower(cap, binding.projects),
        servers: binding.servers && new Set(binding.servers),
        binding: name,
        at: { file, line },
      },
    ];
  });
  return [...own, ...bound];
}

type Wanted = Access['bindings'][number]['subjects'][number];

const itself =
  (kind: Subject['kind']) =>
  (subject: Subject): readonly string[] =>
    subject.kind === kind ? [subject.name] : [];

/** What a caller is called, for each kind of subject that a binding may name. */
const NAMES: Readonly<Record<Wanted['kind'], (subject: Subject) => readonly string[]>> = {
  User: itself('User'),
  Token: itself('Token'),
  Group: ({ groups }) => groups,
};

const isMeant = ({ kind, name }: Wanted, subject: Subject): boolean => NAMES[kind](subject).includes(name);

/** A binding cannot give a Token more projects than it says it has. */
function narrower(
  cap: ReadonlySet<string> | undefined,
  wanted: readonly string[] | undefined,
): ReadonlySet<string> | undefined {
  if (!wanted) return cap;
  return new Set(cap ? wanted.filter((project) => cap.has(project)) : wanted);
}

const known = new WeakMap<RoleMeaning, Expanded>();

function expanded(role: RoleMeaning): Expanded {
  const before = known.get(role);
  if (before) return before;
  const made: Expanded = {
    rules: role.rules.map((said) => ({
      verbs: new Set(said.verbs.includes(ANY) ? VERBS : said.verbs.flatMap((verb) => INCLUDED[verb as Verb] ?? [])),
      resources: new Set(
        said.resources.includes(ANY)
          ? RESOURCES
          : said.resources.flatMap((resource) => (resource === 'rbac' ? ['rbac', 'roles', 'rolebindings'] : resource)),
      ),
      ...(said.names ? { names: said.names.map(glob) } : {}),
      said,
    })),
    operations: new Set(role.operations),
    scopes: new Set(role.scopes),
    permissions: role.permissions,
    place: { file: role.file, line: role.line },
  };
  known.set(role, made);
  return made;
}

/** The first rule of a role that allows something; without a name, to all of the kind. */
export function ruleFor(
  role: Expanded,
  verb: Verb,
  resource: string,
  name: string | undefined,
): Expanded['rules'][0] | undefined {
  return role.rules.find(
    ({ verbs, resources, names }) =>
      verbs.has(verb) &&
      resources.has(resource) &&
      (!names || (name !== undefined && names.some((fits) => fits(name)))),
  );
}

/** A project that may be used may be used with all of its servers, on its own route. */
export function ruleOnRoute(
  role: Expanded,
  verb: Verb,
  server: string,
  project: string | undefined,
): Expanded['rules'][0] | undefined {
  return (
    ruleFor(role, verb, 'servers', server) ??
    (project === undefined ? undefined : ruleFor(role, verb, 'projects', project))
  );
}

export const isUnlimited = ({ projects, servers }: Held): boolean => !projects && !servers;

export const inside = (limit: ReadonlySet<string> | undefined, project: string | undefined): boolean =>
  !limit || (project !== undefined && limit.has(project));

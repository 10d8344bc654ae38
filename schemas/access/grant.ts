/** What one caller may do: all that its roles give, wherever it has them from. Pure. */
import { isMember, type Access, type Cited } from './compiled.ts';
import { heldBy, inside, isUnlimited, ruleFor, ruleOnRoute, type Held, type Subject } from './held.ts';
import { deciderFor, type Annotations, type Decide, type Decision } from './permissions.ts';
import type { Abilities } from '../operate.ts';
import { isBuiltIn } from './roles.ts';
import { OPERATIONS, SCOPES, type Operation, type ResourceWord, type Scope, type Verb } from './words.ts';

/** What a caller may do with one server on one route. */
export interface Standing {
  /** Whether it may know that the server is there. */
  readonly view: boolean;
  /** Whether it may use it. */
  readonly run: boolean;
  /** Why it may use it. */
  readonly why?: Reason;
  /** Equal for callers to whom the same tools are open. */
  readonly key: string;
  readonly decide: Decide;
}

/** Why something is allowed. */
export interface Reason {
  /** Absent for a scope that the caller has of itself. */
  readonly role?: string;
  /** The RoleBinding that gives the role; absent where the caller has it of itself. */
  readonly binding?: string;
  /** Where both are written, and the rule of the role; what is built in is written nowhere. */
  readonly places: readonly Cited[];
}

/** Computed once for an identity and a snapshot. */
export interface Grant {
  /** Whether there is anything for it in the control API: something to look at, or an operation. */
  readonly operates: boolean;
  /** Names of the roles, for people. */
  readonly roles: readonly string[];
  /** Where it is written that it has them. */
  readonly given: readonly Cited[];
  /** Names of the scopes, for people. */
  readonly scopes: ReadonlySet<Scope>;
  /** Roles that it would have, but for {@link Subject.withheld}. */
  readonly withheld: readonly string[];
  /**
   * Whether it may do something to a resource; without a name, to all of the kind. An instance goes by its server's name.
   * @param project that the resource belongs to; servers and projects are found by their names
   */
  may(verb: Verb, resource: ResourceWord, name?: string, project?: string): boolean;
  /** The same, with the reason; `undefined` for no. */
  why(verb: Verb, resource: ResourceWord, name?: string, project?: string): Reason | undefined;
  /** Whether there is anything of the kind that it may do this to. */
  mayAny(verb: Verb, resource: ResourceWord): boolean;
  /** @param server where the operation is about one; else it is about all */
  operation(name: Operation, server?: string): boolean;
  whyOperation(name: Operation, server?: string): Reason | undefined;
  /** @param project where what the scope opens belongs to one; else it is about all */
  scope(name: Scope, project?: string): boolean;
  whyScope(name: Scope, project?: string): Reason | undefined;
  /** All of it, for people. */
  list(): Pick<Abilities, 'operations' | 'rules'>;
  /** How it stands with a server on a route; `project` is absent on routes of no project. */
  at(server: string, project: string | undefined): Standing;
  decide(server: string, project: string | undefined, tool: string, annotations?: Annotations): Decision;
}

export function grantOf(access: Access, subject: Subject): Grant {
  return new RoleGrant(access, subject);
}

class RoleGrant implements Grant {
  readonly roles: readonly string[];
  readonly given: readonly Cited[];
  readonly scopes: ReadonlySet<Scope>;
  readonly withheld: readonly string[];
  readonly #access: Access;
  readonly #subject: Subject;
  readonly #cap: ReadonlySet<string> | undefined;
  readonly #held: readonly Held[];

  constructor(access: Access, subject: Subject) {
    this.#access = access;
    this.#subject = subject;
    this.#cap = subject.projects && new Set(subject.projects);
    const held = heldBy(access, subject, this.#cap);
    const isWithheld = ({ name }: Held): boolean => subject.withheld?.includes(name) ?? false;
    this.#held = held.filter((each) => !isWithheld(each));
    this.roles = [...new Set(this.#held.map(({ name }) => name))];
    this.given = [...new Set(this.#held.flatMap(({ at }) => at ?? []))];
    this.withheld = [...new Set(held.filter(isWithheld).map(({ name }) => name))];
    this.scopes = new Set(
      SCOPES.filter((scope) => subject.scopes.includes(scope) || this.#held.some(({ role }) => role.scopes.has(scope))),
    );
  }

  get operates(): boolean {
    return this.#held.some(({ role }) => role.operations.size > 0 || role.rules.some(({ verbs }) => verbs.has('view')));
  }

  may(verb: Verb, resource: ResourceWord, name?: string, project?: string): boolean {
    return this.why(verb, resource, name, project) !== undefined;
  }

  why(verb: Verb, resource: ResourceWord, name?: string, project?: string): Reason | undefined {
    for (const held of this.#held) {
      if (!this.#reaches(held, resource, name, project)) continue;
      const rule = ruleFor(held.role, verb, resource, name);
      if (rule) return because(held, rule.said);
    }
    return undefined;
  }

  mayAny(verb: Verb, resource: ResourceWord): boolean {
    return this.#held.some(({ role }) =>
      role.rules.some((rule) => rule.verbs.has(verb) && rule.resources.has(resource)),
    );
  }

  operation(name: Operation, server?: string): boolean {
    return this.whyOperation(name, server) !== undefined;
  }

  whyOperation(name: Operation, server?: string): Reason | undefined {
    const found = this.#held.find(
      (held) =>
        held.role.operations.has(name) &&
        (server === undefined ? isUnlimited(held) : this.#reaches(held, 'servers', server, undefined)),
    );
    return found && because(found, found.role.place);
  }

  scope(name: Scope, project?: string): boolean {
    return this.whyScope(name, project) !== undefined;
  }

  whyScope(name: Scope, project?: string): Reason | undefined {
    const { scopes, at } = this.#subject;
    if (scopes.includes(name) && inside(this.#cap, project)) return { places: at ? [at] : [] };
    const found = this.#held.find(
      ({ role, projects, servers }) => role.scopes.has(name) && !servers && inside(projects, project),
    );
    return found && because(found, found.role.place);
  }

  list(): Pick<Abilities, 'operations' | 'rules'> {
    const rules = this.#held.flatMap(({ name, role, projects, servers }) =>
      role.rules.map((rule) => ({
        role: name,
        verbs: rule.said.verbs,
        resources: rule.said.resources,
        names: rule.said.names ?? [],
        projects: [...(projects ?? [])],
        servers: [...(servers ?? [])],
      })),
    );
    return {
      rules,
      operations: OPERATIONS.filter((operation) => this.#held.some(({ role }) => role.operations.has(operation))),
    };
  }

  at(server: string, project: string | undefined): Standing {
    const here = this.#held.filter(
      (held) => inside(held.projects, project) && (held.servers === undefined || held.servers.has(server)),
    );
    const running = here.filter(({ role }) => ruleOnRoute(role, 'run', server, project));
    const [first] = running;
    const rule = first && ruleOnRoute(first.role, 'run', server, project);
    const view = running.length > 0 || here.some(({ role }) => ruleOnRoute(role, 'view', server, project));
    if (!rule) return { view, run: false, key: view ? 'view' : '', decide: () => ({ allowed: false, level: 'grant' }) };
    const permissions = [...new Set(running.map(({ role }) => role.permissions))];
    const deciders = permissions.map((said) => deciderFor(this.#access, server, project, said));
    const key = JSON.stringify(permissions.map((said) => JSON.stringify(said) ?? '').sort());
    return { view, run: true, why: because(first, rule.said), key, decide: anyOf(deciders) };
  }

  decide(server: string, project: string | undefined, tool: string, annotations?: Annotations): Decision {
    return this.at(server, project).decide(tool, annotations);
  }

  /** Whether what limits a role leaves the resource within its reach. */
  #reaches(held: Held, resource: ResourceWord, name: string | undefined, project: string | undefined): boolean {
    if (isUnlimited(held)) return true;
    if (name === undefined) return false;
    if (resource === 'servers' || resource === 'instances')
      return (held.servers === undefined || held.servers.has(name)) && this.#inProjects(held, name, project);
    if (held.servers) return false;
    return inside(held.projects, resource === 'projects' ? name : project);
  }

  /** A server is within reach as part of a project. */
  #inProjects({ projects }: Held, server: string, project: string | undefined): boolean {
    if (!projects) return true;
    if (project !== undefined && projects.has(project)) return true;
    return [...projects].some((each) => isMember(this.#access, each, server));
  }
}

/** @param rule the part of the role that allows it */
function because({ name, binding, at }: Held, { file, line }: Cited): Reason {
  const places = [...(at ? [at] : []), { file, line }].filter((place) => !isBuiltIn(place));
  return { role: name, ...(binding === undefined ? {} : { binding }), places };
}

/** Each role is judged alone, and one that allows is enough: having another role takes nothing away. */
function anyOf(deciders: readonly Decide[]): Decide {
  const [only] = deciders;
  if (only && deciders.length === 1) return only;
  return (tool, annotations) => {
    let refused: Decision = { allowed: false, level: 'grant' };
    for (const decide of deciders) {
      const decision = decide(tool, annotations);
      if (decision.allowed) return decision;
      if (refused.level === 'grant') refused = decision;
    }
    return refused;
  };
}

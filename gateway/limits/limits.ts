/** The limits of a snapshot, ready to be asked: which apply to a caller, and which to a call. */
import { glob } from '../../schemas/glob.ts';
import type { LimitSet, SnapshotLimits } from '../../schemas/limits.ts';
import { levelOf, type Bound, type Level } from './limiter.ts';

/** What bounds a single request, besides how many there may be. */
export interface Bounds {
  readonly bodyBytes: number;
  readonly timeout: Bound | undefined;
  readonly result: Bound | undefined;
}

/** Levels that one request passes, widest first, and what they come to. */
export interface Course extends Bounds {
  /** Those at which something is counted. */
  readonly counted: readonly Level[];
}

/** What is worked out for so many callers of a project is kept. */
const MAX_CALLERS = 10_000;
/** The same of tools; while a server waits for a person’s consent, callers call it by any name. */
const MAX_CALLS = 10_000;

type ToolRule = NonNullable<SnapshotLimits['tools']>[string][number];

export class Limits {
  /** By project, then by principal: two look-ups cost less than a name that is put together of both. */
  readonly #callers = new Map<string | undefined, Map<string, Course>>();
  readonly #gateway: Level | undefined;
  readonly #projects: ReadonlyMap<string, Level>;
  readonly #servers: ReadonlyMap<string, Level>;
  readonly #tools: ReadonlyMap<string, readonly ToolRule[]>;
  /** Of those tools that were called. */
  readonly #calls = new Map<string, Course | undefined>();
  readonly #perPrincipal: LimitSet | undefined;
  readonly #principals: ReadonlyMap<string, LimitSet>;
  readonly #maxBodyBytes: number;
  /** For whom nothing is limited. */
  readonly #free: Course;

  constructor(limits: SnapshotLimits = {}, maxBodyBytes = Infinity) {
    this.#gateway = limits.gateway && levelOf('gateway', 'gateway', limits.gateway);
    this.#projects = levels('project', limits.projects);
    this.#servers = levels('server', limits.servers);
    this.#tools = new Map(Object.entries(limits.tools ?? {}));
    this.#perPrincipal = limits.perPrincipal;
    this.#principals = new Map(
      Object.entries(limits.principals ?? {}).map(([key, own]) => [key, { ...limits.perPrincipal, ...own }]),
    );
    this.#maxBodyBytes = maxBodyBytes;
    this.#free = courseOf([], maxBodyBytes);
  }

  /** What applies to a request before it is known what it asks for. @param principal key of the identity */
  ofCaller(principal: string, project: string | undefined): Course {
    const known = this.#callers.get(project);
    return known?.get(principal) ?? this.#learn(principal, project, known);
  }

  #learn(principal: string, project: string | undefined, known = new Map<string, Course>()): Course {
    const course = this.#courseFor(principal, project);
    // There are as many projects as the config has; of principals an identity provider may know any number.
    if (known.size >= MAX_CALLERS) known.clear();
    this.#callers.set(project, known.set(principal, course));
    return course;
  }

  #courseFor(principal: string, project: string | undefined): Course {
    const own = this.#principals.get(principal) ?? this.#perPrincipal;
    const shared = project === undefined ? undefined : this.#projects.get(project);
    if (!own && !shared && !this.#gateway) return this.#free;
    const passed = [this.#gateway, shared, own && levelOf('principal', principal, own)];
    return courseOf(
      passed.filter((level) => level !== undefined),
      this.#maxBodyBytes,
    );
  }

  /** What applies to a call besides. @param tool its own name there; none for what is no call of a tool */
  ofCall(server: string, tool: string | undefined): Course | undefined {
    const shared = this.#servers.get(server);
    const rules = tool === undefined ? undefined : this.#tools.get(server);
    if (!shared && !rules) return undefined;
    const key = tool === undefined ? server : `${server} ${tool}`;
    if (this.#calls.has(key)) return this.#calls.get(key);
    const own = rules?.findLast(({ pattern }) => glob(pattern)(tool ?? ''));
    const passed = [shared, own && levelOf('tool', `${server} ${tool}`, own.limits)].filter(
      (level) => level !== undefined,
    );
    const course = passed.length > 0 ? courseOf(passed, Infinity) : undefined;
    if (this.#calls.size >= MAX_CALLS) this.#calls.clear();
    this.#calls.set(key, course);
    return course;
  }
}

function levels(level: 'project' | 'server', sets: Readonly<Record<string, LimitSet>> = {}): Map<string, Level> {
  return new Map(Object.entries(sets).map(([name, limits]) => [name, levelOf(level, name, limits)]));
}

function courseOf(passed: readonly Level[], bodyBytes: number): Course {
  return {
    counted: passed.filter(({ limits }) => (limits.rate ?? limits.concurrency ?? limits.streams) !== undefined),
    bodyBytes: Math.min(bodyBytes, ...passed.map(({ limits }) => limits.bodyBytes ?? Infinity)),
    timeout: tightest(passed, 'timeoutMs'),
    result: tightest(passed, 'resultBytes'),
  };
}

function tightest(passed: readonly Level[], field: 'timeoutMs' | 'resultBytes'): Bound | undefined {
  let found: Bound | undefined;
  for (const level of passed) {
    const value = level.limits[field];
    if (value !== undefined && value < (found?.value ?? Infinity)) found = { value, level };
  }
  return found;
}

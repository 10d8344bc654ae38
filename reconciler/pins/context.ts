/** What a commit changes of what routes take of a model's context: its tools, and what the config makes of them. */
import type { ContextOf } from '../../schemas/context.ts';
import { lockedIn, type Lock } from '../../schemas/lock/lock.ts';
import { listedOf, unreadIn } from '../../schemas/lock/shown.ts';
import type { ContextChange, Plan } from '../../schemas/plan.ts';
import type { Snapshot, Tool } from '../../schemas/snapshot.ts';
import type { Compiled } from '../compile.ts';
import type { Actual } from '../plan.ts';
import { composeSnapshot } from '../publish.ts';
import type { Workload } from '../workload.ts';

/** Of how many routes it is told: whoever reads a plan can read no more, and each has to be counted. */
const MAX_ROUTES = 50;

interface Side {
  readonly compiled: Compiled;
  readonly lock: Lock | undefined;
  /** Of the other side: a tool that is written down for the first time was there before. */
  readonly other: Lock | undefined;
  readonly known: Actual['known'];
}

/** Nothing is counted for a plan that changes nothing, nor for the first, which has nothing to compare with. */
export async function withContext(
  { plan, base }: { readonly plan: Plan; readonly base: Compiled },
  desired: Compiled,
  { known }: Pick<Actual, 'known'>,
  contextOf: ContextOf | undefined,
): Promise<Plan> {
  const isWork = plan.tools !== undefined || plan.changes.some(({ action }) => action !== 'noop');
  if (!contextOf || plan.base === undefined || !isWork) return plan;
  const routes = changedRoutes(base, desired, plan).slice(0, MAX_ROUTES);
  if (routes.length === 0) return plan;
  const was = await costsOf({ compiled: base, lock: base.lock, other: desired.lock, known }, routes, contextOf);
  const is = await costsOf({ compiled: desired, lock: desired.lock, other: base.lock, known }, routes, contextOf);
  const isProject = (route: string): boolean =>
    [base, desired].some(({ draft }) => draft.routes[route]?.project !== undefined);
  const context = routes
    .flatMap((route) => changeOf(route, was.get(route), is.get(route)))
    // The route of all servers changes with each of them: that nothing is known of it is no news.
    .filter(({ route, unknown }) => unknown.length === 0 || isProject(route));
  return context.length === 0 ? plan : { ...plan, context };
}

/** Those that the config makes another, or that have a server of which other tools are accepted. */
function changedRoutes(base: Compiled, desired: Compiled, { tools }: Plan): string[] {
  const touched = new Set(tools?.changes.map(({ server }) => server));
  const [was, is] = [base.draft, desired.draft];
  const wordsOf = ({ servers }: Compiled['draft'], names: readonly string[]): unknown =>
    names.map((name) => servers[name]?.description);
  const broughtOn = ({ routes, plugins }: Compiled['draft'], path: string): unknown =>
    plugins?.[routes[path]?.plugin ?? '']?.tools;
  const isOther = (path: string): boolean => {
    const [old, now] = [was, is].map((draft) => draft.routes[path]);
    if (JSON.stringify([old, broughtOn(was, path)]) !== JSON.stringify([now, broughtOn(is, path)])) return true;
    if (now?.servers.some((name) => touched.has(name))) return true;
    const told = now?.discovery?.summaries === undefined ? undefined : now.servers;
    return told !== undefined && JSON.stringify(wordsOf(was, told)) !== JSON.stringify(wordsOf(is, told));
  };
  const paths = new Set([...Object.keys(was.routes), ...Object.keys(is.routes)]);
  return [...paths].filter((path) => !path.startsWith('/servers/') && isOther(path)).sort();
}

/** What a route costs, or which servers keep that from being known. */
type Cost = { readonly tokens: number } | { readonly unknown: readonly string[] };

async function costsOf(
  side: Side,
  routes: readonly string[],
  contextOf: ContextOf,
): Promise<ReadonlyMap<string, Cost>> {
  const { snapshot, unknown } = snapshotOf(side, routes);
  const there = routes.filter((path) => snapshot.routes[path]);
  const missing = new Map(there.map((path) => [path, missingIn(snapshot.routes[path], unknown)]));
  const known = there.filter((path) => missing.get(path)?.length === 0);
  const counted = known.length === 0 ? {} : await contextOf(snapshot, known);
  return new Map(
    there.map((path) => {
      const tokens = counted[path];
      return [path, tokens === undefined ? { unknown: missing.get(path) ?? [] } : { tokens }];
    }),
  );
}

/** Where other tools are listed than those of servers, nobody has to know these. */
function missingIn(route: Snapshot['routes'][string] | undefined, unknown: ReadonlySet<string>): string[] {
  if (!route || route.discovery || route.gate) return [];
  return route.servers.filter((name) => unknown.has(name));
}

function snapshotOf(side: Side, paths: readonly string[]) {
  const { draft, ...compiled } = side.compiled;
  const routes = Object.fromEntries(paths.flatMap((path) => (draft.routes[path] ? [[path, draft.routes[path]]] : [])));
  const names = new Set(Object.values(routes).flatMap((route) => route.servers));
  const workloads = compiled.workloads.filter(({ name }) => names.has(name));
  const byName = new Map(workloads.map((workload) => [workload.name, workload]));
  const unknown = new Set<string>();
  const servers: Snapshot['servers'] = {};
  for (const name of names) {
    const entry = draft.servers[name];
    const tools = toolsOf(name, byName, side);
    if (!tools) unknown.add(name);
    const { instructions } = side.known?.[`Server/${name}`] ?? {};
    if (entry)
      servers[name] = { ...entry, tools: tools ?? [], ...(instructions === undefined ? {} : { instructions }) };
  }
  const nothing = { served: new Map(), known: {}, failures: {}, isUnready: () => false, before: {} };
  return {
    snapshot: composeSnapshot({ ...compiled, workloads, draft: { ...draft, routes, servers } }, nothing),
    unknown,
  };
}

/** As accepted; else as this very version listed them when it was ready. */
function toolsOf(
  name: string,
  workloads: ReadonlyMap<string, Workload>,
  { lock, other, known }: Side,
): Tool[] | undefined {
  const locked = lockedIn(lock, name) ?? lockedIn(other, name);
  if (locked?.tools.every((tool) => unreadIn(tool).length === 0)) return locked.tools.map(listedOf) as Tool[];
  const workload = workloads.get(name);
  const readiness = workload && known?.[workload.address];
  return readiness?.hash === workload?.hash ? readiness && [...readiness.tools] : undefined;
}

function changeOf(route: string, was: Cost | undefined, is: Cost | undefined): ContextChange[] {
  const [before, after] = [was, is].map((cost) => (cost && 'tokens' in cost ? cost.tokens : cost && null));
  if (before === after && before !== null) return [];
  const unknown = new Set([was, is].flatMap((cost) => (cost && 'unknown' in cost ? cost.unknown : [])));
  return [
    {
      route,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
      unknown: [...unknown],
    },
  ];
}

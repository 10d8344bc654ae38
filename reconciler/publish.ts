/** From what the config says and what is ready to the snapshot that the gateway serves. */
import type { Endpoint, ServerEntry, Snapshot, Tally } from '../schemas/snapshot.ts';
import type { Readiness } from './applied.ts';
import { compile, NOTHING, type Compiled } from './compile.ts';
import type { Failure } from './plan.ts';
import { writeAtomically } from './state.ts';
import { strictest } from './pins/modes.ts';
import type { Workload } from './workload.ts';

/** What serves a workload now: the instances that are ready, and what they showed. */
export interface Served {
  readonly endpoints: readonly Endpoint[];
  readonly readiness: Readiness;
  /** While a new version gets a share of the sessions only: its endpoints, and the share in percent. */
  readonly canary?: { readonly endpoints: readonly string[]; readonly weight: number };
}

/** What a gateway tells of the endpoints that it was given. */
export interface Traffic {
  /** Resolves when no call runs on any of these endpoints. On one that is no longer published, none begins any more. */
  idle(endpointIds: readonly string[]): Promise<void>;
  /** What became of the calls on an endpoint. */
  tally(endpointId: string): Tally;
}

/** Where there is no gateway, there are no calls. */
export const NO_TRAFFIC: Traffic = { idle: async () => {}, tally: () => ({ calls: 0, errors: 0 }) };

/** Hands a snapshot to the gateway. Resolves when it is served. */
export type Publish = (snapshot: Snapshot) => Promise<Traffic>;

export interface Serving {
  /** By address. */
  readonly served: ReadonlyMap<string, Served>;
  readonly known: Readonly<Record<string, Readiness>>;
  readonly failures: Readonly<Record<string, Pick<Failure, 'code' | 'message'>>>;
  /** Whether an instance fails its readiness probe. */
  readonly isUnready: (instance: string) => boolean;
  /** What the good version says of servers that run elsewhere. */
  readonly before: Snapshot['servers'];
}

/** Pure. Servers that are not ready stay in their routes, with the reason, so that agents are told rather than confused. */
export function composeSnapshot(compiled: Compiled, serving: Serving): Snapshot {
  const { origins: _, review: __, toolDrift: ___, ...draft } = compiled.draft;
  const servers: Record<string, ServerEntry> = { ...draft.servers };
  for (const workload of compiled.workloads) {
    const entry = servers[workload.name];
    if (entry)
      servers[workload.name] = { ...entry, ...stateOf(workload, serving), ...pinnedOf(workload, entry, serving) };
  }
  const routes = Object.entries(draft.routes).map(
    ([path, route]) => [path, { ...route, servers: route.servers.filter((name) => name in servers) }] as const,
  );
  return { ...draft, formatVersion: 1, commit: compiled.commit, servers, routes: Object.fromEntries(routes) };
}

/** What is served while there is no good commit yet: nothing, on the default address. */
export function emptySnapshot(): Snapshot {
  const nothing = { served: new Map(), known: {}, failures: {}, isUnready: () => false, before: {} };
  return composeSnapshot(compile(NOTHING), nothing);
}

function stateOf(workload: Workload, serving: Serving): Partial<ServerEntry> {
  const { address, hash, name } = workload;
  const { served, known, failures } = serving;
  const ready = served.get(address);
  // What runs elsewhere so far serves until the instances that are to take over are ready.
  const elsewhere = ready ? undefined : serving.before[name];
  const readiness = ready?.readiness ?? (known[address]?.hash === hash ? known[address] : undefined);
  const endpoints = ready ? wellOf(ready.endpoints, serving) : (elsewhere?.endpoints ?? []);
  return {
    endpoints: [...endpoints],
    ...(readiness ? { tools: [...readiness.tools] } : {}),
    ...(readiness?.instructions === undefined ? {} : { instructions: readiness.instructions }),
    ...(readiness?.capabilities === undefined ? {} : { capabilities: { ...readiness.capabilities } }),
    ...(ready?.canary ? { canary: { ...ready.canary, endpoints: [...ready.canary.endpoints] } } : {}),
    ...(endpoints.length > 0 ? {} : { unavailable: reasonFor(failures[address]) }),
  };
}

/**
 * While the version before serves, what was accepted of that holds: the commit accepts what is to come. What is to become
 * of other tools does not wait for that: a version that never becomes ready must not keep `block` from being in force.
 */
function pinnedOf(
  { address, hash, name }: Workload,
  { pinned: wanted }: ServerEntry,
  { served, before }: Serving,
): Pick<ServerEntry, 'pinned'> {
  const serves = served.get(address)?.readiness.hash ?? hash;
  const accepted = before[name]?.pinned;
  if (serves === hash || !accepted) return {};
  return { pinned: { ...accepted, drift: strictest(accepted.drift, wanted?.drift) } };
}

/** Without those that fail their readiness probe; if all do, a bad answer is better than none. */
function wellOf(endpoints: readonly Endpoint[], { isUnready }: Serving): readonly Endpoint[] {
  const well = endpoints.filter(({ id }) => !isUnready(id));
  return well.length > 0 ? well : endpoints;
}

function reasonFor(failure: Pick<Failure, 'code' | 'message'> | undefined): ServerEntry['unavailable'] {
  return failure
    ? { code: failure.code, message: failure.message }
    : { code: 'not-ready', message: 'The server is starting.' };
}

/** For a gateway in another process, and for people who want to know what is served. */
export function writeSnapshot(path: string, snapshot: Snapshot): void {
  writeAtomically(path, JSON.stringify(snapshot));
}

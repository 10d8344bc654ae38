/** From what the config says and what is ready to the snapshot that the gateway serves. */
import type { Endpoint, ServerEntry, Snapshot, Tally } from '../schemas/snapshot.ts';
import type { Readiness } from './applied.ts';
import { compile, NOTHING, type Compiled } from './compile.ts';
import type { Failure } from './plan.ts';
import { writeAtomically } from './state.ts';

/** What serves a workload now: the instances that are ready, and what they showed. */
export interface Served {
  readonly endpoints: readonly Endpoint[];
  readonly readiness: Readiness;
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
}

/** Pure. Servers that are not ready stay in their routes, with the reason, so that agents are told rather than confused. */
export function composeSnapshot(compiled: Compiled, serving: Serving): Snapshot {
  const { origins: _, ...draft } = compiled.draft;
  const servers: Record<string, ServerEntry> = { ...draft.servers };
  for (const workload of compiled.workloads) {
    const entry = servers[workload.name];
    if (entry) servers[workload.name] = { ...entry, ...stateOf(workload.address, workload.hash, serving) };
  }
  const routes = Object.entries(draft.routes).map(
    ([path, route]) => [path, { ...route, servers: route.servers.filter((name) => name in servers) }] as const,
  );
  return { ...draft, formatVersion: 1, commit: compiled.commit, servers, routes: Object.fromEntries(routes) };
}

/** What is served while there is no good commit yet: nothing, on the default address. */
export function emptySnapshot(): Snapshot {
  return composeSnapshot(compile(NOTHING), { served: new Map(), known: {}, failures: {} });
}

function stateOf(address: string, hash: string, { served, known, failures }: Serving): Partial<ServerEntry> {
  const ready = served.get(address);
  const readiness = ready?.readiness ?? (known[address]?.hash === hash ? known[address] : undefined);
  const failure = failures[address];
  return {
    endpoints: [...(ready?.endpoints ?? [])],
    ...(readiness ? { tools: [...readiness.tools] } : {}),
    ...(readiness?.instructions === undefined ? {} : { instructions: readiness.instructions }),
    ...(readiness?.capabilities === undefined ? {} : { capabilities: { ...readiness.capabilities } }),
    ...(ready
      ? {}
      : {
          unavailable: failure
            ? { code: failure.code, message: failure.message }
            : { code: 'not-ready', message: 'The server is starting.' },
        }),
  };
}

/** For a gateway in another process, and for people who want to know what is served. */
export function writeSnapshot(path: string, snapshot: Snapshot): void {
  writeAtomically(path, JSON.stringify(snapshot));
}

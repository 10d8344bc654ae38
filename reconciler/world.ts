/** What a running reconciler holds between passes. Steps change it; `status.ts` reads it. */
import type { ContextOf } from '../schemas/context.ts';
import type { SlipwayError } from '../schemas/errors.ts';
import type { AuditKeeper } from '../schemas/audit.ts';
import type { Log } from '../schemas/log.ts';
import type { Issue } from '../schemas/resource.ts';
import type { CommitInfo } from '../schemas/status.ts';
import { goodOf, previousOf, readApplied, writeApplied, type Applied } from './applied.ts';
import { coalesce } from './async.ts';
import type { Backups } from './backup/backups.ts';
import type { Compiled } from './compile.ts';
import type { Driver, Instance } from './drivers/driver.ts';
import { NO_HOLDS, type Holds } from './holds.ts';
import { ReconcilerMetrics } from './metrics.ts';
import { parseCache, type ParseCache } from './parse-cache.ts';
import type { Actual } from './plan.ts';
import { Prober, type Target } from './health/prober.ts';
import { Repeats } from './repeats.ts';
import type { ServerEntry } from '../schemas/snapshot.ts';
import { composeSnapshot, writeSnapshot, NO_TRAFFIC, type Publish, type Served, type Traffic } from './publish.ts';
import type { Recorder } from './record/recorder.ts';
import type { Source } from './source/source.ts';
import type { Canaries } from './rollout/canary.ts';
import type { ApplyContext } from './rollout/context.ts';
import { Watch } from './rollout/watch.ts';
import type { Judgement } from './trust/judge.ts';
import type { StateDir } from './state.ts';
import { instanceNames, type Workload } from './workload.ts';

export interface WorldOptions {
  readonly source: Source;
  readonly drivers: readonly Driver[];
  readonly state: StateDir;
  readonly recorder: Recorder;
  readonly publish: Publish;
  /** Where events go, besides the records that are commits. */
  readonly audit?: AuditKeeper;
  /** Made where the config asks for them. */
  readonly backups?: Backups;
  /** What routes take of a model's context, for plans that are read. */
  readonly contextOf?: ContextOf;
  readonly log: Log;
  readonly version: string;
  /** The operator's floor file. */
  readonly floor?: string;
}

export interface World extends Omit<WorldOptions, 'drivers'> {
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly cache: ParseCache;
  readonly served: Map<string, Served>;
  readonly metrics: ReconcilerMetrics;
  readonly canaries: Canaries;
  /** Who waits for what it depends on, by address. */
  readonly waiting: Map<string, string>;
  readonly watch: Watch;
  readonly repeats: Repeats;
  readonly prober: Prober;
  /** What the gateway told of the endpoints when they were last published. */
  traffic: Traffic;
  /** What it was told last of the servers, by name. */
  serving: Readonly<Record<string, ServerEntry>>;
  /** Called after facts changed. */
  changed: () => void;
  applied: Applied;
  /** What was accepted last: by the checks, and by the gateway. */
  compiled: Compiled;
  /** The commit that it came from. */
  accepted: CommitInfo | undefined;
  attempted: CommitInfo | undefined;
  problem: SlipwayError | undefined;
  issues: readonly Issue[];
  /** What was found of the signatures of the commit that was attempted last. */
  judgement: Judgement | undefined;
  /** Of the floor that was read last. */
  floorId: string | undefined;
  errors: ReadonlyMap<string, SlipwayError>;
  working: boolean;
  /** What waits, and for what, by address. */
  held: Holds;
  /** True once a snapshot was handed to the gateway. */
  published: boolean;
  /** Resolves at that moment. */
  readonly firstPublish: PromiseWithResolvers<void>;
  lastRecorded: string;
  /** When the source last answered. ISO 8601. */
  lastReached: string | undefined;
  republish: () => Promise<Traffic>;
}

export function createWorld(options: WorldOptions): World {
  const applied = readApplied(options.state.paths.applied);
  const world: World = {
    ...options,
    drivers: new Map(options.drivers.map((driver) => [driver.name, driver])),
    cache: parseCache(options.state.paths.parseCache),
    served: new Map(),
    metrics: new ReconcilerMetrics(),
    canaries: new Map(),
    waiting: new Map(),
    watch: new Watch(),
    repeats: new Repeats(),
    prober: new Prober({
      version: options.version,
      log: options.log,
      onChange: () =>
        void publishNow(world).then(
          () => world.changed(),
          () => {},
        ),
    }),
    traffic: NO_TRAFFIC,
    serving: {},
    changed: () => {},
    applied,
    compiled: goodOf(applied),
    accepted: applied.commit,
    attempted: undefined,
    problem: undefined,
    issues: [],
    judgement: undefined,
    floorId: undefined,
    errors: new Map(),
    working: false,
    held: NO_HOLDS,
    published: false,
    firstPublish: Promise.withResolvers(),
    lastRecorded: '',
    lastReached: undefined,
    republish: coalesce(() => publishOnce(world)),
  };
  return world;
}

/** Publishes what is served now. Calls that come while one runs share the next. */
export function publishNow(world: World): Promise<Traffic> {
  return world.republish();
}

/** What callers are told of servers that were not started yet. */
const WAITS = {
  Suspended: 'The server is suspended.',
  OutsideWindow: 'The server is started in the next maintenance window.',
} as const;

async function publishOnce(world: World): Promise<Traffic> {
  const { served, applied, compiled } = world;
  const waits = [...world.held].map(([address, { reason }]) => [
    address,
    { code: 'not-ready' as const, message: WAITS[reason] },
  ]);
  const failures = { ...applied.failures, ...Object.fromEntries(waits), ...Object.fromEntries(world.errors) };
  const snapshot = composeSnapshot(compiled, {
    served,
    known: applied.readiness,
    failures,
    isUnready: (id) => world.prober.healthOf(id).unready !== undefined,
    before: goodOf(applied).draft.servers,
  });
  world.traffic = await world.publish(snapshot);
  world.serving = snapshot.servers;
  world.prober.watch(targetsOf(world));
  // Written after the gateway took it: what is on disk is what was served.
  writeSnapshot(world.state.paths.snapshot, snapshot);
  world.backups?.follow(world);
  world.published = true;
  world.firstPublish.resolve();
  return world.traffic;
}

/** An instance that started again may listen somewhere else: what serves is published anew with where it is now. */
export async function followEndpoints(world: World, signal: AbortSignal): Promise<void> {
  const now = new Map((await listInstances(world, signal)).map(({ id, endpoint }) => [id, endpoint.address]));
  let moved = false;
  for (const [address, served] of world.served) {
    const endpoints = served.endpoints.map((endpoint) => ({
      ...endpoint,
      address: now.get(endpoint.id) ?? endpoint.address,
    }));
    if (endpoints.every((endpoint, index) => endpoint.address === served.endpoints[index]?.address)) continue;
    world.served.set(address, { ...served, endpoints });
    moved = true;
  }
  if (moved) await publishNow(world);
}

/** The instances that serve and have probes, with the probes of the version that they are of. */
function targetsOf({ compiled, applied, served, drivers }: World): Target[] {
  const workloads = [...Object.values(applied.good), ...previousOf(applied), ...compiled.workloads];
  const byInstance = new Map(workloads.flatMap((workload) => instanceNames(workload).map((id) => [id, workload])));
  return [...served.values()].flatMap(({ endpoints }) =>
    endpoints.flatMap(({ id }): Target[] => {
      const workload = byInstance.get(id);
      const driver = workload && drivers.get(workload.driver);
      const { readiness, liveness } = workload?.probes ?? {};
      return driver && workload?.probes && (readiness || liveness) ? [{ id, driver, probes: workload.probes }] : [];
    }),
  );
}

export async function listInstances(world: World, signal: AbortSignal): Promise<Instance[]> {
  const lists = await Promise.all([...world.drivers.values()].map((driver) => driver.list(signal)));
  return lists.flat();
}

export async function observe(world: World, signal: AbortSignal): Promise<Actual> {
  const { desired, failures, accepted, readiness } = world.applied;
  return { applied: desired, instances: await listInstances(world, signal), failures, accepted, known: readiness };
}

/** Why a version has gone bad since it serves; `undefined` if it has not. */
export function judge(world: World, workload: Workload, instances: readonly Instance[]): string | undefined {
  return world.watch.verdict(workload, {
    instances,
    tally: (id) => world.traffic.tally(id),
    restarted: (id) => world.prober.healthOf(id).restarted,
  });
}

/** Remembers, on disk, that a version went bad: to try it no more if it is wanted, and to return to the one before. */
function condemn(
  world: World,
  { address, hash }: Workload,
  { code, message }: SlipwayError,
  culprit: Workload | undefined,
): void {
  const { failures, trials } = world.applied;
  const isWanted = world.compiled.workloads.some((wanted) => wanted.address === address && wanted.hash === hash);
  const because = culprit ? { because: { address: culprit.address, hash: culprit.hash } } : {};
  const trial = trials[address];
  world.applied = {
    ...world.applied,
    ...(isWanted
      ? { failures: { ...failures, [address]: { hash, code, message, at: new Date().toISOString(), ...because } } }
      : {}),
    ...(trial?.hash === hash ? { trials: { ...trials, [address]: { ...trial, verdict: message } } } : {}),
  };
  writeApplied(world.state.paths.applied, world.applied);
}

export function applyContext(world: World): Omit<ApplyContext, 'tolerated' | 'holds'> {
  const { applied, compiled, drivers, served, canaries, version, log } = world;
  return {
    desired: compiled,
    base: goodOf(applied),
    // Many rollouts ask at the same time.
    list: coalesce(() => listInstances(world, new AbortController().signal)),
    drivers,
    served,
    known: applied.readiness,
    failures: applied.failures,
    trials: () => world.applied.trials,
    canaries,
    judge: (workload, instances) => judge(world, workload, instances),
    condemn: (workload, verdict, culprit) => condemn(world, workload, verdict, culprit),
    waiting: world.waiting,
    changed: () => world.changed(),
    publish: () => publishNow(world),
    version,
    log,
  };
}

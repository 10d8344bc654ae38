/** What a running reconciler holds between passes. Steps change it; `status.ts` reads it. */
import type { SlipwayError } from '../schemas/errors.ts';
import type { Log } from '../schemas/log.ts';
import type { Issue } from '../schemas/resource.ts';
import type { CommitInfo } from '../schemas/status.ts';
import type { ApplyContext } from './apply.ts';
import { goodOf, readApplied, type Applied } from './applied.ts';
import { coalesce } from './async.ts';
import type { Compiled } from './compile.ts';
import type { Driver, Instance } from './drivers/driver.ts';
import { parseCache, type ParseCache } from './parse-cache.ts';
import type { Actual } from './plan.ts';
import { composeSnapshot, writeSnapshot, type Publish, type Served, type Traffic } from './publish.ts';
import type { Recorder } from './record/recorder.ts';
import type { Source } from './source/source.ts';
import type { StateDir } from './state.ts';

export interface WorldOptions {
  readonly source: Source;
  readonly drivers: readonly Driver[];
  readonly state: StateDir;
  readonly recorder: Recorder;
  readonly publish: Publish;
  readonly log: Log;
  readonly version: string;
}

export interface World extends Omit<WorldOptions, 'drivers'> {
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly cache: ParseCache;
  readonly served: Map<string, Served>;
  /** Called after facts changed. */
  changed: () => void;
  applied: Applied;
  compiled: Compiled;
  attempted: CommitInfo | undefined;
  problem: SlipwayError | undefined;
  issues: readonly Issue[];
  errors: ReadonlyMap<string, SlipwayError>;
  working: boolean;
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
    changed: () => {},
    applied,
    compiled: goodOf(applied),
    attempted: undefined,
    problem: undefined,
    issues: [],
    errors: new Map(),
    working: false,
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

async function publishOnce(world: World): Promise<Traffic> {
  const { served, applied, compiled } = world;
  const failures = { ...applied.failures, ...Object.fromEntries(world.errors) };
  const snapshot = composeSnapshot(compiled, { served, known: applied.readiness, failures });
  const published = await world.publish(snapshot);
  // Written after the gateway took it: what is on disk is what was served.
  writeSnapshot(world.state.paths.snapshot, snapshot);
  world.published = true;
  world.firstPublish.resolve();
  return published;
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

export async function listInstances(world: World, signal: AbortSignal): Promise<Instance[]> {
  const lists = await Promise.all([...world.drivers.values()].map((driver) => driver.list(signal)));
  return lists.flat();
}

export async function observe(world: World, signal: AbortSignal): Promise<Actual> {
  const { desired, failures } = world.applied;
  return { applied: desired, instances: await listInstances(world, signal), failures };
}

export async function applyContext(world: World, signal: AbortSignal): Promise<Omit<ApplyContext, 'tolerated'>> {
  const { applied, compiled, drivers, served, version, log } = world;
  return {
    desired: compiled,
    base: goodOf(applied),
    instances: await listInstances(world, signal),
    drivers,
    served,
    known: applied.readiness,
    failures: applied.failures,
    publish: () => publishNow(world),
    version,
    log,
  };
}

/**
 * Makes what runs equal to what is wanted: start new → ready → publish → drain → stop old, for every workload on its own.
 * One that fails keeps its previous version and leaves the others alone. Every step can be repeated.
 */
import { ERRORS, SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import type { Log } from '../schemas/log.ts';
import type { Readiness } from './applied.ts';
import { limiter, pause, untilAborted } from './async.ts';
import type { Compiled } from './compile.ts';
import type { Driver, Instance } from './drivers/driver.ts';
import { isAltered, type Failure } from './plan.ts';
import type { Served, Traffic } from './publish.ts';
import { waitReady } from './ready.ts';
import { instanceNames, type Workload } from './workload.ts';

/** How many rollouts run side by side: starting everything at once on a small host makes everything time out. */
const CONCURRENCY = 8;

export interface ApplyContext {
  readonly desired: Compiled;
  /** The last good version of everything, to fall back to. */
  readonly base: Compiled;
  readonly instances: readonly Instance[];
  readonly drivers: ReadonlyMap<string, Driver>;
  /** What serves each address; changed as rollouts succeed. */
  readonly served: Map<string, Served>;
  /** What is known of versions that were ready before. */
  readonly known: Readonly<Record<string, Readiness>>;
  readonly failures: Readonly<Record<string, Failure>>;
  /** Addresses whose instances are left alone while they serve, whatever was done to them by hand. */
  readonly tolerated: ReadonlySet<string>;
  /** Publishes what is served now. */
  readonly publish: () => Promise<Traffic>;
  readonly version: string;
  readonly log: Log;
}

export interface Outcome {
  readonly address: string;
  readonly result: 'unchanged' | 'started' | 'replaced' | 'removed' | 'failed' | 'blocked';
  readonly ms: number;
  readonly error?: SlipwayError;
}

/** @throws only the signal's reason, when a newer commit takes over or Slipway stops */
export async function apply(context: ApplyContext, signal: AbortSignal): Promise<Outcome[]> {
  const limit = limiter(CONCURRENCY);
  const tasks = new Map<string, Promise<Outcome>>();
  const workloads = new Map(context.desired.workloads.map((workload) => [workload.address, workload]));
  const task = (workload: Workload): Promise<Outcome> => {
    const running = tasks.get(workload.address) ?? timed(workload.address, context, () => rollOut(workload));
    tasks.set(workload.address, running);
    return running;
  };
  const rollOut = async (workload: Workload): Promise<Outcome['result']> => {
    for (const address of workload.dependsOn) {
      const dependency = workloads.get(address);
      const outcome = dependency && (await task(dependency));
      if (outcome?.error) throw new SlipwayError('dependency-failed', `It depends on ${address}, which is not ready.`);
    }
    return limit(() => rollOutWorkload(workload, context, signal));
  };
  const outcomes = await Promise.all(context.desired.workloads.map(task));
  signal.throwIfAborted();
  const removed = await Promise.all(
    unwanted(context).map((address) => timed(address, context, () => takeDown(address, context, signal))),
  );
  signal.throwIfAborted();
  return [...outcomes, ...removed];
}

/** Runs one rollout to its outcome, and tells it as soon as it is known. */
async function timed(address: string, context: ApplyContext, work: () => Promise<Outcome['result']>): Promise<Outcome> {
  const began = performance.now();
  const elapsed = (): number => Math.round(performance.now() - began);
  try {
    const result = await work();
    if (result !== 'unchanged') context.log('info', `${address} ${result}`, { ms: elapsed() });
    return { address, result, ms: elapsed() };
  } catch (error) {
    const known = toSlipwayError(error, 'start-failed');
    const heldBack = isHeldBack(address, context);
    const expected = heldBack || known.code === 'superseded' || known.code === 'shutting-down';
    context.log(expected ? 'debug' : 'error', `${address}: ${known.message}`, { code: known.code, hint: known.hint });
    return { address, result: heldBack ? 'blocked' : 'failed', ms: elapsed(), error: known };
  }
}

async function rollOutWorkload(
  workload: Workload,
  context: ApplyContext,
  signal: AbortSignal,
): Promise<Outcome['result']> {
  const failure = context.failures[workload.address];
  if (context.tolerated.has(workload.address) && context.served.has(workload.address)) return 'unchanged';
  try {
    if (failure && isHeldBack(workload.address, context)) throw new SlipwayError(failure.code, failure.message);
    return await bringUp(workload, context, signal);
  } catch (error) {
    signal.throwIfAborted();
    await fallBack(workload, context, signal);
    throw error;
  }
}

interface Rollout {
  readonly workload: Workload;
  readonly driver: Driver;
  readonly context: ApplyContext;
  readonly signal: AbortSignal;
}

/** True if this very version failed before, in a way that only a person can mend. */
function isHeldBack(address: string, { desired, failures }: ApplyContext): boolean {
  const failure = failures[address];
  return (
    failure !== undefined &&
    desired.workloads.some((workload) => workload.address === address && workload.hash === failure.hash)
  );
}

/** Observe → ensure → sync for one workload. */
async function bringUp(workload: Workload, context: ApplyContext, signal: AbortSignal): Promise<Outcome['result']> {
  const driver = driverOf(workload, context);
  const rollout: Rollout = { workload, driver, context, signal };
  const present = context.instances.filter((instance) => instance.address === workload.address);
  const names = instanceNames(workload);
  const altered = present.filter((instance) => names.includes(instance.id) && isAltered(instance));
  if (altered.length > 0) await withdraw(rollout, altered);
  const surplus = present.filter((instance) => !names.includes(instance.id));
  const missing = names.filter(
    (name) => !present.some(({ id }) => id === name) || altered.some(({ id }) => id === name),
  );
  if (missing.length > 0 && surplus.length > 0 && workload.rollout.strategy === 'stopFirst') {
    context.served.delete(workload.address);
    await stopAll(rollout, surplus, await context.publish());
  }
  const before = context.served.get(workload.address);
  try {
    const instances = await all(names.map((_, index) => driver.ensure(workload, index, signal)));
    // What serves and did not change is not asked to prove itself again: a slow moment of it must not count as a failure.
    if (missing.length === 0 && surplus.length === 0 && before) return 'unchanged';
    context.served.set(workload.address, await makeReady(rollout, instances));
  } catch (error) {
    if (!signal.aborted) await removeAll(context, missing);
    throw error;
  }
  await stopAll(rollout, surplus, await context.publish());
  return surplus.length + altered.length > 0 ? 'replaced' : missing.length > 0 ? 'started' : 'unchanged';
}

/**
 * Takes instances that were changed by hand out of service and ends them: what takes their place has the same name, so it
 * cannot stand beside them. Others of the workload go on serving meanwhile.
 */
async function withdraw(rollout: Rollout, instances: readonly Instance[]): Promise<void> {
  const { workload, context } = rollout;
  const served = context.served.get(workload.address);
  const endpoints = served?.endpoints.filter(({ id }) => !instances.some((instance) => instance.id === id)) ?? [];
  if (served && endpoints.length > 0) context.served.set(workload.address, { ...served, endpoints });
  else context.served.delete(workload.address);
  await stopAll(rollout, instances, await context.publish());
}

/** Waits for every one before it fails with the first: what is still on its way could not be removed. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

async function makeReady(
  { workload, driver, context, signal }: Rollout,
  instances: readonly Instance[],
): Promise<Served> {
  const endpoints = instances.map((instance) => instance.endpoint);
  const known = context.known[workload.address];
  // A version that was ready before need not be woken to prove it again: its first call starts it.
  if (workload.lifecycle === 'onDemand' && known?.hash === workload.hash) return { endpoints, readiness: known };
  const checks = instances.map((instance) =>
    waitReady({ driver, instance, workload, version: context.version }, signal),
  );
  const [readiness] = await Promise.all(checks);
  if (!readiness) throw new SlipwayError('not-ready', 'No instance was started.');
  return { endpoints, readiness };
}

/** Stops instances that are no longer wanted, once the calls that still run on them have finished or had their time. */
async function stopAll(rollout: Rollout, instances: readonly Instance[], traffic: Traffic): Promise<void> {
  if (instances.length === 0) return;
  const { workload, driver, context, signal } = rollout;
  const ids = instances.map((instance) => instance.id);
  const idle = ids.map((id) => driver.idle?.(id, signal));
  await within(workload.rollout.drainMs, Promise.all([traffic.idle(ids), ...idle]), signal);
  await removeAll(context, ids);
}

/** Waits for `promise`, but no longer than `ms`. */
async function within(ms: number, promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  try {
    await untilAborted(Promise.race([promise, pause(ms, done.signal)]), signal);
  } finally {
    done.abort();
  }
}

/**
 * Not aborted by anything: an instance that is half removed is worse than a pass that ends a moment later. Every driver
 * is asked, because the workload may have moved to another; that one does not know an instance is no error.
 */
async function removeAll({ drivers }: ApplyContext, ids: readonly string[]): Promise<void> {
  const { signal } = new AbortController();
  await Promise.all([...drivers.values()].flatMap((driver) => ids.map((id) => driver.remove(id, signal))));
}

/** Where nothing serves a workload after its rollout failed, its last good version is started again. */
async function fallBack(workload: Workload, context: ApplyContext, signal: AbortSignal): Promise<void> {
  const previous = context.base.workloads.find((candidate) => candidate.address === workload.address);
  if (!previous || previous.hash === workload.hash) return;
  const { log } = context;
  try {
    await bringUp(previous, context, signal);
    log('warn', `${workload.address}: its previous version keeps serving`, { hash: previous.hash.slice(0, 8) });
  } catch (error) {
    log('error', `${workload.address}: its previous version could not be started either`, {
      error: toSlipwayError(error).message,
    });
  }
}

/** Addresses with instances or a place in the snapshot that nothing asks for any more. */
function unwanted({ desired, instances, served }: ApplyContext): string[] {
  const wanted = new Set(desired.workloads.map((workload) => workload.address));
  const present = new Set([...instances.map((instance) => instance.address), ...served.keys()]);
  return [...present].filter((address) => !wanted.has(address));
}

async function takeDown(address: string, context: ApplyContext, signal: AbortSignal): Promise<Outcome['result']> {
  context.served.delete(address);
  const traffic = await context.publish();
  const previous = context.base.workloads.find((workload) => workload.address === address);
  const ids = context.instances.filter((instance) => instance.address === address).map((instance) => instance.id);
  const idle = [...context.drivers.values()].flatMap((driver) => ids.map((id) => driver.idle?.(id, signal)));
  await within(previous?.rollout.drainMs ?? 0, Promise.all([traffic.idle(ids), ...idle]), signal);
  await removeAll(context, ids);
  return 'removed';
}

function driverOf(workload: Workload, { drivers }: ApplyContext): Driver {
  const driver = drivers.get(workload.driver);
  if (driver) return driver;
  const known = [...drivers.keys()].join(', ');
  throw new SlipwayError('no-driver', `There is no driver named ${workload.driver}; there is ${known}.`, {
    hint: ERRORS['no-driver'].hint,
  });
}

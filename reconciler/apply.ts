/**
 * Makes what runs equal to what is wanted, every workload on its own. One that fails keeps its previous version and leaves
 * the others alone. Every step can be repeated.
 */
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import { limiter } from './async.ts';
import type { ApplyContext, Outcome, Result } from './rollout/context.ts';
import { dependenciesOf, dependentsOf } from './rollout/order.ts';
import { drainAndRemove } from './rollout/remove.ts';
import { returnsIn } from './rollout/group.ts';
import { isHeldBack, returnWith, RolledBack, rollOut } from './rollout/rollout.ts';
import type { Workload } from './workload.ts';

/** How many rollouts run side by side: starting everything at once on a small host makes everything time out. */
const CONCURRENCY = 8;

/** @throws only the signal's reason, when a newer commit takes over or Slipway stops */
export async function apply(context: ApplyContext, signal: AbortSignal): Promise<Outcome[]> {
  const limit = limiter(CONCURRENCY);
  const tasks = new Map<string, Promise<Outcome>>();
  const workloads = new Map(context.desired.workloads.map((workload) => [workload.address, workload]));
  const dependencies = dependenciesOf(context.desired.workloads);
  const task = (workload: Workload): Promise<Outcome> => {
    const running = tasks.get(workload.address) ?? timed(workload.address, context, () => inTurn(workload));
    tasks.set(workload.address, running);
    return running;
  };
  const inTurn = async (workload: Workload): Promise<Result> => {
    let hindrance: SlipwayError | undefined;
    for (const address of dependencies.get(workload.address) ?? []) {
      const dependency = workloads.get(address);
      const outcome = dependency && (await waitFor(workload.address, address, task(dependency), context));
      if (outcome?.error && !context.served.has(address))
        hindrance ??= new SlipwayError('dependency-not-ready', `It depends on ${address}, which is not ready.`);
    }
    return limit(() => rollOut(workload, context, signal, hindrance));
  };
  const outcomes = await Promise.all(context.desired.workloads.map(task));
  signal.throwIfAborted();
  const returned = await Promise.all(
    returnsIn(outcomes, context).map((one) =>
      timed(one.workload.address, context, () => limit(() => returnWith(one, context, signal))),
    ),
  );
  signal.throwIfAborted();
  const removed = await removeUnwanted(context, signal);
  signal.throwIfAborted();
  const addresses = new Set(returned.map(({ address }) => address));
  return [...outcomes.filter(({ address }) => !addresses.has(address)), ...returned, ...removed];
}

/** The status says who waits for whom meanwhile. */
async function waitFor(
  address: string,
  dependency: string,
  outcome: Promise<Outcome>,
  { waiting, changed }: ApplyContext,
): Promise<Outcome> {
  waiting.set(address, dependency);
  changed();
  try {
    return await outcome;
  } finally {
    waiting.delete(address);
  }
}

/** What depends on something goes before it. */
async function removeUnwanted(context: ApplyContext, signal: AbortSignal): Promise<Outcome[]> {
  const addresses = new Set(await unwanted(context));
  const dependents = dependentsOf(context.base.workloads.filter(({ address }) => addresses.has(address)));
  const tasks = new Map<string, Promise<Outcome>>();
  const task = (address: string): Promise<Outcome> => {
    const running = tasks.get(address) ?? inTurn(address);
    tasks.set(address, running);
    return running;
  };
  const inTurn = async (address: string): Promise<Outcome> => {
    await Promise.all((dependents.get(address) ?? []).map(task));
    // No window is its own any more, but what holds everything holds it, too.
    if (context.holds.has(address)) return { address, result: 'held', ms: 0 };
    return timed(address, context, () => takeDown(address, context, signal));
  };
  return Promise.all([...addresses].map(task));
}

/** Runs one rollout to its outcome, and tells it as soon as it is known. */
async function timed(address: string, context: ApplyContext, work: () => Promise<Result>): Promise<Outcome> {
  const began = performance.now();
  const elapsed = (): number => Math.round(performance.now() - began);
  try {
    const result = await work();
    if (result.result !== 'unchanged' && result.result !== 'held')
      context.log('info', `${address} ${result.result}`, { ms: elapsed(), ...result.surface });
    return { address, ...result, ms: elapsed() };
  } catch (error) {
    const back = error instanceof RolledBack;
    const known = back ? error.error : toSlipwayError(error, 'start-failed');
    const heldBack = isHeldBack(address, context);
    const expected = heldBack || known.code === 'superseded' || known.code === 'shutting-down';
    context.log(expected ? 'debug' : 'error', `${address}: ${known.message}`, { code: known.code, hint: known.hint });
    return { address, result: back ? 'rolledBack' : heldBack ? 'blocked' : 'failed', ms: elapsed(), error: known };
  }
}

/** Addresses with instances or a place in the snapshot that nothing asks for any more. */
async function unwanted({ desired, list, served }: ApplyContext): Promise<string[]> {
  const wanted = new Set(desired.workloads.map((workload) => workload.address));
  const present = new Set([...(await list()).map((instance) => instance.address), ...served.keys()]);
  return [...present].filter((address) => !wanted.has(address));
}

async function takeDown(address: string, context: ApplyContext, signal: AbortSignal): Promise<Result> {
  context.served.delete(address);
  context.canaries.delete(address);
  const traffic = await context.publish();
  const previous = context.base.workloads.find((workload) => workload.address === address);
  const instances = (await context.list()).filter((instance) => instance.address === address);
  const ids = instances.map((instance) => instance.id);
  await drainAndRemove(context.drivers, ids, { traffic, ms: previous?.rollout.drainMs ?? 0, signal });
  return { result: 'removed' };
}

/**
 * Rolls one workload out: new beside old in waves, or a share of the sessions first, or the old one stopped before. Level-
 * triggered, so that it goes on where an interrupted one ended. A version that fails is replaced by the one before.
 */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { Compiled } from '../compile.ts';
import { featuresOf, isAllowed, type Use } from '../features.ts';
import type { Workload } from '../workload.ts';
import { dueStep, split } from './canary.ts';
import type { ApplyContext, Result } from './context.ts';
import { quoted, lastLines } from './last-words.ts';
import { Move } from './move.ts';

/** @throws SlipwayError why the wanted version does not serve; then the one before does, if there is one */
export async function rollOut(workload: Workload, context: ApplyContext, signal: AbortSignal): Promise<Result> {
  const failure = context.failures[workload.address];
  try {
    if (failure && isHeldBack(workload.address, context)) throw new SlipwayError(failure.code, failure.message);
    await failIfBad(workload, context);
    if (context.tolerated.has(workload.address) && context.served.has(workload.address)) return { result: 'unchanged' };
    return await bringUp(workload, context, signal);
  } catch (error) {
    signal.throwIfAborted();
    context.canaries.delete(workload.address);
    const back = await fallBack(workload, context, signal, error);
    throw back ? new RolledBack(error) : error;
  }
}

/** The version before had to be brought back, because some of its instances were gone already. */
export class RolledBack extends Error {
  readonly error: SlipwayError;

  constructor(error: unknown) {
    super('rolled back', { cause: error });
    this.error = toSlipwayError(error, 'start-failed');
  }
}

/** True if this very version failed before, in a way that only a person can mend. */
export function isHeldBack(address: string, { desired, failures }: ApplyContext): boolean {
  const failure = failures[address];
  return (
    failure !== undefined &&
    desired.workloads.some((workload) => workload.address === address && workload.hash === failure.hash)
  );
}

/** @throws SlipwayError rolled-back when this version, which serves or is about to, has gone bad since it does */
async function failIfBad(workload: Workload, context: ApplyContext): Promise<void> {
  const { address, hash } = workload;
  if (context.trials[address]?.hash !== hash && context.canaries.get(address)?.hash !== hash) return;
  const instances = (await context.list()).filter((each) => each.address === address && each.hash === hash);
  const reason = context.judge(workload, instances);
  if (reason === undefined) return;
  const driver = context.drivers.get(workload.driver);
  const [crashed = instances[0]] = instances.filter(({ restarts, state }) => restarts > 0 || state === 'crashed');
  const lines = driver && crashed ? await lastLines(driver, address, crashed.id) : [];
  const verdict = new SlipwayError('rolled-back', `The new version went bad: ${reason}.${quoted(lines)}`);
  // At once: what tells of it goes with its instances, and a newer commit may cut the return short.
  context.condemn(workload, verdict);
  throw verdict;
}

/** @param returning to a version that has proved itself: all at once */
async function bringUp(
  workload: Workload,
  context: ApplyContext,
  signal: AbortSignal,
  { returning = false } = {},
): Promise<Result> {
  const { rollout, replicas, address } = workload;
  const { canaries } = context;
  const move = await Move.begin(workload, context, signal);
  const replaces = move.replaces;
  const withdrawn = returning && (await move.withdrawCanary());
  const altered = await move.withdrawAltered();
  await move.adjust();
  if (rollout.strategy === 'recreate' && move.fresh.length < replicas) await move.stopOthers();
  const goal = { replicas, surge: rollout.surge, unavailable: rollout.unavailable };
  const stage = canaries.get(address);
  if (rollout.canary && replaces && !returning) {
    const step = dueStep(workload, stage, performance.now());
    const weight = rollout.canary.steps[step]?.weight;
    if (weight !== undefined) {
      await move.reach({ ...goal, ...split(replicas, weight) }, weight);
      await move.removeLeftovers();
      if (stage?.hash === workload.hash && stage.step === step) return { result: 'unchanged' };
      canaries.set(address, { hash: workload.hash, step, since: performance.now() });
      return { result: 'progressing', ...noted(move) };
    }
  }
  const had = move.old.length;
  await move.reach({ ...goal, fresh: replicas, old: 0 });
  canaries.delete(address); // Not before: one that is interrupted goes on with its last step.
  await move.removeLeftovers();
  const result = replaces || withdrawn || altered || had > 0 ? 'replaced' : move.started > 0 ? 'started' : 'unchanged';
  return { result, ...noted(move) };
}

function noted({ surface, unfinished }: Move): Omit<Result, 'result'> {
  return { ...(surface ? { surface } : {}), ...(unfinished ? { unfinished } : {}) };
}

/** What a version that serves no more has of its host, and may not have by the config of today: a return is no way around it. */
function forbiddenIn(workload: Workload, { allowances }: Compiled): Use | undefined {
  return featuresOf(workload).find(({ feature }) => !isAllowed(workload.name, feature, allowances));
}

/**
 * Where not all of a workload's last good version serves after a rollout failed, it is brought back, new beside old again.
 * @returns whether there was anything to do
 * @throws SlipwayError why it could not be, if that may heal by itself
 */
async function fallBack(
  workload: Workload,
  context: ApplyContext,
  signal: AbortSignal,
  reason: unknown,
): Promise<boolean> {
  const { address, hash } = workload;
  const { trials, base, desired, served, log } = context;
  // A version on trial is given up for having gone bad, not for a trouble of its driver.
  const bad = reason instanceof SlipwayError && reason.code === 'rolled-back' && trials[address]?.hash === hash;
  const previous =
    (bad ? trials[address]?.previous : undefined) ?? base.workloads.find((candidate) => candidate.address === address);
  if (!previous || previous.hash === hash) return false;
  const forbidden = served.get(address)?.readiness.hash === previous.hash ? undefined : forbiddenIn(previous, desired);
  if (forbidden) {
    log('error', `${address}: its previous version is not brought back: no Policy allows ${forbidden.what} any more`);
    return false;
  }
  try {
    const { result } = await bringUp(previous, context, signal, { returning: true });
    if (result === 'unchanged') return false;
    log('warn', `${address}: its previous version was brought back`, { hash: previous.hash.slice(0, 8) });
    return true;
  } catch (error) {
    const known = toSlipwayError(error, 'start-failed');
    log('error', `${address}: its previous version could not be started either`, { error: known.message });
    if (known.row.next === 'retry') throw known;
    return false;
  }
}

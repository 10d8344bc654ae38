/**
 * Rolls one workload out: new beside old in waves, or a share of the sessions first, or the old one stopped before. Level-
 * triggered, so that it goes on where an interrupted one ended. A version that fails is replaced by the one before.
 */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { Compiled } from '../compile.ts';
import { differs } from '../holds.ts';
import { featuresOf, isAllowed, type Use } from '../features.ts';
import { stands } from '../plan.ts';
import type { Workload } from '../workload.ts';
import { dueStep, split } from './canary.ts';
import type { ApplyContext, Result } from './context.ts';
import type { Return } from './group.ts';
import { quoted, lastLines } from './last-words.ts';
import { hasRoom, Move } from './move.ts';

/**
 * @param hindrance why no instance can be started just now
 * @throws SlipwayError why the wanted version does not serve; then the one before does, if there is one
 */
export async function rollOut(
  workload: Workload,
  context: ApplyContext,
  signal: AbortSignal,
  hindrance?: SlipwayError,
): Promise<Result> {
  const { address } = workload;
  const failure = context.failures[address];
  const isSuspended = context.holds.get(address)?.reason === 'Suspended';
  const gaveUp = isSuspended ? undefined : await giveUpTrial(workload, context, signal);
  if (isHeld(workload, context)) return { result: 'held' };
  try {
    if (failure && isHeldBack(address, context)) throw new SlipwayError(failure.code, failure.message);
    await failIfBad(workload, context);
    if (hindrance) throw hindrance;
    if (context.tolerated.has(address) && context.served.has(address)) return { result: 'unchanged' };
    return await bringUp(workload, context, signal);
  } catch (error) {
    signal.throwIfAborted();
    // What cannot go on for the moment is not worse for it.
    if (error === hindrance) throw error;
    context.canaries.delete(address);
    const back = await fallBack(workload, context, signal);
    if (!back && gaveUp === undefined) throw error;
    throw new RolledBack(gaveUp === undefined ? error : alsoBad(error, gaveUp));
  }
}

/**
 * What is suspended is left alone altogether. Outside of a window changes wait, but what is on its way goes on, and what no
 * commit changed is healed.
 */
function isHeld(workload: Workload, { holds, base, served, trials, canaries }: ApplyContext): boolean {
  const { address, hash } = workload;
  const hold = holds.get(address);
  if (!hold || hold.reason === 'Suspended') return hold !== undefined;
  if (trials()[address]?.hash === hash || canaries.get(address)?.hash === hash) return false;
  const good = base.workloads.find((one) => one.address === address);
  const serving = served.get(address)?.readiness.hash;
  return (serving !== undefined && serving !== hash) || differs(workload, good);
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
    stands(failure, desired.workloads) &&
    desired.workloads.some((workload) => workload.address === address && workload.hash === failure.hash)
  );
}

/**
 * Another of its group failed: this version goes back with it, however well it does.
 * @throws SlipwayError why, wrapped in RolledBack where the one before is back
 */
export async function returnWith(
  { workload, culprit, why }: Return,
  context: ApplyContext,
  signal: AbortSignal,
): Promise<never> {
  context.canaries.delete(workload.address);
  context.condemn(workload, why, culprit);
  throw (await fallBack(workload, context, signal)) ? new RolledBack(why) : why;
}

/** @throws SlipwayError rolled-back when this version, which serves or is about to, has gone bad since it does */
async function failIfBad(workload: Workload, context: ApplyContext): Promise<void> {
  const { address, hash } = workload;
  const trial = context.trials()[address];
  if (trial?.hash !== hash && context.canaries.get(address)?.hash !== hash) return;
  if (trial?.hash === hash && trial.verdict !== undefined) throw new SlipwayError('rolled-back', trial.verdict);
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

/**
 * A newer version is wanted, but the one that serves is still on trial: where it has gone bad, the one before comes back,
 * whatever becomes of the newer one.
 * @returns why it was given up; `undefined` where it was not
 * @throws SlipwayError why the one before could not be brought back, if that may heal by itself
 */
async function giveUpTrial(
  { address, hash }: Workload,
  context: ApplyContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  const trial = context.trials()[address];
  if (!trial || trial.hash === hash || context.served.get(address)?.readiness.hash !== trial.hash) return undefined;
  const serving = context.base.workloads.find((good) => good.address === address && good.hash === trial.hash);
  if (!serving) return undefined;
  try {
    await failIfBad(serving, context);
    return undefined;
  } catch (error) {
    context.canaries.delete(address);
    return (await fallBack(serving, context, signal)) ? toSlipwayError(error).message : undefined;
  }
}

function alsoBad(error: unknown, reason: string): SlipwayError {
  const known = toSlipwayError(error, 'start-failed');
  const message = `${known.message} The version that served in its place was given up too: ${reason}`;
  return new SlipwayError(known.code, message, { hint: known.hint, cause: error });
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
  // What an earlier pass could not remove may hold the place of what is to come.
  if (!hasRoom(workload) && move.fresh.length < replicas) await move.removeLeftovers();
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
  const surplus = move.old.length > 0;
  await move.reach({ ...goal, fresh: replicas, old: 0 });
  canaries.delete(address); // Not before: one that is interrupted goes on with its last step.
  await move.removeLeftovers();
  return { result: wordFor(move, { replaced: replaces || withdrawn || altered, surplus }), ...noted(move) };
}

/** @param surplus whether there were instances that are not wanted any more: of the same version, if it was not replaced */
function wordFor({ started }: Move, { replaced, surplus }: { replaced: boolean; surplus: boolean }): Result['result'] {
  if (replaced || (surplus && started > 0)) return 'replaced';
  if (surplus) return 'scaled';
  return started > 0 ? 'started' : 'unchanged';
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
async function fallBack(workload: Workload, context: ApplyContext, signal: AbortSignal): Promise<boolean> {
  const { address, hash } = workload;
  const { base, desired, served, log } = context;
  const trial = context.trials()[address];
  // A version on trial is given up for having gone bad, not for a trouble of its driver.
  const previous =
    trial?.verdict === undefined ? base.workloads.find((good) => good.address === address) : trial.previous;
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

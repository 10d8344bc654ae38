/** One pass: from whatever the source says now to the world looking like it. Its steps in order, on one screen. */
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import { hasWork, type Plan } from '../schemas/plan.ts';
import type { Issue } from '../schemas/resource.ts';
import type { CommitInfo } from '../schemas/status.ts';
import { apply } from './apply.ts';
import { goodOf, previousOf, writeApplied } from './applied.ts';
import { compile, type Compiled } from './compile.ts';
import { holdsOf, NO_HOLDS } from './holds.ts';
import { keep } from './keep.ts';
import { load } from './load.ts';
import { plan } from './plan.ts';
import { eventsOf } from './record/events.ts';
import { planPart, type AuditRecord } from './record/record.ts';
import type { Outcome } from './rollout/context.ts';
import { underWatch } from './rollout/watch.ts';
import { sweepSealed, stageSealed } from './secrets/sealed.ts';
import { stageFiles } from './stage.ts';
import { readFloor, rulesFor, trustOf, withFloor } from './trust/floor.ts';
import { judge } from './trust/judge.ts';
import { sealedOf } from './workload.ts';
import { applyContext, observe, publishNow, type World } from './world.ts';

export interface PassResult {
  readonly commit: CommitInfo;
  readonly changed: boolean;
  readonly outcomes: readonly Outcome[];
}

export interface PassOptions {
  /** Try again what failed before. */
  readonly retry?: boolean;
}

const CHANGED: ReadonlySet<Outcome['result']> = new Set([
  'started',
  'progressing',
  'replaced',
  'scaled',
  'removed',
  'rolledBack',
]);

/** @throws SlipwayError when the commit cannot be had, is refused, or is blocked; what runs is then left alone */
export async function run(world: World, options: PassOptions, signal: AbortSignal): Promise<PassResult> {
  const began = performance.now();
  const commit = await world.source.fetch(signal);
  world.attempted = commit;
  world.lastReached = new Date().toISOString();
  const note = recordOf(world, commit, began);
  try {
    world.judgement = undefined;
    world.floorId = undefined;
    const floor = await readFloor(world.floor);
    world.floorId = floor?.id;
    const { accepted, desired: before } = world.applied;
    const rules = rulesFor(floor, before.resources, accepted);
    world.judgement = await judge({ source: world.source, commit: commit.id, ...rules }, signal);
    const loaded = withFloor(await load(world.source, commit.id, world.cache, signal), floor);
    world.issues = loaded.issues;
    if (loaded.issues.length > 0) throw refused(loaded.issues);

    const desired = compile(loaded);
    const actual = await observe(world, signal);
    const given = options.retry ? { ...actual, failures: {} } : actual;
    note.plan = plan(desired, given, world.judgement.permit, new Date());
    if (note.plan.guards.length > 0) throw blocked(note.plan);
    if (options.retry) {
      world.applied = { ...world.applied, failures: {} };
      world.repeats.forget();
    }
    world.repeats.check(note.plan);
    const isSame = world.applied.commit?.id === commit.id && world.applied.desired.floor?.id === floor?.id;
    const settled = !hasWork(note.plan) && world.errors.size === 0 && isSame;
    if (!hasWork(note.plan)) world.repeats.forget();
    if (settled && world.published) return done(world, commit, []);

    if (hasWork(note.plan)) world.log('info', `applying ${commit.id.slice(0, 8)} ${commit.subject ?? ''}`.trimEnd());
    world.working = hasWork(note.plan);
    world.changed();
    await stageFiles(desired, world.source, world.state.paths.blobs, signal);
    stageSealed(desired.sealed, world.state.paths.sealed);
    const wanted = { desired, commit, isNew: true };
    note.outcomes = await applyAll(world, wanted, toleratedBy(note.plan, desired), signal);
    keep(world, desired, commit, note.outcomes);
    world.repeats.note(note.plan, note.outcomes);
    // A rollout that failed stays in the plan; looking at it again is no news.
    const news = world.lastRecorded !== commit.id || note.outcomes.some(({ result }) => CHANGED.has(result));
    note.write(note.outcomes.some((outcome) => outcome.error) ? 'failed' : 'applied', hasWork(note.plan) && news);
    await collect(world, signal);
    return done(world, commit, note.outcomes);
  } catch (error) {
    const known = toSlipwayError(error);
    world.problem = known.code === 'superseded' ? undefined : known;
    note.write(resultOf(known), !note.repeats(known));
    throw error;
  } finally {
    world.working = false;
    world.changed();
  }
}

/**
 * Applies again what the last pass wanted, without asking the source: the next step of a canary is due, or a version that
 * took over has gone bad, and the one before has to come back although git may be away.
 */
export async function reapply(world: World, signal: AbortSignal): Promise<PassResult | undefined> {
  const { compiled: desired, accepted: commit } = world;
  if (!commit) return undefined;
  const note = recordOf(world, commit, performance.now());
  world.working = true;
  try {
    const watched = new Set(underWatch(world).map(({ address }) => address));
    const others = desired.workloads.filter(({ address }) => !watched.has(address) && !world.errors.has(address));
    const tolerated = new Set(others.map(({ address }) => address));
    note.outcomes = await applyAll(world, { desired, commit }, tolerated, signal);
    keep(world, desired, commit, note.outcomes);
    const news = note.outcomes.some(({ result }) => CHANGED.has(result));
    note.write(note.outcomes.some((outcome) => outcome.error) ? 'failed' : 'applied', news);
    return { commit, changed: news, outcomes: note.outcomes };
  } finally {
    world.working = false;
    world.changed();
  }
}

/** Brings the last good commit back, without asking the source: for a start while git is away, or is slow. */
export async function resume(world: World, signal: AbortSignal): Promise<void> {
  const { applied } = world;
  await applyAll(world, { desired: goodOf(applied), commit: applied.commit, isResumed: true }, new Set(), signal);
}

/** Addresses whose instances are left as they are although they may have drifted: their config says so. */
function toleratedBy({ changes }: Plan, { workloads }: Compiled): ReadonlySet<string> {
  const idle = new Set(changes.filter((change) => change.action === 'noop').map((change) => change.address));
  return new Set(
    workloads.filter(({ address, drift }) => drift !== 'enforce' && idle.has(address)).map(({ address }) => address),
  );
}

interface Wanted {
  readonly desired: Compiled;
  readonly commit: CommitInfo | undefined;
  /** What ran before comes back, whatever holds changes. */
  readonly isResumed?: boolean;
  /** It comes from the source just now: from here on, others are judged by what it says. */
  readonly isNew?: boolean;
}

async function applyAll(
  world: World,
  { desired, commit, isNew = false, isResumed = false }: Wanted,
  tolerated: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Outcome[]> {
  // Routes, tokens and remote servers are in force before the first workload is ready.
  await accept(world, desired, commit);
  if (commit && isNew) remember(world, commit);
  const context = applyContext(world);
  const instances = await context.list();
  const addresses = new Set([...desired.workloads, ...instances].map(({ address }) => address));
  const holds = isResumed ? NO_HOLDS : holdsOf(desired.holds, addresses, new Date());
  const outcomes = await apply({ ...context, holds, tolerated }, signal);
  const held = new Set(outcomes.flatMap(({ address, result }) => (result === 'held' ? [address] : [])));
  world.held = new Map([...holds].filter(([address]) => held.has(address)));
  world.metrics.rolledOut(outcomes);
  world.errors = new Map(
    outcomes.flatMap((outcome) => (outcome.error ? [[outcome.address, outcome.error] as const] : [])),
  );
  await publishNow(world); // With the reasons of those that failed.
  return outcomes;
}

/** @throws what the gateway says against it, such as SlipwayError listen-failed; then what was accepted before stays */
async function accept(world: World, compiled: Compiled, accepted: CommitInfo | undefined): Promise<void> {
  const before = { compiled: world.compiled, accepted: world.accepted };
  Object.assign(world, { compiled, accepted });
  try {
    await publishNow(world);
  } catch (error) {
    Object.assign(world, before);
    throw error;
  }
}

/** On disk before any rollout: what comes next is judged by it, whatever happens to us meanwhile. */
function remember(world: World, { id: commit }: CommitInfo): void {
  const follows = world.source.repository?.follows;
  const accepted = follows === undefined ? undefined : { commit, follows, trust: trustOf(world.compiled.resources) };
  if (JSON.stringify(accepted) === JSON.stringify(world.applied.accepted)) return;
  world.applied = { ...world.applied, accepted };
  writeApplied(world.state.paths.applied, world.applied);
}

/**
 * Removes what no workload needs any more. Within the pass, because the next one may make what this one would remove. What
 * cannot be removed now is left to the next pass with changes.
 */
async function collect(world: World, signal: AbortSignal): Promise<void> {
  const { compiled, applied } = world;
  const good = goodOf(applied);
  const wanted = [...compiled.workloads, ...good.workloads, ...previousOf(applied)];
  sweepSealed([...compiled.sealed, ...good.sealed, ...wanted.flatMap(sealedOf)], world.state.paths.sealed);
  for (const driver of world.drivers.values()) {
    try {
      const removed = (await driver.collect?.(wanted, signal)) ?? [];
      if (removed.length > 0)
        world.log('info', 'removed what nothing needs any more', { driver: driver.name, removed });
    } catch (error) {
      signal.throwIfAborted();
      world.log('warn', `cleaning up of ${driver.name}: ${toSlipwayError(error).message}`);
    }
  }
}

function done(world: World, commit: CommitInfo, outcomes: readonly Outcome[]): PassResult {
  world.problem = undefined;
  return { commit, changed: outcomes.some(({ result }) => result !== 'unchanged' && result !== 'held'), outcomes };
}

function refused(issues: readonly Issue[]): SlipwayError {
  return new SlipwayError('invalid-config', `The commit has ${issues.length} issue${issues.length === 1 ? '' : 's'}.`);
}

function blocked({ guards }: Plan): SlipwayError {
  return new SlipwayError('blocked', guards.map((guard) => guard.message).join(' '), {
    hint: guards.map((guard) => guard.allow).join(' '),
  });
}

function resultOf(error: SlipwayError): AuditRecord['result'] {
  if (error.code === 'invalid-config' || error.code === 'untrusted') return 'refused';
  if (error.code === 'blocked' || error.code === 'superseded') return error.code;
  return 'failed';
}

/** Gathers what the audit record says while the pass goes on. */
function recordOf(world: World, commit: CommitInfo, began: number) {
  const note = {
    plan: undefined as Plan | undefined,
    outcomes: [] as readonly Outcome[],
    /** A refusal that was recorded already says nothing new: polling the same bad commit writes one record. */
    repeats: (error: SlipwayError): boolean =>
      error.code === 'shutting-down' || world.lastRecorded === `${commit.id} ${error.code} ${error.message}`,
    write(result: AuditRecord['result'], wanted: boolean): void {
      if (!wanted) return;
      const problem = world.problem;
      world.lastRecorded = problem ? `${commit.id} ${problem.code} ${problem.message}` : commit.id;
      const record: AuditRecord = {
        formatVersion: 1,
        type: 'reconcile',
        at: new Date().toISOString(),
        durationMs: Math.round(performance.now() - began),
        result,
        commit,
        ...planPart(note.plan),
        ...(world.judgement?.signer === undefined ? {} : { signer: world.judgement.signer }),
        outcomes: note.outcomes.map(({ address, result: outcome, ms, error, surface }) => ({
          address,
          result: outcome,
          ms,
          ...(surface ? { surface } : {}),
          ...(error ? { error: { code: error.code, message: error.message } } : {}),
        })),
        issues: problem?.code === 'invalid-config' ? world.issues : [],
        ...(problem && result !== 'applied' ? { problem: { code: problem.code, message: problem.message } } : {}),
      };
      world.recorder.write(record, note.plan);
      for (const event of eventsOf(record)) world.audit?.record(event);
    },
  };
  return note;
}

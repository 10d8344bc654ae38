/** What a pass leaves behind in `applied.json`: what is good now, what is on trial, what failed. */
import type { SlipwayError } from '../schemas/errors.ts';
import { lockedIn } from '../schemas/lock/lock.ts';
import { addressOf, type Resource } from '../schemas/resource.ts';
import type { CommitInfo } from '../schemas/status.ts';
import { writeApplied, type Applied, type Readiness, type Trial } from './applied.ts';
import type { Compiled } from './compile.ts';
import { differs } from './holds.ts';
import { stands, type Failure } from './plan.ts';
import type { Outcome } from './rollout/context.ts';
import type { World } from './world.ts';
import type { Workload } from './workload.ts';

/** Remembers what is good now: new versions where they became ready, the one before where they did not, or not yet. */
export function keep(world: World, desired: Compiled, commit: CommitInfo, outcomes: readonly Outcome[]): void {
  const before = world.applied;
  const failed = new Map(
    outcomes.flatMap((outcome) => (outcome.error ? [[outcome.address, outcome.error] as const] : [])),
  );
  const held = new Set(outcomes.flatMap(({ address, result }) => (result === 'held' ? [address] : [])));
  const behind = behindOf(desired, before, held);
  const trials = trialsOf(world, desired, outcomes);
  const previous = new Map(before.desired.resources.map((resource) => [addressOf(resource), resource]));
  const resources = desired.resources.flatMap((resource): Resource[] => {
    const address = addressOf(resource);
    if (!failed.has(address) && !world.canaries.has(address) && !behind.has(address)) return [resource];
    const trial = before.trials[address];
    const gaveUp = trial && !trials[address] && world.served.get(address)?.readiness.hash === trial.previous.hash;
    const old = gaveUp ? trial.resource : previous.get(address);
    return old ? [old] : [];
  });
  const wanted = new Set(desired.resources.map(addressOf));
  const left = [...behind].flatMap((address) => (wanted.has(address) ? [] : (previous.get(address) ?? [])));
  const good = goodWorkloads(world, desired, held);
  world.applied = {
    formatVersion: 2,
    commit,
    desired: {
      commit: commit.id,
      resources: [...resources, ...left],
      files: desired.files,
      lock: lockOf(desired, before, resources),
      floor: desired.floor,
    },
    accepted: before.accepted,
    access: desired.draft.access,
    good,
    readiness: readinessOf(world),
    failures: failuresOf(desired, { failed, held }, good, before),
    trials,
    suspended: suspendedIn(desired, before, commit),
    holds: desired.holds,
  };
  writeApplied(world.state.paths.applied, world.applied);
  watchTrials(world, before);
}

/** Of what is held, that whose instances are to be others: what only the gateway has to know is in force. */
function behindOf({ workloads }: Compiled, { good }: Applied, held: ReadonlySet<string>): ReadonlySet<string> {
  const wanted = new Map(workloads.map((workload) => [workload.address, workload]));
  const isBehind = (address: string): boolean => {
    const workload = wanted.get(address);
    return !workload || differs(workload, good[address]);
  };
  return new Set([...held].filter(isBehind));
}

/** Whoever is of the version before has the tools that were accepted of that. */
function lockOf({ lock, resources: wanted }: Compiled, { desired: before }: Applied, kept: readonly Resource[]) {
  if (!lock || !before.lock) return lock;
  const ours = new Set(wanted);
  const old = kept.filter((resource) => !ours.has(resource)).map(({ metadata }) => metadata.name);
  const theirs = old.flatMap((name) => {
    const locked = lockedIn(before.lock, name);
    return locked ? [[name, locked] as const] : [];
  });
  return theirs.length === 0 ? lock : { ...lock, servers: { ...lock.servers, ...Object.fromEntries(theirs) } };
}

/** Since which commit a resource suspends itself, or everything. */
function suspendedIn({ holds }: Compiled, { suspended = {} }: Applied, commit: CommitInfo): Record<string, CommitInfo> {
  const entries = holds.flatMap(({ from, suspend }) => (suspend ? [[from, suspended[from] ?? commit] as const] : []));
  return Object.fromEntries(entries);
}

/** The end of trials whose time is over. */
export function endTrials(world: World, addresses: readonly string[]): void {
  for (const address of addresses) world.watch.end(address);
  const left = Object.entries(world.applied.trials).filter(([address]) => !addresses.includes(address));
  world.applied = { ...world.applied, trials: Object.fromEntries(left) };
  writeApplied(world.state.paths.applied, world.applied);
}

/** The version of each workload that serves now: the wanted one, or one before. One that is down is no worse for that. */
function goodWorkloads(world: World, desired: Compiled, held: ReadonlySet<string>): Record<string, Workload> {
  const { good, trials } = world.applied;
  const entries = [...world.served].flatMap(([address, { readiness }]): [string, Workload][] => {
    const wanted = desired.workloads.find((workload) => workload.address === address);
    const before = [good[address], trials[address]?.previous];
    // What is held was not touched, whatever else than its hash is to be another.
    const candidates = held.has(address) ? [...before, wanted] : [wanted, ...before];
    const serving = candidates.find((workload) => workload?.hash === readiness.hash);
    return serving ? [[address, serving]] : [];
  });
  const down = desired.workloads.flatMap(({ address }): [string, Workload][] => {
    const last = world.served.has(address) ? undefined : good[address];
    return last ? [[address, last]] : [];
  });
  return Object.fromEntries([...entries, ...down]);
}

function readinessOf(world: World): Record<string, Readiness> {
  return Object.fromEntries([...world.served].map(([address, { readiness }]) => [address, readiness]));
}

/** Versions that have just taken over, and those whose trial goes on. */
function trialsOf(world: World, desired: Compiled, outcomes: readonly Outcome[]): Record<string, Trial> {
  const { good, trials, desired: was } = world.applied;
  const entries = outcomes.flatMap(({ address, error }): [string, Trial][] => {
    const workload = desired.workloads.find((each) => each.address === address);
    const going = trials[address];
    if (!workload) return [];
    const serving = world.served.get(address)?.readiness.hash;
    const isWanted = going?.hash === workload.hash;
    // A newer version that does not serve does not end it; nor does a verdict, until the version before is back.
    if (going && !isWanted && (serving === undefined || serving === going.hash)) return [[address, going]];
    if (workload.rollout.monitorMs === 0 || world.canaries.has(address)) return [];
    if (isWanted)
      return going.verdict !== undefined && serving !== undefined && serving !== going.hash ? [] : [[address, going]];
    if (error) return [];
    // What had not yet proved itself is nothing to return to.
    const previous = going?.previous ?? good[address];
    if (serving !== workload.hash || !previous || previous.hash === workload.hash) return [];
    const resource = going ? going.resource : was.resources.find((each) => addressOf(each) === address);
    return [[address, { hash: workload.hash, previous, commit: desired.commit, ...(resource ? { resource } : {}) }]];
  });
  return Object.fromEntries(entries);
}

/** The clocks of new trials begin now; those of a time before a restart of Slipway begin when somebody looks. */
function watchTrials({ applied: { trials }, watch }: World, before: Applied): void {
  for (const address of Object.keys(before.trials)) if (!trials[address]) watch.end(address);
  for (const [address, { hash }] of Object.entries(trials))
    if (before.trials[address]?.hash !== hash) watch.begin(address, hash, []);
}

/**
 * Only what needs a person is remembered; what may heal by itself is tried again. So is the good version: it is known to
 * work, so that a start of one of its instances that fails is no verdict on it.
 */
function failuresOf(
  desired: Compiled,
  { failed, held }: { readonly failed: ReadonlyMap<string, SlipwayError>; readonly held: ReadonlySet<string> },
  good: Applied['good'],
  before: Applied,
): Record<string, Failure> {
  const entries = desired.workloads.flatMap(({ address, hash }): [string, Failure][] => {
    const error = failed.get(address);
    const known = before.failures[address];
    if (!error) return known && held.has(address) ? [[address, known]] : [];
    if (known?.hash === hash && stands(known, desired.workloads)) return [[address, known]];
    if (error.row.next === 'retry' || (hash === good[address]?.hash && error.code !== 'rolled-back')) return [];
    return [[address, { hash, code: error.code, message: error.message, at: new Date().toISOString() }]];
  });
  return Object.fromEntries(entries);
}

/** What is remembered as failed waits for a person, unless what keeps it from being tried may heal by itself. */
export function isTriedAgain({ address, error, unfinished }: Outcome, { applied }: World): boolean {
  if (unfinished) return true;
  return error !== undefined && (error.row.next === 'retry' || !applied.failures[address]);
}

/**
 * The difference between what a commit asks for and what runs, as a value. Pure: knows no driver and does no I/O, so
 * that the pull request, the command line and the reconciler all show the same plan.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { ErrorCode } from '../schemas/errors.ts';
import type { Action, Change, Downtime, Drift, FieldChange, Plan } from '../schemas/plan.ts';
import { selectionsIn } from '../schemas/refs.ts';
import { addressOf, type Resource } from '../schemas/resource.ts';
import type { Accepted, Readiness } from './applied.ts';
import { compareText, compile, type Compiled, type Desired } from './compile.ts';
import { diffResources, sameResource } from './diff.ts';
import type { Instance } from './drivers/driver.ts';
import { differs, holdsOf, NO_HOLDS, type Holds } from './holds.ts';
import { toolsPlan } from './pins/tools-plan.ts';
import { leavesGap } from './rollout/waves.ts';
import { guardsOf, type Permit } from './guards.ts';
import { instanceNames, type Workload } from './workload.ts';

/** What is there now: what was applied last, the instances that drivers observe, and rollouts that failed. */
export interface Actual {
  readonly applied: Desired;
  readonly instances: readonly Instance[];
  readonly failures: Readonly<Record<string, Failure>>;
  /** By what the next commit is judged. */
  readonly accepted?: Accepted | undefined;
  /** What versions showed when they were ready, by address: their tools, for what these cost. */
  readonly known?: Readonly<Record<string, Readiness>> | undefined;
}

/** A rollout that failed. Not tried again until the spec hash changes or somebody asks for it. */
export interface Failure {
  readonly hash: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly at: string;
  /** Whose fault it was, where it was another's of its group: it stands for as long as that version is wanted. */
  readonly because?: { readonly address: string; readonly hash: string };
}

/** Whether a failure still says something, among what is wanted now. */
export function stands({ because }: Failure, workloads: Iterable<Workload>): boolean {
  if (!because) return true;
  return [...workloads].some(({ address, hash }) => address === because.address && hash === because.hash);
}

/**
 * @param permit what the commit's message lets pass
 * @param now tells what waits; without it, nothing does
 */
export function plan(desired: Compiled, actual: Actual, permit?: Permit, now?: Date): Plan {
  return planned(desired, actual, permit, now).plan;
}

/** The same, with what it compares the commit with. */
export function planned(
  desired: Compiled,
  actual: Actual,
  permit?: Permit,
  now?: Date,
): { readonly plan: Plan; readonly base: Compiled } {
  const view = viewOf(desired, actual, now);
  const addresses = [...new Set([...view.wanted.keys(), ...view.applied.keys(), ...view.running.keys()])].sort(
    compareText,
  );
  const changes = addresses.map((address) => changeOf(address, view));
  const drift = changes.flatMap((change) => driftIn(change, view));
  const there = { applied: view.base, instances: actual.instances };
  const { guards, allowed } = guardsOf({ desired, there, changes }, permit);
  const base = actual.applied.commit;
  const summary = { create: 0, update: 0, replace: 0, delete: 0, noop: 0 };
  for (const change of changes) summary[change.action]++;
  const effective = changes.filter((change) => change.action !== 'noop');
  const tools = toolsPlan(
    { lock: actual.applied.lock, routes: view.base.draft.routes },
    { lock: desired.lock, routes: desired.draft.routes },
  );
  const planDigest = digestOf({ base, head: desired.commit, changes: effective, drift, guards, allowed, tools });
  const found: Plan = {
    formatVersion: 1,
    ...(base === '' ? {} : { base }),
    head: desired.commit,
    planDigest,
    changes,
    drift,
    guards,
    allowed,
    ...(tools ? { tools } : {}),
    summary,
  };
  return { plan: found, base: view.base };
}

type Selections = ReturnType<typeof selectionsIn>;

interface View {
  readonly base: Compiled;
  /** What keeps instances from being touched. */
  readonly holds: Holds;
  readonly wanted: ReadonlyMap<string, Resource>;
  readonly applied: ReadonlyMap<string, Resource>;
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly running: ReadonlyMap<string, readonly Instance[]>;
  readonly failures: Readonly<Record<string, Failure>>;
  /** Addresses that the gateway serves, here or elsewhere. */
  readonly served: { readonly before: ReadonlySet<string>; readonly after: ReadonlySet<string> };
  /** What is reached by selectors. */
  readonly selected: { readonly before: Selections; readonly after: Selections };
  /** Addresses of what ran elsewhere so far. */
  readonly elsewhere: ReadonlySet<string>;
}

function viewOf(desired: Compiled, actual: Actual, now: Date | undefined): View {
  const applied = compile(actual.applied);
  const before = new Set(Object.values(applied.draft.origins));
  const here = new Set(applied.workloads.map(({ address }) => address));
  return {
    base: applied,
    holds: now ? holdsOf(desired.holds, addressesIn(desired, applied, actual), now) : NO_HOLDS,
    wanted: new Map(desired.resources.map((resource) => [addressOf(resource), resource])),
    applied: new Map(actual.applied.resources.map((resource) => [addressOf(resource), resource])),
    workloads: new Map(desired.workloads.map((workload) => [workload.address, workload])),
    running: Map.groupBy(actual.instances, (instance) => instance.address),
    failures: actual.failures,
    served: {
      before,
      after: new Set(Object.values(desired.draft.origins)),
    },
    selected: { before: selectionsIn(actual.applied.resources), after: selectionsIn(desired.resources) },
    elsewhere: new Set([...before].filter((address) => !here.has(address))),
  };
}

function changeOf(address: string, view: View): Change {
  const before = view.applied.get(address);
  const after = view.wanted.get(address);
  const workload = view.workloads.get(address);
  const failure = view.failures[address];
  const blocked = failure !== undefined && failure.hash === workload?.hash && stands(failure, view.workloads.values());
  const found = verdict(address, view);
  const { fields, patch } = diffResources(before, after);
  return {
    address,
    ...found,
    fields: [...fields, ...selectionChanges(address, view)],
    patch,
    blockedBy: [
      ...(blocked ? [`an earlier rollout of this version failed: ${failure.message}`] : []),
      ...(found.action === 'noop' ? [] : heldBy(address, view)),
    ],
    ...(after ? { source: { file: after.source.file, line: after.source.line } } : {}),
  };
}

/** What came to a resource, or left it, because of labels: nothing of that stands in its own document. */
function selectionChanges(address: string, { selected, applied, wanted }: View): FieldChange[] {
  if (!applied.has(address) || !wanted.has(address)) return [];
  const before = selected.before.get(address) ?? [];
  const after = selected.after.get(address) ?? [];
  const change = (target: string, how: Pick<FieldChange, 'before' | 'after'>): FieldChange => ({
    path: `selected.${target}`,
    ...how,
    sensitive: false,
  });
  return [
    ...before.filter((target) => !after.includes(target)).map((target) => change(target, { before: true })),
    ...after.filter((target) => !before.includes(target)).map((target) => change(target, { after: true })),
  ];
}

/** What keeps its instances as they are. What only the gateway has to know never waits. */
function heldBy(address: string, { holds, workloads, base, running }: View): string[] {
  const hold = holds.get(address);
  if (!hold) return [];
  const workload = workloads.get(address);
  const before = base.workloads.find((one) => one.address === address);
  const isOther = (running.get(address) ?? []).some(({ hash }) => hash !== workload?.hash);
  const isTouched = workload ? isOther || differs(workload, before) : before !== undefined || isOther;
  return isTouched ? [hold.message] : [];
}

/** Of all that has or had instances. */
function addressesIn(desired: Compiled, applied: Compiled, { instances }: Actual): Set<string> {
  return new Set([...desired.workloads, ...applied.workloads, ...instances].map(({ address }) => address));
}

interface Verdict {
  readonly action: Action;
  readonly reason: string;
  readonly downtime: Downtime;
}

function verdict(address: string, view: View): Verdict {
  const before = view.applied.get(address);
  const after = view.wanted.get(address);
  const workload = view.workloads.get(address);
  const instances = view.running.get(address) ?? [];
  const ends = view.served.before.has(address) && !view.served.after.has(address);
  if (!after) {
    const reason = before ? 'it is no longer in the config' : 'nothing in the config asks for it';
    return { action: 'delete', reason, downtime: ends || instances.length > 0 ? 'stop' : 'reload' };
  }
  const others = instances.filter((instance) => instance.hash !== workload?.hash);
  if (workload && others.length > 0) {
    const gap = others.length === instances.length && leavesGap(others.length, { ...workload, ...workload.rollout });
    return { action: 'replace', reason: 'its spec hash changed', downtime: gap ? 'restart' : 'swap' };
  }
  if (!before) return { action: 'create', reason: 'it is new in the config', downtime: 'none' };
  const changed = !sameResource(before, after);
  if (!workload && instances.length > 0)
    return view.served.after.has(address)
      ? { action: 'update', reason: 'it now runs elsewhere', downtime: 'swap' }
      : { action: 'update', reason: 'it no longer runs here', downtime: 'stop' };
  if (workload && view.elsewhere.has(address))
    return { action: 'update', reason: 'it now runs here', downtime: 'swap' };
  if (changed) return { action: 'update', reason: 'its fields changed', downtime: ends ? 'stop' : 'reload' };
  if (selectionChanges(address, view).length > 0)
    return { action: 'update', reason: 'what it reaches without naming it changed', downtime: 'reload' };
  const isLeftAlone = view.holds.get(address)?.reason === 'Suspended';
  if (workload?.drift === 'enforce' && !isLeftAlone) {
    const altered = instances.filter(isAltered).length;
    const downtime = altered < instances.length ? 'none' : 'restart';
    if (altered > 0) return { action: 'replace', reason: 'it was changed by hand', downtime };
    if (!isComplete(workload, instances))
      return { action: 'update', reason: 'its instances differ from replicas', downtime: 'none' };
  }
  return { action: 'noop', reason: 'nothing changed', downtime: 'none' };
}

/** Changed by hand, although it is of the right version. */
export function isAltered({ drift }: Instance): boolean {
  return drift !== undefined && drift.length > 0;
}

function isComplete(workload: Workload, instances: readonly Instance[]): boolean {
  const names = new Set(instances.map((instance) => instance.id));
  return names.size === workload.replicas && instanceNames(workload).every((name) => names.has(name));
}

/** Drift is what changed without a commit: the config is the same, the instances are not. */
function driftIn({ address }: Change, view: View): Drift[] {
  const workload = view.workloads.get(address);
  if (!workload) return [];
  const unchanged = sameResource(view.applied.get(address), view.wanted.get(address));
  const isLeftAlone = view.holds.get(address)?.reason === 'Suspended';
  return unchanged && !isLeftAlone ? driftOf(workload, view.running.get(address) ?? []) : [];
}

/** How the instances of a workload that no commit changed differ from it; nothing where nobody wants to know. */
export function driftOf(workload: Workload, instances: readonly Instance[]): Drift[] {
  if (workload.drift === 'off') return [];
  const { address } = workload;
  const present = new Map(instances.map((instance) => [instance.id, instance]));
  const told = (instance: string, reason: string): Drift => ({ address, instance, reason });
  const names = instanceNames(workload);
  // Where all are of another version, they are what a commit is about to replace.
  const isCurrent = instances.length === 0 || instances.some(({ hash }) => hash === workload.hash);
  const surplus = [...present.values()].filter(({ id, hash }) => hash === workload.hash && !names.includes(id));
  return [
    ...names.filter((name) => isCurrent && !present.has(name)).map((name) => told(name, 'it is not there')),
    ...surplus.map(({ id }) => told(id, 'it is one too many')),
    ...[...present.values()].flatMap(({ id, drift = [] }) => drift.map((reason) => told(id, reason))),
  ];
}

/** SHA-256 of the canonical JSON (RFC 8785), a change at a time: as one text, that of 10 000 changes takes 150 MB to make. */
function digestOf({ base, head, changes, drift, guards, allowed, tools }: Digested): string {
  const json = (value: unknown): string => canonicalize(value) ?? '';
  const hash = createHash('sha256').update(`{"allowed":${json(allowed)},"base":${json(base)},"changes":[`);
  changes.forEach((change, index) => hash.update(`${index === 0 ? '' : ','}${json(change)}`));
  const accepted = tools ? `,"tools":${json(tools)}` : '';
  return hash
    .update(`],"drift":${json(drift)},"guards":${json(guards)},"head":${json(head)}${accepted}}`)
    .digest('hex');
}

type Digested = Pick<Plan, 'base' | 'head' | 'changes' | 'drift' | 'guards' | 'allowed'> & {
  readonly tools: Plan['tools'] | undefined;
};

/** What was applied last and what was learned by it, kept on disk so that a start needs neither git nor luck. */
import type { Access } from '../schemas/access.ts';
import type { Era } from '../schemas/modern.ts';
import type { Resource } from '../schemas/resource.ts';
import type { Tool } from '../schemas/snapshot.ts';
import type { CommitInfo } from '../schemas/status.ts';
import { compile, NOTHING, type Compiled, type Desired } from './compile.ts';
import type { HoldRule } from './holds.ts';
import type { Failure } from './plan.ts';
import type { SurfaceChange } from './rollout/surface.ts';
import { readJson, writeAtomically } from './state.ts';
import type { TrustRules } from './trust/rules.ts';
import type { Workload } from './workload.ts';

/** What a server showed when it became ready. */
export interface Readiness {
  readonly hash: string;
  /** Absent where it was not asked yet, by an earlier Slipway. */
  readonly era?: Era;
  readonly tools: readonly Tool[];
  readonly instructions?: string;
  /** How its tools differ from those of the version before. */
  readonly surface?: SurfaceChange;
  /** As it said in its handshake. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
}

/** A version that took over a moment ago and is watched: should it go bad, the one before is brought back. */
export interface Trial {
  readonly hash: string;
  readonly previous: Workload;
  readonly resource?: Resource;
  /** The commit that brought it. */
  readonly commit?: string;
  /** Why it is given up; until the one before is back in its place. */
  readonly verdict?: string;
}

/** The commit that was accepted last, and whose commits are accepted after it. */
export interface Accepted {
  readonly commit: string;
  /** What was followed: where somebody follows something else now, it is no predecessor. */
  readonly follows: string;
  readonly trust: readonly TrustRules[];
}

export interface Applied {
  readonly formatVersion: 2;
  readonly commit?: CommitInfo;
  /** The last good version of every resource; where a rollout failed, the one before. */
  readonly desired: Desired;
  /** Who may do what, as the last good commit says it: a rollout that fails must not bring back rights that it took. */
  readonly access?: Access;
  /** The versions that serve, or did last, by address: whatever the resources say by now, this is what runs. */
  readonly good: Readonly<Record<string, Workload>>;
  /** By address. */
  readonly readiness: Readonly<Record<string, Readiness>>;
  readonly failures: Readonly<Record<string, Failure>>;
  /** Known as soon as a commit is accepted, before its rollouts: a signer that it removed is none from then on. */
  readonly accepted?: Accepted | undefined;
  /** By address. On disk, so that a crash of Slipway in the middle of a trial does not make a bad version the good one. */
  readonly trials: Readonly<Record<string, Trial>>;
  /** The commit that suspended something, by the address of the resource that says so. */
  readonly suspended?: Readonly<Record<string, CommitInfo>>;
  /** What holds rollouts, as the last good commit says it: the resources that say so may themselves be held. */
  readonly holds?: readonly HoldRule[];
}

const EMPTY: Applied = { formatVersion: 2, desired: NOTHING, good: {}, readiness: {}, failures: {}, trials: {} };

/** A missing file, or one of another format, means that nothing is known: the next pass finds out again. */
export function readApplied(path: string): Applied {
  const stored = readJson(path) as Applied | undefined;
  return stored?.formatVersion === 2 ? stored : EMPTY;
}

export function writeApplied(path: string, applied: Applied): void {
  writeAtomically(path, JSON.stringify(applied));
}

/** What was good, compiled: with the versions that served, not with those that the files of today would give. */
export function goodOf({ desired, good, access, holds }: Applied): Compiled {
  const { draft, workloads, ...compiled } = compile(desired);
  return {
    ...compiled,
    ...(holds ? { holds } : {}),
    draft: access ? { ...draft, access } : draft,
    workloads: workloads.map((workload) => good[workload.address] ?? workload),
  };
}

/** The versions that those on trial replaced: they may be needed again. */
export function previousOf({ trials }: Applied): Workload[] {
  return Object.values(trials).map(({ previous }) => previous);
}

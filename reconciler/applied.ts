/** What was applied last and what was learned by it, kept on disk so that a start needs neither git nor luck. */
import type { Era } from '../schemas/modern.ts';
import type { Tool } from '../schemas/snapshot.ts';
import type { CommitInfo } from '../schemas/status.ts';
import { compile, NOTHING, type Compiled, type Desired } from './compile.ts';
import type { Failure } from './plan.ts';
import { readJson, writeAtomically } from './state.ts';
import type { Workload } from './workload.ts';

/** What a server showed when it became ready. */
export interface Readiness {
  readonly hash: string;
  /** Absent where it was not asked yet, by an earlier Slipway. */
  readonly era?: Era;
  readonly tools: readonly Tool[];
  readonly instructions?: string;
  /** As it said in its handshake. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
}

export interface Applied {
  readonly formatVersion: 1;
  readonly commit?: CommitInfo;
  /** The last good version of every resource; where a rollout failed, the one before. */
  readonly desired: Desired;
  /** The versions that serve, by address: whatever the resources say by now, this is what runs. */
  readonly good: Readonly<Record<string, Workload>>;
  /** By address. */
  readonly readiness: Readonly<Record<string, Readiness>>;
  readonly failures: Readonly<Record<string, Failure>>;
}

const EMPTY: Applied = { formatVersion: 1, desired: NOTHING, good: {}, readiness: {}, failures: {} };

/** A missing file, or one of another format, means that nothing is known: the next pass finds out again. */
export function readApplied(path: string): Applied {
  const stored = readJson(path) as Applied | undefined;
  return stored?.formatVersion === 1 ? stored : EMPTY;
}

export function writeApplied(path: string, applied: Applied): void {
  writeAtomically(path, JSON.stringify(applied));
}

/** What was good, compiled: with the versions that served, not with those that the files of today would give. */
export function goodOf({ desired, good }: Applied): Compiled {
  const compiled = compile(desired);
  return { ...compiled, workloads: compiled.workloads.map((workload) => good[workload.address] ?? workload) };
}

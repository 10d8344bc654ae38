/** Where a canary stands: a new version gets a growing share of the sessions, step by step, before it gets all of them. Pure. */
import type { Canary, Workload } from '../workload.ts';

/** The step that a version is at. Kept in memory only: after a restart a canary begins again. */
export interface Stage {
  readonly hash: string;
  readonly step: number;
  /** When it began (`performance.now()`). */
  readonly since: number;
}

/** By address. */
export type Canaries = Map<string, Stage>;

/** The number of the step that is due now; `steps.length` when all are done. */
export function dueStep({ hash, rollout }: Workload, stage: Stage | undefined, now: number): number {
  if (stage?.hash !== hash) return 0;
  return isOver(rollout.canary, stage, now) ? stage.step + 1 : stage.step;
}

export function isOver(canary: Canary | undefined, { step, since }: Stage, now: number): boolean {
  return now - since >= (canary?.steps[step]?.pauseMs ?? 0);
}

/** As many instances as the weight is worth, at least one; the old version keeps the others, and at least one as well. */
export function split(replicas: number, weight: number): { fresh: number; old: number } {
  const fresh = Math.max(1, Math.ceil((replicas * weight) / 100));
  return { fresh, old: Math.max(1, replicas - fresh) };
}

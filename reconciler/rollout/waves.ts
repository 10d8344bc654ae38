/** In which steps old instances are replaced by new ones. Pure; `maxSurge` and `maxUnavailable` mean what they do in Kubernetes. */

export interface Goal {
  /** How many instances there are to be when nothing is being rolled out. */
  readonly replicas: number;
  /** How many of the new version there are to be at the end, and how many of the old. */
  readonly fresh: number;
  readonly old: number;
  /** How many more, and how many fewer, than `replicas` there may be meanwhile. */
  readonly surge: number;
  readonly unavailable: number;
}

/** Instances that serve. */
export interface Fleet {
  readonly fresh: number;
  readonly old: number;
}

export type Step = { readonly create: number } | { readonly remove: number };

/** What to do next; `undefined` when the goal is reached. New before old, wherever there is room. */
export function nextStep({ fresh, old }: Fleet, goal: Goal): Step | undefined {
  const create = Math.min(goal.fresh - fresh, goal.replicas + goal.surge - fresh - old);
  if (create > 0) return { create };
  const remove = Math.min(old - goal.old, fresh + old - (goal.replicas - goal.unavailable));
  if (remove > 0) return { remove };
  return undefined;
}

/** Whether there is a moment without any instance on the way from `old` instances of one version to the next. */
export function leavesGap(
  old: number,
  { replicas, surge, unavailable, strategy }: Pick<Goal, 'replicas' | 'surge' | 'unavailable'> & { strategy: string },
): boolean {
  if (strategy === 'recreate') return true;
  const goal = { replicas, fresh: replicas, old: 0, surge, unavailable };
  const first = nextStep({ fresh: 0, old }, goal);
  return first !== undefined && 'remove' in first && first.remove >= old;
}

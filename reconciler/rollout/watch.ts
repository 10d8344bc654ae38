/** Watches versions that took over a moment ago, and canaries: when their time is over, or they go bad, a pass has to act. */
import type { Trial } from '../applied.ts';
import type { Instance } from '../drivers/driver.ts';
import type { Tally } from '../../schemas/snapshot.ts';
import type { Workload } from '../workload.ts';
import { isOver, type Canaries } from './canary.ts';

/** A version on trial whose calls fail more often than this is worse than any that one would keep. */
const TRIAL_LIMIT = { maxErrorRate: 0.5, minCalls: 20 };

interface Watched {
  readonly hash: string;
  /** `performance.now()`: a clock that is set cannot end a trial, or make it last. */
  readonly since: number;
  /** How often each instance had been restarted by then. */
  readonly restarts: ReadonlyMap<string, number>;
}

export interface Evidence {
  readonly instances: readonly Instance[];
  readonly tally: (id: string) => Tally;
  /** Why an instance was restarted by its liveness probe. */
  readonly restarted: (id: string) => string | undefined;
}

export class Watch {
  readonly #watched = new Map<string, Watched>();

  /** @param before the instances that ran already: their restarts so far do not count */
  begin(address: string, hash: string, before: readonly Instance[]): void {
    const restarts = new Map(before.map((instance) => [instance.id, instance.restarts]));
    this.#watched.set(address, { hash, since: performance.now(), restarts });
  }

  end(address: string): void {
    this.#watched.delete(address);
  }

  isWatched(address: string, hash: string): boolean {
    return this.#watched.get(address)?.hash === hash;
  }

  isOver(address: string, { rollout }: Pick<Workload, 'rollout'>): boolean {
    const since = this.#watched.get(address)?.since;
    return since !== undefined && performance.now() - since >= rollout.monitorMs;
  }

  /** Why a version that serves has gone bad since it does; `undefined` if it has not. */
  verdict({ address, hash, rollout }: Workload, { instances, tally, restarted }: Evidence): string | undefined {
    const watched = this.#watched.get(address);
    const before = watched?.hash === hash ? watched.restarts : undefined;
    for (const { id, restarts, lastError } of instances) {
      const why = restarted(id);
      if (why !== undefined) return `it was restarted because ${withoutStop(why)}`;
      // A crash counts as soon as it happens; one that went down with its engine is no crash.
      if (restarts > (before?.get(id) ?? 0)) return `it crashed: ${withoutStop(lastError ?? 'unknown')}`;
    }
    const limit = before ? TRIAL_LIMIT : (rollout.canary ?? TRIAL_LIMIT);
    const sum = { calls: 0, errors: 0 };
    for (const { id } of instances) {
      const { calls, errors } = tally(id);
      sum.calls += calls;
      sum.errors += errors;
    }
    if (sum.calls < limit.minCalls || sum.errors / sum.calls <= limit.maxErrorRate) return undefined;
    return `${sum.errors} of ${sum.calls} calls failed`;
  }
}

/**
 * What has to be looked at again and again: what is on trial or in a canary. A version on trial is that for as long as it
 * serves, also while a newer one is wanted: one that fails, or that gets a share only.
 */
export function underWatch({ compiled, applied: { trials, good }, served, canaries }: Surroundings): Workload[] {
  const serving = Object.values(good).filter(({ address, hash }) => served.get(address)?.readiness.hash === hash);
  const wanted = new Set(compiled.workloads.map(({ hash }) => hash));
  const candidates = [...compiled.workloads, ...serving.filter(({ hash }) => !wanted.has(hash))];
  return candidates.filter(
    ({ address, hash }) => trials[address]?.hash === hash || canaries.get(address)?.hash === hash,
  );
}

/** Those whose time is over; the trials of a group that began with one commit end together. */
export function trialsOver(
  {
    applied: { trials },
    watch,
  }: { readonly applied: { readonly trials: Readonly<Record<string, Trial>> }; readonly watch: Watch },
  watched: readonly Workload[],
): Workload[] {
  const onTrial = watched.filter(({ address, hash }) => trials[address]?.hash === hash);
  const hasEnded = (workload: Workload): boolean => watch.isOver(workload.address, workload);
  const isTogether = (a: Workload, b: Workload): boolean =>
    a.group !== undefined && a.group === b.group && trials[a.address]?.commit === trials[b.address]?.commit;
  return onTrial.filter((one) => hasEnded(one) && onTrial.every((other) => !isTogether(one, other) || hasEnded(other)));
}

interface Surroundings {
  readonly compiled: { readonly workloads: readonly Workload[] };
  readonly applied: {
    readonly trials: Readonly<Record<string, Trial>>;
    readonly good: Readonly<Record<string, Workload>>;
  };
  readonly served: ReadonlyMap<string, { readonly readiness: { readonly hash: string } }>;
  readonly canaries: Canaries;
}

/** Whether the step of a canary has lasted as long as it should. */
export function isStepOver({ address, hash, rollout }: Workload, canaries: Canaries): boolean {
  const stage = canaries.get(address);
  return stage?.hash === hash && isOver(rollout.canary, stage, performance.now());
}

const withoutStop = (text: string): string => text.replace(/\.$/, '');

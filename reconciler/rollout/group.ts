/** Versions that belong together return together: what one that fails changed with goes back, too. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Workload } from '../workload.ts';
import type { ApplyContext, Outcome } from './context.ts';

/** A member of a group that has to go back, and for whose fault. */
export interface Return {
  readonly workload: Workload;
  readonly culprit: Workload;
  readonly why: SlipwayError;
}

const CHANGED: ReadonlySet<Outcome['result']> = new Set(['replaced', 'progressing']);
/** It was this version's fault, and found out just now. What may heal by itself is no verdict. */
const isVerdict = ({ error, result }: Outcome): boolean =>
  error !== undefined && error.row.next === 'fix' && (result === 'failed' || result === 'rolledBack');

/** Pure. @param outcomes of all workloads of a pass */
export function returnsIn(outcomes: readonly Outcome[], context: Pick<ApplyContext, 'desired' | 'trials'>): Return[] {
  const { workloads, commit } = context.desired;
  const byAddress = new Map(workloads.map((workload) => [workload.address, workload]));
  const results = new Map(outcomes.map((outcome) => [outcome.address, outcome]));
  const trials = context.trials();
  const bad = outcomes.flatMap((outcome) => {
    const workload = byAddress.get(outcome.address);
    return workload?.group !== undefined && isVerdict(outcome) ? [{ workload, outcome }] : [];
  });
  return workloads.flatMap((workload): Return[] => {
    const { address, group, hash } = workload;
    const outcome = results.get(address);
    if (group === undefined || !outcome || outcome.error) return [];
    const fault = bad.find((one) => {
      if (one.workload.group !== group) return false;
      const trial = trials[one.workload.address];
      // Of a version on trial, the commit that brought it; of one that never served, this one.
      const since = trial?.hash === one.workload.hash ? trial.commit : commit;
      const own = trials[address];
      return (own?.hash === hash && own.commit === since) || (since === commit && CHANGED.has(outcome.result));
    });
    if (!fault?.outcome.error) return [];
    const message = `${fault.workload.address}, of its rollout group ${group}, failed: ${fault.outcome.error.message}`;
    return [{ workload, culprit: fault.workload, why: new SlipwayError('rolled-back', message) }];
  });
}

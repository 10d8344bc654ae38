/** A plan without a running reconciler: the same load, compile and plan, and nothing more. No secret is opened. */
import type { Plan } from '../schemas/plan.ts';
import type { Issue } from '../schemas/resource.ts';
import { compile, type Desired } from './compile.ts';
import type { Instance } from './drivers/driver.ts';
import type { Permit } from './guards.ts';
import { load } from './load.ts';
import type { ParseCache } from './parse-cache.ts';
import { plan, type Actual } from './plan.ts';
import type { Revision, Source } from './source/source.ts';
import { permitOf } from './trust/permit.ts';
import { instanceNames } from './workload.ts';

export interface Preview {
  readonly revision: Revision;
  readonly desired: Desired;
  /** Empty if the commit is valid; there is a plan only then. */
  readonly issues: readonly Issue[];
  readonly plan?: Plan;
  /** What the commit's message lets pass. */
  readonly permit?: Permit | undefined;
}

export async function preview(
  source: Source,
  actual: Actual,
  cache: ParseCache,
  signal: AbortSignal,
): Promise<Preview> {
  const revision = await source.fetch(signal);
  const { issues, ...desired } = await load(source, revision.id, cache, signal);
  if (issues.length > 0) return { revision, desired, issues };
  const permit = await permitOf(source, revision.id, signal);
  return { revision, desired, issues, permit, plan: plan(compile(desired), actual, permit, new Date()) };
}

/** The world as it would be if a commit had been applied and everything had worked. */
export function asIfRunning(desired: Desired): Actual {
  const instances = compile(desired).workloads.flatMap((workload) =>
    instanceNames(workload).map((id, index): Instance => {
      const endpoint = { id, transport: workload.run.transport, address: '' };
      return { id, address: workload.address, hash: workload.hash, index, state: 'running', endpoint, restarts: 0 };
    }),
  );
  return { applied: desired, instances, failures: {} };
}

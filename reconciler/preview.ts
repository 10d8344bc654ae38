/** A plan without a running reconciler: the same load, compile and plan, and nothing more. No secret is opened. */
import type { ContextOf } from '../schemas/context.ts';
import type { Plan } from '../schemas/plan.ts';
import type { Issue } from '../schemas/resource.ts';
import { compile, type Desired, type Floor } from './compile.ts';
import type { Instance } from './drivers/driver.ts';
import type { Permit } from './guards.ts';
import { load } from './load.ts';
import type { ParseCache } from './parse-cache.ts';
import { withContext } from './pins/context.ts';
import { planned, type Actual } from './plan.ts';
import type { Revision, Source } from './source/source.ts';
import { rulesFor, withFloor } from './trust/floor.ts';
import { judge, type Judgement } from './trust/judge.ts';
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

export interface PreviewOptions {
  /** Absent: the one that what is there now stands on. */
  readonly floor?: Floor | undefined;
  /** True for what nobody has signed yet, such as the result of a merge to come. */
  readonly isUnsigned?: boolean;
  /** Absent: nobody wants to know. */
  readonly contextOf?: ContextOf | undefined;
}

/** @throws SlipwayError what the source does; untrusted for a commit that would not be accepted */
export async function preview(
  source: Source,
  actual: Actual,
  cache: ParseCache,
  signal: AbortSignal,
  options: PreviewOptions = {},
): Promise<Preview> {
  const revision = await source.fetch(signal);
  const floor = options.floor ?? actual.applied.floor;
  const { permit, warnings = [] } = options.isUnsigned
    ? { permit: await permitOf(source, revision.id, signal) }
    : await judged(source, revision, rulesFor(floor, actual.applied.resources, actual.accepted), signal);
  const { issues, ...desired } = withFloor(await load(source, revision.id, cache, signal), floor);
  if (issues.length > 0) return { revision, desired, issues };
  const after = compile(desired);
  return {
    revision,
    desired,
    issues,
    permit,
    plan: {
      ...(await withContext(planned(after, actual, permit, new Date()), after, actual, options.contextOf)),
      ...(warnings.length > 0 ? { warnings: [...warnings] } : {}),
    },
  };
}

/** A working tree is shown as it stands: there is nothing yet that could be signed. */
async function judged(
  source: Source,
  { id: commit }: Revision,
  rules: ReturnType<typeof rulesFor>,
  signal: AbortSignal,
): Promise<Judgement> {
  if (!source.repository) return { warnings: [] };
  return judge({ source, commit, ...rules }, signal);
}

/** The plan of one commit against another, as if that one ran. */
export function planBetween(
  before: Desired,
  after: Desired,
  { permit, contextOf }: { readonly permit?: Permit | undefined; readonly contextOf?: ContextOf | undefined } = {},
): Promise<Plan> {
  const [there, wanted] = [asIfRunning(before), compile(after)];
  return withContext(planned(wanted, there, permit), wanted, there, contextOf);
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

/** The plan of one commit against another, as if that one ran: for `diff`, and for any CI. */
import { memoryParseCache, NOTHING, planBetween, preview, readFloor, type Preview } from '../reconciler/index.ts';
import { exitCodeOf } from '../schemas/plan.ts';
import type { Options } from './command.ts';
import { contextOf } from './context.ts';
import type { Io } from './io.ts';
import { floorOf } from './place.ts';
import { printNoPlan, printPlan } from './print/plan.ts';
import { withSource } from './with-source.ts';

/** @param head absent: what the source says without a ref @returns the exit code, as of `plan` */
export async function compareCommits(
  base: string,
  head: string | undefined,
  options: Options,
  io: Io,
): Promise<number> {
  const before = await previewOf(base, options, io);
  const after = await previewOf(head, options, io);
  const issues = [...before.issues, ...after.issues];
  if (issues.length > 0) {
    printNoPlan(issues, options['output'], io);
    return 1;
  }
  const difference = await planBetween(before.desired, after.desired, { permit: after.permit, contextOf });
  printPlan(difference, options['output'], io);
  return exitCodeOf(difference);
}

function previewOf(ref: string | undefined, options: Options, io: Io): Promise<Preview> {
  return withSource({ ...options, ref }, io, async (source) =>
    preview(source, { applied: NOTHING, instances: [], failures: {} }, memoryParseCache(), io.signal, {
      floor: await readFloor(floorOf(options, io)),
      // What a merge would give is signed by nobody yet.
      isUnsigned: true,
    }),
  );
}

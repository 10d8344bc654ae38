/** Which files a commit itself changes. */
import { git } from '../source/git-command.ts';
import type { Place, SignedCommit } from './commits.ts';

/**
 * Paths from the top of the repo. Of a merge, those that it does not take over as both sides together have them: one that
 * quietly keeps the older version of a file undoes what somebody else was allowed to change.
 */
export async function touchedBy(
  { dir, env = {} }: Place,
  commit: SignedCommit,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const run = (args: readonly string[]): Promise<string> => git(args, { cwd: dir, env, signal });
  const differing = async (from: string, to: string): Promise<ReadonlySet<string>> =>
    new Set(split(await run(['diff-tree', '-r', '-z', '--no-renames', '--name-only', from, to])));
  const { id, parents } = commit;
  const [first, second] = parents;
  if (first === undefined) return new Set(split(await run(['ls-tree', '-r', '-z', '--name-only', '--full-tree', id])));
  const fromFirst = await differing(first, id);
  if (second === undefined) return fromFirst;
  const bases = (await run(['merge-base', '--all', first, second]).catch(() => '')).split('\n').filter(Boolean);
  signal.throwIfAborted();
  const fromOthers = await Promise.all(parents.slice(1).map((parent) => differing(parent, id)));
  const [base] = bases;
  // Without one common past there is nothing to compare with: whatever differs from any side counts.
  if (base === undefined || bases.length > 1 || parents.length > 2)
    return new Set([fromFirst, ...fromOthers].flatMap((one) => [...one]));
  const [fromSecond = new Set<string>()] = fromOthers;
  const [changedFirst, changedSecond] = [await differing(base, first), await differing(base, second)];
  const touched = new Set<string>();
  // As the second side has it: fine if only that side changed it; and the other way round.
  for (const path of fromFirst) if (fromSecond.has(path) || changedFirst.has(path)) touched.add(path);
  for (const path of fromSecond) if (fromFirst.has(path) || changedSecond.has(path)) touched.add(path);
  return touched;
}

const split = (output: string): string[] => output.split('\0').filter(Boolean);

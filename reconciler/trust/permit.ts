/** What a commit's own message lets pass: `Slipway-Allow: mass-delete`. */
import { isPassable, type Permit } from '../guards.ts';
import { git } from '../source/git-command.ts';
import { envOf } from '../source/objects.ts';
import type { Source } from '../source/source.ts';

/** A trailer of the commit that is to be applied, and of no other: those below it had their turn. */
export async function permitOf(
  { repository }: Pick<Source, 'repository'>,
  commit: string,
  signal: AbortSignal,
): Promise<Permit | undefined> {
  if (!repository) return undefined;
  const format = '--format=%(trailers:key=Slipway-Allow,valueonly,separator=%x2C)';
  const output = await git(['log', '-1', '--no-show-signature', format, commit], {
    cwd: repository.dir,
    signal,
    ...envOf(repository),
  });
  const guards = output.split(/[\s,]+/).filter(isPassable);
  return guards.length === 0 ? undefined : { guards, by: `Slipway-Allow in commit ${commit.slice(0, 8)}` };
}

/** Takes older backups off their branch. The others are committed anew, as they were: a commit's id has its past in it. */
import { git } from '../source/git-command.ts';
import { localRef, type Place } from '../record/branch.ts';
import { backupsOn } from './history.ts';

/** @returns how many went @throws SlipwayError where the remote does not take it; then nothing is lost, there or here */
export async function thin({ mirror, remote, branch }: Place, keep: number, signal: AbortSignal): Promise<number> {
  const local = localRef(branch);
  const all = await backupsOn(mirror, local, signal);
  if (all.length <= keep) return 0;
  const [tip] = all;
  let parent: string | undefined;
  for (const { commit, at } of all.slice(0, keep).toReversed()) {
    const message = await git(['log', '-1', '--format=%B', commit], { cwd: mirror, signal });
    const dates = { GIT_AUTHOR_DATE: at, GIT_COMMITTER_DATE: at };
    const who = { GIT_AUTHOR_NAME: 'slipway', GIT_AUTHOR_EMAIL: 'slipway@localhost' };
    const args = ['commit-tree', `${commit}^{tree}`, ...(parent === undefined ? [] : ['-p', parent])];
    const env = { ...who, GIT_COMMITTER_NAME: 'slipway', GIT_COMMITTER_EMAIL: 'slipway@localhost', ...dates };
    parent = (await git(args, { cwd: mirror, signal, env, input: `${message.trim()}\n` })).trim();
  }
  // A lease: whatever somebody else put there meanwhile stays.
  if (remote !== mirror)
    await git(
      [
        'push',
        '--quiet',
        `--force-with-lease=refs/heads/${branch}:${tip?.commit}`,
        '--',
        remote,
        `${parent}:refs/heads/${branch}`,
      ],
      { cwd: mirror, signal },
    );
  else await git(['update-ref', `refs/heads/${branch}`, parent ?? ''], { cwd: mirror, signal });
  await git(['update-ref', local, parent ?? ''], { cwd: mirror, signal });
  return all.length - keep;
}

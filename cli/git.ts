/** Commits in somebody's working tree. */
import { simpleGit } from 'simple-git';

/**
 * Commits the given paths and nothing else, whatever else is staged or changed.
 * @param paths below `folder`; `.` for all there is
 */
export async function commitPaths(folder: string, paths: readonly string[], message: string): Promise<void> {
  const git = simpleGit(folder);
  // Names are names: one that begins with a colon is no pattern.
  const literally = '--literal-pathspecs';
  await git.raw([literally, 'add', '--all', '--', ...paths]);
  // Somebody who never told git their name still gets a commit.
  const { value } = await git.getConfig('user.email');
  const identity = value === null ? ['-c', 'user.name=slipway', '-c', 'user.email=slipway@localhost'] : [];
  await git.raw([literally, ...identity, 'commit', '--quiet', '--message', message, '--only', '--', ...paths]);
}

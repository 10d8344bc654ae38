/** Which events concern the config that is followed. Pure. */
import type { Source } from '../source/source.ts';
import type { HookEvent } from './forges/forge.ts';

/** Branches that Slipway writes to itself: what it pushes there must not start it again. */
const OWN = 'refs/heads/slipway/';

/** @returns why it does not concern us; undefined where it does */
export function unconcerned(event: HookEvent, source: Source, repository: string | undefined): string | undefined {
  const { repository: from, defaultBranch } = event;
  if (repository !== undefined && from !== '' && from.toLowerCase() !== repository.toLowerCase())
    return 'it is about another repository';
  if (event.type === 'request')
    return follows(source.ref, `refs/heads/${event.into}`, defaultBranch)
      ? undefined
      : 'it goes into a branch that nobody follows';
  if (event.ref.startsWith(OWN)) return 'it is Slipway’s own branch';
  return follows(source.ref, event.ref, defaultBranch) ? undefined : 'nobody follows this ref';
}

/** @param followed as `--ref` has it: a branch, a tag, a whole ref, a commit; absent: the remote's HEAD */
function follows(followed: string | undefined, ref: string, defaultBranch: string | undefined): boolean {
  if (followed === undefined) return defaultBranch === undefined || ref === `refs/heads/${defaultBranch}`;
  return followed.startsWith('refs/')
    ? ref === followed
    : ref === `refs/heads/${followed}` || ref === `refs/tags/${followed}`;
}

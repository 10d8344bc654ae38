/** What is to be said of a workspace. Pure. */
import { reasonOf } from '../../schemas/errors.ts';
import type { Condition, WorkspaceStatus } from '../../schemas/status.ts';
import { withoutCredentials } from '../source/git-command.ts';
import type { WorkspaceFacts } from './spec.ts';

type Draft = Omit<Condition, 'lastTransitionTime' | 'observedCommit'>;

/** One with a tree goes on being read while it cannot be looked at anew: that is told, and is no reason not to be ready. */
export function workspaceConditions({ tree, error, spec }: WorkspaceFacts): Draft[] {
  const { type, message } = { type: 'Ready', message: error?.message ?? '' } as const;
  // A folder that is gone can be read by nobody; of a repository, the tree before is still there.
  const isThere = tree !== undefined && !(error && spec.from.type === 'path');
  if (error && !isThere) return [{ type, status: 'False', reason: reasonOf(error.code), message }];
  if (!tree)
    return [
      { type, status: 'Unknown', reason: 'Progressing', message: 'it is fetched' },
      { type: 'Reconciling', status: 'True', reason: 'Progressing', message: 'it is fetched' },
    ];
  const ready: Draft = { type, status: 'True', reason: 'Succeeded', message: `${tree.files} files` };
  if (!error) return [ready];
  const late = `${message} What is there is of before.`;
  return [ready, { type: 'Reconciling', status: 'True', reason: reasonOf(error.code), message: late }];
}

export function workspaceStatus({
  spec,
  tree,
  syncedAt,
  path,
  error,
}: WorkspaceFacts): Omit<WorkspaceStatus, 'conditions'> {
  const { name, address, from } = spec;
  return {
    name,
    address,
    source: from.type === 'path' ? from.path : withoutCredentials(from.url),
    ...(from.type === 'git' && from.ref !== undefined ? { ref: from.ref } : {}),
    ...(tree ? { path, files: tree.files, bytes: tree.bytes, skipped: { ...tree.skipped } } : {}),
    ...(tree?.commit === undefined ? {} : { commit: tree.commit }),
    ...(syncedAt === undefined ? {} : { syncedAt }),
    ...(error ? { error: error.message } : {}),
  };
}

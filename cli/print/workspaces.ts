/** Workspaces, and how each stands. */
import { conditionOf, type WorkspaceStatus } from '../../schemas/status.ts';
import { bytesText } from './size.ts';
import { age, type Table } from './table.ts';

const HEAD = ['name', 'ready', 'commit', 'age', 'files', 'size', 'source', 'error'];

export function workspaceTable(all: readonly WorkspaceStatus[]): Table {
  return { head: HEAD, rows: all.map(workspaceRow) };
}

function workspaceRow(workspace: WorkspaceStatus): string[] {
  const { name, commit, syncedAt, files, bytes, source, ref, error } = workspace;
  return [
    name,
    conditionOf(workspace, 'Ready')?.status ?? 'Unknown',
    commit?.slice(0, 12) ?? '-',
    age(syncedAt),
    files === undefined ? '-' : String(files),
    bytesText(bytes),
    ref === undefined ? source : `${source}@${ref}`,
    error ?? '-',
  ];
}

/** For `describe`. */
export function workspaceSection({ path, skipped = {}, ...workspace }: WorkspaceStatus): string {
  const { commit, syncedAt, files = 0, bytes, conditions, error } = workspace;
  const out = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  return [
    ...conditions.map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`),
    ...(path === undefined ? [] : [`files at ${path}`]),
    ...(commit === undefined ? [] : [`commit ${commit}`]),
    ...(syncedAt === undefined ? [] : [`as it should be ${age(syncedAt)} ago: ${files} files, ${bytesText(bytes)}`]),
    ...(out.length === 0 ? [] : [`left out: ${out.join(', ')}`]),
    ...(error === undefined ? [] : [`error: ${error}`]),
  ].join('\n');
}

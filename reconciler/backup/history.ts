/** The backups on a branch, newest first. */
import { git, gitStream } from '../source/git-command.ts';
import { MANIFEST, type Manifest } from './contents.ts';

export interface BackupCommit {
  readonly name: string;
  readonly commit: string;
  /** ISO 8601. */
  readonly at: string;
  /** The commit of the config that it is of. */
  readonly of: string;
  readonly subject: string;
  readonly digest: string;
}

const FIELDS = [
  '%H',
  '%cI',
  '%s',
  ...['Backup', 'Commit', 'Digest'].map((key) => `%(trailers:key=Slipway-${key},valueonly,separator=)`),
];

/** @param cwd a repository that has `ref`; commits of others on the branch are left out @throws SlipwayError ref-not-found */
export async function backupsOn(cwd: string, ref: string, signal: AbortSignal): Promise<BackupCommit[]> {
  const log = await git(['log', `--format=${FIELDS.join('%x00')}`, ref, '--'], { cwd, signal });
  return log.split('\n').flatMap((line): BackupCommit[] => {
    const [commit = '', at = '', subject = '', name = '', of = '', digest = ''] = line.split('\0');
    return name === '' ? [] : [{ name, commit, at, of, subject, digest }];
  });
}

export async function manifestOf(cwd: string, commit: string, signal: AbortSignal): Promise<Manifest> {
  return JSON.parse(await git(['cat-file', 'blob', `${commit}:${MANIFEST}`], { cwd, signal })) as Manifest;
}

/** Every file of a backup but its own list, by path. */
export async function filesOfCommit(
  cwd: string,
  commit: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, { readonly content: Buffer; readonly executable: boolean }>> {
  const listing = await git(['ls-tree', '-r', '-z', commit], { cwd, signal });
  const entries = listing.split('\0').flatMap((line) => {
    const [, mode = '', id = '', path = ''] = /^(\d+) blob ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
    return path === '' || path === MANIFEST ? [] : [{ mode, id, path }];
  });
  const files = new Map<string, { content: Buffer; executable: boolean }>();
  for (const { mode, id, path } of entries)
    files.set(path, {
      content: await gitStream(['cat-file', 'blob', id], { cwd, signal }),
      executable: mode === '100755',
    });
  return files;
}

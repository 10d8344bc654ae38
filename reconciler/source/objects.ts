/** Files of a commit, read from a bare repository by object id: no working tree, and nothing of the commit is run. */
import { SlipwayError } from '../../schemas/errors.ts';
import { git, gitStream } from './git-command.ts';
import { COMMIT_ID } from './refs.ts';
import { isVisible, type Repository, type Revision, type Source, type SourceFile } from './source.ts';

export interface Where extends Repository {
  /** Called when an object is missing that must be there. */
  readonly onLost?: () => Promise<void>;
}

/** `./prod/` → `prod`; `''` for all of the repo. */
export const plainPath = (path = ''): string => path.replace(/^\.?\/+|\/+$/g, '').replace(/^\.$/, '');

export const LOG = ['log', '-1', '--no-show-signature', '--format=%H%x00%an <%ae>%x00%s%x00%cI'];

export function revisionIn(output: string): Revision {
  const [id = '', author = '', subject = '', at = ''] = output.trimEnd().split('\0');
  return { id, author, subject, at };
}

export function readingFrom(where: Where): Required<Pick<Source, 'files' | 'read' | 'lastChange'>> {
  const { dir, path } = where;
  return {
    async files(revision, signal) {
      const listing = await git(
        ['ls-tree', '-r', '-z', '-l', '--full-tree', revision, ...(path ? ['--', `${path}/`] : [])],
        { cwd: dir, signal, ...envOf(where) },
      );
      if (/(^|\0)\d+ blob [0-9a-f]+ +BAD\t/.test(listing)) throw await lost(where, `a file of ${path || 'the config'}`);
      const files = parseTree(listing, path);
      if (path !== '' && files.length === 0)
        throw new SlipwayError('path-not-found', `There is no folder ${path} in commit ${revision.slice(0, 8)}.`);
      return files.filter((file) => isVisible(file.path));
    },
    read: (_revision, files, signal) => readBlobs(where, files, signal),
    async lastChange(revision, file, { first, last }, signal) {
      if (!COMMIT_ID.test(revision)) return undefined;
      const lines = `-L${first},${last ?? ''}:${path === '' ? '' : `${path}/`}${file}`;
      const output = await git([...LOG, '-s', lines, revision], { cwd: dir, signal, ...envOf(where) });
      return output === '' ? undefined : revisionIn(output);
    },
  };
}

/** One commit of a repository on this disk, which stays what it is. @param commit its full id */
export function commitSource(where: Where, commit: string): Source {
  return {
    description: where.dir,
    repository: where,
    probe: async () => commit,
    fetch: async (signal) => revisionIn(await git([...LOG, commit], { cwd: where.dir, signal, ...envOf(where) })),
    ...readingFrom(where),
    async [Symbol.asyncDispose]() {},
  };
}

/** For whoever asks git about such a repository. */
export const envOf = ({ env }: Repository): { env?: Readonly<Record<string, string>> } => (env ? { env } : {});

/** `<mode> <type> <id> <size>\t<path>` records, ended by NUL. */
function parseTree(listing: string, path: string): SourceFile[] {
  const prefix = path === '' ? '' : `${path}/`;
  return listing.split('\0').flatMap((record): SourceFile[] => {
    const match = /^(\d+) (blob|commit) ([0-9a-f]+) +(\d+|-)\t(.*)$/s.exec(record);
    if (!match) return [];
    const [, mode = '', object, id = '', size = '', name = ''] = match;
    const relative = name.slice(prefix.length);
    // A submodule is not config, but it may stand where config was.
    if (object === 'commit') return [{ path: `${relative}/`, id, bytes: 0, type: 'opaque' }];
    const type = mode === '120000' ? 'symlink' : mode === '100755' ? 'executable' : 'file';
    return [{ path: relative, id, bytes: Number(size), type }];
  });
}

/** A mirror is made anew by the next fetch. What it does not have must never look like what the config does not say. */
async function lost({ onLost }: Where, what: string): Promise<SlipwayError> {
  await onLost?.();
  return new SlipwayError('source-unreachable', `The mirror lost an object of ${what}; it is fetched again.`);
}

/** One `cat-file --batch` for all of them: 0.02 ms a blob against 5 ms for a process each. */
async function readBlobs(where: Where, files: readonly SourceFile[], signal: AbortSignal): Promise<Buffer[]> {
  if (files.length === 0) return [];
  const output = await gitStream(['cat-file', '--batch'], {
    cwd: where.dir,
    signal,
    ...envOf(where),
    input: files.map((file) => `${file.id}\n`).join(''),
  });
  const blobs: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const end = output.indexOf(0x0a, offset);
    const match = /^[0-9a-f]+ blob (\d+)$/.exec(output.toString('latin1', offset, end));
    if (!match) throw await lost(where, file.path);
    const start = end + 1;
    blobs.push(output.subarray(start, start + Number(match[1])));
    offset = start + Number(match[1]) + 1;
  }
  return blobs;
}

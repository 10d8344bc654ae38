/**
 * A config repo, read through a bare mirror: a probe costs one `ls-remote`, a new commit one incremental fetch, and files
 * are read by object id without a working tree. The mirror is a cache: whatever is wrong with it, it is made anew.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Log } from '../../schemas/log.ts';
import { git, gitStream, withoutCredentials } from './git-command.ts';
import { isVisible, type Revision, type Source, type SourceFile } from './source.ts';

export interface GitSourceOptions {
  /** Anything that git can fetch: a path, file://, http(s)://, ssh. */
  readonly url: string;
  /** Branch, tag or full commit id. Default: the remote's HEAD. */
  readonly ref?: string;
  /** Folder of the repo that holds the config; `''` for all of it. */
  readonly path?: string;
  /** Directory of the bare mirror. */
  readonly mirror: string;
  readonly log?: Log;
}

const HEAD_REF = 'refs/slipway/head';
/** A first clone of a large repo over a slow line takes its time; a silent one is given up sooner by git itself. */
const FETCH_TIMEOUT_MS = 1_800_000;
const COMMIT_ID = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

export function gitSource(options: GitSourceOptions): Source {
  const { url, mirror } = options;
  if (url.startsWith('-')) throw new SlipwayError('source-unreachable', 'A repository URL cannot start with -.'); // Argument injection.
  const path = (options.path ?? '').replace(/^\.?\/+|\/+$/g, '').replace(/^\.$/, '');

  const probe = async (signal: AbortSignal): Promise<string> => (await resolveRef(url, options.ref, signal)).id;

  const fetchInto = async (signal: AbortSignal): Promise<Revision> => {
    const { ref } = await resolveRef(url, options.ref, signal);
    if (!existsSync(mirror)) {
      options.log?.('info', `cloning ${withoutCredentials(url)}`);
      await git(['init', '--quiet', '--bare', mirror], { signal });
    }
    // `+`: a force-push is followed. Only this ref, no tags: other branches are nobody's business here.
    await git(
      ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-gc', '--', url, `+${ref}:${HEAD_REF}`],
      { cwd: mirror, signal, timeoutMs: FETCH_TIMEOUT_MS },
    );
    return describe(mirror, signal);
  };

  return {
    description: withoutCredentials(url),
    remote: url,
    repository: { dir: mirror, path },
    probe,
    async fetch(signal) {
      try {
        return await fetchInto(signal);
      } catch (error) {
        const locked = /\.lock': File exists/.test((error as Error).message); // Left by a git that was killed with us.
        if (!existsSync(mirror) || !(locked || (await isCorrupt(mirror, signal)))) throw error;
        await rm(mirror, { recursive: true, force: true });
        return fetchInto(signal);
      }
    },
    async files(revision, signal) {
      const listing = await git(
        ['ls-tree', '-r', '-z', '-l', '--full-tree', revision, ...(path ? ['--', `${path}/`] : [])],
        { cwd: mirror, signal },
      );
      if (/(^|\0)\d+ blob [0-9a-f]+ +BAD\t/.test(listing))
        throw await lost(mirror, `a file of ${path || 'the config'}`);
      const files = parseTree(listing, path);
      if (path !== '' && files.length === 0)
        throw new SlipwayError('path-not-found', `There is no folder ${path} in commit ${revision.slice(0, 8)}.`);
      return files.filter((file) => isVisible(file.path));
    },
    read: (_revision, files, signal) => readBlobs(mirror, files, signal),
    async lastChange(revision, file, { first, last }, signal) {
      if (!COMMIT_ID.test(revision)) return undefined;
      const where = `-L${first},${last ?? ''}:${path === '' ? '' : `${path}/`}${file}`;
      const output = await git([...LOG, '-s', where, revision], { cwd: mirror, signal });
      return output === '' ? undefined : revisionIn(output);
    },
    async [Symbol.asyncDispose]() {},
  };
}

interface Resolved {
  readonly id: string;
  /** What to fetch. */
  readonly ref: string;
}

/** One round trip to the remote, no objects. */
async function resolveRef(url: string, ref: string | undefined, signal: AbortSignal): Promise<Resolved> {
  if (ref !== undefined && COMMIT_ID.test(ref)) return { id: ref, ref };
  const wanted = ref ?? 'HEAD';
  const candidates =
    ref === undefined ? ['HEAD'] : ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
  const output = await git(['ls-remote', '--quiet', '--', url, ...candidates.flatMap((name) => [name, `${name}^{}`])], {
    signal,
  });
  const found = new Map(
    output
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t') as [string, string])
      .map(([id, name]) => [name, id]),
  );
  for (const name of candidates) {
    // An annotated tag points to a tag object; `^{}` is the commit behind it.
    const id = found.get(`${name}^{}`) ?? found.get(name);
    if (id !== undefined) return { id, ref: name };
  }
  const empty = ref === undefined ? 'The repository is empty.' : `There is no branch or tag ${wanted}.`;
  throw new SlipwayError('ref-not-found', empty);
}

/** What was fetched, which may be newer than what the remote named a moment before. */
async function describe(mirror: string, signal: AbortSignal): Promise<Revision> {
  return revisionIn(await git([...LOG, HEAD_REF], { cwd: mirror, signal }));
}

const LOG = ['log', '-1', '--no-show-signature', '--format=%H%x00%an <%ae>%x00%s%x00%cI'];

function revisionIn(output: string): Revision {
  const [id = '', author = '', subject = '', at = ''] = output.trimEnd().split('\0');
  return { id, author, subject, at };
}

/** A mirror is corrupt when git cannot walk what it claims to have. */
async function isCorrupt(mirror: string, signal: AbortSignal): Promise<boolean> {
  try {
    await git(['rev-parse', '--git-dir'], { cwd: mirror, signal });
    await git(['fsck', '--connectivity-only', '--no-dangling', '--no-progress'], { cwd: mirror, signal });
    return false;
  } catch {
    return !signal.aborted;
  }
}

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

/** The mirror is made anew by the next fetch. What it does not have must never look like what the config does not say. */
async function lost(mirror: string, what: string): Promise<SlipwayError> {
  await rm(mirror, { recursive: true, force: true });
  return new SlipwayError('source-unreachable', `The mirror lost an object of ${what}; it is fetched again.`);
}

/** One `cat-file --batch` for all of them: 0.02 ms a blob against 5 ms for a process each. */
async function readBlobs(mirror: string, files: readonly SourceFile[], signal: AbortSignal): Promise<Buffer[]> {
  if (files.length === 0) return [];
  const output = await gitStream(['cat-file', '--batch'], {
    cwd: mirror,
    signal,
    input: files.map((file) => `${file.id}\n`).join(''),
  });
  const blobs: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const end = output.indexOf(0x0a, offset);
    const match = /^[0-9a-f]+ blob (\d+)$/.exec(output.toString('latin1', offset, end));
    if (!match) throw await lost(mirror, file.path);
    const start = end + 1;
    blobs.push(output.subarray(start, start + Number(match[1])));
    offset = start + Number(match[1]) + 1;
  }
  return blobs;
}

/**
 * The full id of what people call a commit (`HEAD~1`, a short id, `origin/main`) in a repository on this disk.
 * @returns undefined if git does not know it
 */
export async function resolveCommit(
  repository: string,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const args = ['-C', repository, 'rev-parse', '--quiet', '--verify', '--end-of-options', `${name}^{commit}`];
  const id = await git(args, { signal }).catch(() => undefined);
  signal.throwIfAborted();
  return id?.trim();
}

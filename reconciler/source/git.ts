/**
 * A config repo, read through a bare mirror: a probe costs one `ls-remote`, a new commit one incremental fetch, and files
 * are read by object id without a working tree. The mirror is a cache: whatever is wrong with it, it is made anew.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Log } from '../../schemas/log.ts';
import { limiter, untilAborted } from '../async.ts';
import { git, withoutCredentials } from './git-command.ts';
import { mergedIn } from './merge.ts';
import { LOG, plainPath, readingFrom, revisionIn } from './objects.ts';
import { resolveRef } from './refs.ts';
import type { Revision, Source } from './source.ts';

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

export function gitSource(options: GitSourceOptions): Source {
  const { url, mirror } = options;
  if (url.startsWith('-')) throw new SlipwayError('source-unreachable', 'A repository URL cannot start with -.'); // Argument injection.
  const path = plainPath(options.path);

  // Two at a time would move the same ref from under each other, and take each other's lock for one that was left behind.
  const inTurn = limiter(1);

  const probe = async (signal: AbortSignal): Promise<string> => (await resolveRef(url, options.ref, signal)).id;

  const fetchInto = async (signal: AbortSignal): Promise<Revision> => {
    const { ref } = await resolveRef(url, options.ref, signal);
    if (!existsSync(mirror)) {
      options.log?.('info', `cloning ${withoutCredentials(url)}`);
      await git(['init', '--quiet', '--bare', mirror], { signal });
    }
    // `+`: a force-push is followed. Only this ref, no tags: other branches are nobody's business here.
    await git(
      // A clone that CI made is shallow, as a rule: without the option its refs do not come, and git says nothing of it.
      [
        'fetch',
        '--quiet',
        '--no-tags',
        '--no-write-fetch-head',
        '--no-auto-gc',
        '--update-shallow',
        '--',
        url,
        `+${ref}:${HEAD_REF}`,
      ],
      { cwd: mirror, signal, timeoutMs: FETCH_TIMEOUT_MS },
    );
    return describe(mirror, signal);
  };

  const fetchOrHeal = async (signal: AbortSignal): Promise<Revision> => {
    signal.throwIfAborted();
    try {
      return await fetchInto(signal);
    } catch (error) {
      const locked = /\.lock': File exists/.test((error as Error).message); // Left by a git that was killed with us.
      if (!existsSync(mirror) || !(locked || (await isCorrupt(mirror, signal)))) throw error;
      await rm(mirror, { recursive: true, force: true });
      return fetchInto(signal);
    }
  };

  return {
    description: withoutCredentials(url),
    remote: url,
    repository: { dir: mirror, path, follows: [withoutCredentials(url), options.ref ?? 'HEAD', path].join(' ') },
    ...(options.ref === undefined ? {} : { ref: options.ref }),
    probe,
    fetch: (signal) =>
      untilAborted(
        inTurn(() => fetchOrHeal(signal)),
        signal,
      ),
    ...readingFrom({ dir: mirror, path, onLost: () => rm(mirror, { recursive: true, force: true }) }),
    merged: (request, signal) => mergedIn({ ...request, url, ref: options.ref, mirror, path }, signal),
    async [Symbol.asyncDispose]() {},
  };
}

/** What was fetched, which may be newer than what the remote named a moment before. */
async function describe(mirror: string, signal: AbortSignal): Promise<Revision> {
  return revisionIn(await git([...LOG, HEAD_REF], { cwd: mirror, signal }));
}

/** A mirror is corrupt when git cannot walk what it claims to have. */
/** Whether a mirror is of no use any more. */
export async function isCorrupt(mirror: string, signal: AbortSignal): Promise<boolean> {
  try {
    await git(['rev-parse', '--git-dir'], { cwd: mirror, signal });
    await git(['fsck', '--connectivity-only', '--no-dangling', '--no-progress'], { cwd: mirror, signal });
    return false;
  } catch {
    return !signal.aborted;
  }
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

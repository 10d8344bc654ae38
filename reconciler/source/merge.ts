/**
 * What merging a request would make, as a commit that exists nowhere else: built from objects, nothing is checked out, and no
 * program runs that the request could name. What strangers push is fetched into a repository of its own, which borrows the
 * mirror's objects and can be thrown away: nobody fills up or breaks the mirror that the live system is read from.
 */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { git, gitAnswer } from './git-command.ts';
import { headBranch } from './commit.ts';
import { commitSource } from './objects.ts';
import { resolveRef } from './refs.ts';
import type { Merged, RequestRefs } from './source.ts';

export interface MergeOptions extends RequestRefs {
  readonly url: string;
  /** What is followed; it is merged into. */
  readonly ref: string | undefined;
  readonly mirror: string;
  readonly path: string;
  /** What strangers may leave behind before it is thrown away (KiB). */
  readonly maxKib?: number;
}

const BASE = 'refs/slipway/base';
const HEAD = 'refs/slipway/head';
/** A request is small, or else it is no request. */
const FETCH_TIMEOUT_MS = 300_000;
const MAX_KIB = 512 * 1024;
/** Paths of a conflict that are named. */
const MAX_CONFLICTS = 20;

/** One at a time: they share a repository. @throws SlipwayError source-unreachable, ref-not-found */
export async function mergedIn(options: MergeOptions, signal: AbortSignal): Promise<Merged> {
  const repository = join(dirname(options.mirror), 'review.git');
  try {
    return await merge(options, repository, signal);
  } catch (error) {
    // It is only a cache: whatever is wrong with it, it is made anew.
    signal.throwIfAborted();
    if (!existsSync(repository) || !(await isBroken(repository, signal))) throw error;
    await rm(repository, { recursive: true, force: true });
    return merge(options, repository, signal);
  }
}

async function merge(options: MergeOptions, repository: string, signal: AbortSignal): Promise<Merged> {
  const { url, ref, path } = options;
  await prepare(repository, options, signal);
  const base = await resolveRef(url, ref, signal);
  const args = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-gc', '--update-shallow'];
  await git(['fetch', ...args, '--', url, `+${base.ref}:${BASE}`, `+${options.head}:${HEAD}`], {
    cwd: repository,
    signal,
    timeoutMs: FETCH_TIMEOUT_MS,
  });
  const list = ['rev-list', '--no-walk=unsorted', '--no-commit-header', '--format=%H %ct', BASE, HEAD];
  const listed = (await git(list, { cwd: repository, signal })).trim().split(/\s/);
  const [baseId = '', , headId = '', at = ''] = listed;
  // 0: they go together, 1: they do not. The tree comes first, then the paths that conflict.
  const command = ['merge-tree', '--write-tree', '--name-only', '--no-messages', '-z', baseId, headId];
  const { code, output } = await gitAnswer(command, { cwd: repository, signal, answers: [0, 1] }).catch(unrelated);
  const [tree = '', ...conflicts] = output.toString('utf8').split('\0').filter(Boolean);
  if (code !== 0) return { base: baseId, head: headId, conflicts: conflicts.slice(0, MAX_CONFLICTS) };
  const { message } = options;
  const made = { tree, base: baseId, head: headId, ...(message === undefined ? { at } : { at: now(), message }) };
  const id = await commit(repository, made, signal);
  return {
    base: baseId,
    head: headId,
    source: commitSource({ dir: repository, path }, id),
    land: async (until) => {
      const branch = base.ref === 'HEAD' ? await headBranch(url, until) : /^refs\/heads\/(.+)$/.exec(base.ref)?.[1];
      if (branch === undefined) throw new SlipwayError('usage', `${ref} is no branch to write to.`);
      await land(repository, url, `${id}:refs/heads/${branch}`, until);
    },
  };
}

/** A plain push: what is no fast-forward, because somebody else pushed meanwhile, is refused. */
async function land(repository: string, url: string, refspec: string, signal: AbortSignal): Promise<void> {
  await git(['push', '--quiet', '--', url, refspec], { cwd: repository, signal }).catch((error: unknown) => {
    if (/rejected|fetch first|non-fast-forward/.test((error as Error).message))
      throw new SlipwayError('conflict', 'Somebody else pushed meanwhile.');
    throw error;
  });
}

const now = (): string => String(Math.floor(Date.now() / 1000));

/** Histories that have nothing in common cannot be merged either. */
function unrelated(error: unknown): { code: number; output: Buffer } {
  if (!/unrelated histories/.test((error as Error).message)) throw error;
  return { code: 1, output: Buffer.alloc(0) };
}

async function prepare(repository: string, options: MergeOptions, signal: AbortSignal): Promise<void> {
  const { mirror, maxKib = MAX_KIB } = options;
  // Disk: whoever can open a request can push anything.
  if (existsSync(repository) && (await sizeOf(repository, signal)) > maxKib)
    await rm(repository, { recursive: true, force: true });
  if (!existsSync(repository)) await git(['init', '--quiet', '--bare', repository], { signal });
  await writeFile(join(repository, 'objects', 'info', 'alternates'), `${join(mirror, 'objects')}\n`);
}

/** In KiB, without what it borrows; 0 where git cannot say. */
async function sizeOf(repository: string, signal: AbortSignal): Promise<number> {
  const said = await git(['count-objects', '-v'], { cwd: repository, signal }).catch(() => '');
  return [...said.matchAll(/^size(?:-pack)?: (\d+)$/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0);
}

async function isBroken(repository: string, signal: AbortSignal): Promise<boolean> {
  const checked = git(['fsck', '--connectivity-only', '--no-dangling', '--no-progress'], { cwd: repository, signal });
  return checked.then(
    () => existsSync(join(repository, `${HEAD}.lock`)) || existsSync(join(repository, `${BASE}.lock`)),
    () => !signal.aborted,
  );
}

interface Made {
  readonly tree: string;
  readonly base: string;
  readonly head: string;
  /** Unix time in seconds. */
  readonly at: string;
  /** Absent: that of the head. */
  readonly message?: string;
}

/**
 * The same request on the same base is the same commit: its time is that of the head, and so is what it says, for that may let a
 * guard pass.
 */
async function commit(
  repository: string,
  { tree, base, head, at, message: given }: Made,
  signal: AbortSignal,
): Promise<string> {
  const person = (role: string): Record<string, string> => ({
    [`GIT_${role}_NAME`]: 'slipway',
    [`GIT_${role}_EMAIL`]: 'slipway@localhost',
    [`GIT_${role}_DATE`]: `${at} +0000`,
  });
  const said = ['log', '-1', '--no-show-signature', '--format=%B', head];
  const message = given ?? ((await git(said, { cwd: repository, signal })).trim() || 'Merge');
  const args = ['commit-tree', tree, '-p', base, '-p', head, '-m', message];
  const id = await git(args, { cwd: repository, signal, env: { ...person('AUTHOR'), ...person('COMMITTER') } });
  if (id.trim() === '') throw new SlipwayError('internal');
  return id.trim();
}

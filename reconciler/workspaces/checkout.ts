/** A commit of a repository as a folder. Nothing of the repository runs: no hook, no filter, no submodule is known to it. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import { git } from '../source/git-command.ts';
import { isCorrupt } from '../source/git.ts';
import { readingFrom } from '../source/objects.ts';
import { resolveRef } from '../source/refs.ts';
import { select, type Entry, type Selected } from './select.ts';
import type { GitOrigin, Manifest, Tree, WorkspaceSpec } from './spec.ts';

const HEAD_REF = 'refs/slipway/head';
/** What is read from git at once. */
const BATCH_BYTES = 16 * 1024 * 1024;
/** Fetches of one commit each leave a pack behind: after so many, it is cheaper to begin anew. */
const MAX_PACKS = 32;

export interface Checkout {
  readonly spec: WorkspaceSpec & { readonly from: GitOrigin };
  /** Folder of the workspace. */
  readonly root: string;
  readonly secrets: OpenSecret;
  /** What is there already. */
  readonly current: Tree | undefined;
}

/** @returns the tree, and its files where it is a new one @throws SlipwayError source-unreachable, ref-not-found, workspace-too-large */
export async function checkOut(
  { spec, root, secrets, current }: Checkout,
  signal: AbortSignal,
): Promise<{ tree: Tree; manifest?: Manifest }> {
  const { from } = spec;
  const env = await environment(from, secrets);
  const { id, ref } = await resolveRef(from.url, from.ref, signal, env);
  const limits = limitsId(spec);
  if (current?.id === `${id}-${limits}` && existsSync(join(root, current.path))) return { tree: current };
  const mirror = join(root, 'mirror.git');
  const commit = await fetched({ mirror, url: from.url, ref, env }, signal).catch(async (error: unknown) => {
    // The mirror is a cache: what is wrong with it goes with it. That the remote does not answer is no fault of it.
    const isLocked = /\.lock': File exists/.test((error as Error).message); // Left by a git that was killed with us.
    if (!existsSync(mirror) || !(isLocked || (await isCorrupt(mirror, signal)))) throw error;
    await rm(mirror, { recursive: true, force: true });
    return fetched({ mirror, url: from.url, ref, env }, signal);
  });
  const listing = await git(['ls-tree', '-r', '-z', '-l', '--full-tree', commit], { cwd: mirror, signal });
  const selected = select(entriesIn(listing), spec);
  const name = `${commit}-${limits}`;
  await write({ mirror, commit, selected, target: join(root, name) }, signal);
  const { files, bytes, skipped } = selected;
  return {
    tree: { id: name, path: name, commit, files: files.length, bytes, skipped },
    manifest: Object.fromEntries(files.map(({ path, id: content }) => [path, content])),
  };
}

interface Fetch {
  readonly mirror: string;
  readonly url: string;
  readonly ref: string;
  readonly env: Readonly<Record<string, string>>;
}

async function fetched({ mirror, url, ref, env }: Fetch, signal: AbortSignal): Promise<string> {
  const packs = existsSync(mirror) ? await readdir(join(mirror, 'objects/pack')).catch(() => []) : [];
  if (packs.length > 2 * MAX_PACKS) await rm(mirror, { recursive: true, force: true });
  // Without a template: no sample hooks, no config of this host's making.
  if (!existsSync(mirror)) await git(['init', '--quiet', '--bare', '--template=', mirror], { signal });
  const options = [
    '--quiet',
    '--depth=1',
    '--no-tags',
    '--no-write-fetch-head',
    '--no-recurse-submodules',
    '--no-auto-gc',
  ];
  await git(['fetch', ...options, '--', url, `+${ref}:${HEAD_REF}`], {
    cwd: mirror,
    signal,
    env,
    timeoutMs: 2 ** 31 - 1,
  });
  return (await git(['rev-parse', '--verify', `${HEAD_REF}^{commit}`], { cwd: mirror, signal })).trim();
}

/** Credentials reach git in its environment: in arguments, everybody on this host could read them. */
async function environment(
  { url, credentials }: GitOrigin,
  secrets: OpenSecret,
): Promise<Readonly<Record<string, string>>> {
  if (!credentials) return {};
  const [user, password] = await Promise.all([secrets(credentials.username), secrets(credentials.password)]);
  return {
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: `http.${new URL(url).origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    // Credential theft: a redirect would take the header along.
    GIT_CONFIG_KEY_1: 'http.followRedirects',
    GIT_CONFIG_VALUE_1: 'false',
  };
}

/** The same commit with other limits is another tree. */
const limitsId = ({ include, exclude, maxBytes, maxFileBytes }: WorkspaceSpec): string =>
  createHash('sha256')
    .update(JSON.stringify([include, exclude, maxBytes, maxFileBytes]))
    .digest('hex')
    .slice(0, 8);

/** `<mode> <type> <id> <size>\t<path>` records, ended by NUL. */
function* entriesIn(listing: string): Generator<Entry> {
  for (const record of listing.split('\0')) {
    const match = /^(\d+) (blob|commit) ([0-9a-f]+) +(\d+|-)\t(.*)$/s.exec(record);
    if (!match) continue;
    const [, mode, object, id = '', size, path = ''] = match;
    const type =
      object === 'commit' ? 'submodule' : mode === '120000' ? 'symlink' : mode === '100755' ? 'executable' : 'file';
    yield { path, id, bytes: Number(size) || 0, type };
  }
}

interface Writing {
  readonly mirror: string;
  readonly commit: string;
  readonly selected: Selected;
  readonly target: string;
}

/** Whoever reads sees the whole tree or none of it: it gets its name when it is complete. */
async function write({ mirror, commit, selected, target }: Writing, signal: AbortSignal): Promise<void> {
  const temporary = `${target}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await rm(target, { recursive: true, force: true }); // Half removed by a crash, say.
  await mkdir(temporary, { recursive: true, mode: 0o755 });
  const { read } = readingFrom({ dir: mirror, path: '' });
  const folders = new Set<string>();
  for (const batch of batches(selected.files)) {
    const contents = await read(
      commit,
      batch.map(({ path, id, bytes, type }) => ({ path, id, bytes, type: type === 'executable' ? type : 'file' })),
      signal,
    );
    for (const [index, { path, type }] of batch.entries()) {
      const file = join(temporary, path);
      const folder = dirname(file);
      if (!folders.has(folder)) await mkdir(folder, { recursive: true, mode: 0o755 });
      folders.add(folder);
      // `wx`: a tree that names a path twice is broken, and must not write through what it wrote before.
      await writeFile(file, contents[index] ?? '', { flag: 'wx', mode: type === 'executable' ? 0o755 : 0o644 });
    }
  }
  await rename(temporary, target);
}

function* batches(files: readonly Entry[]): Generator<Entry[]> {
  let batch: Entry[] = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length > 0 && bytes + file.bytes > BATCH_BYTES) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(file);
    bytes += file.bytes;
  }
  if (batch.length > 0) yield batch;
}

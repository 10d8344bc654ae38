/**
 * Appends records to an orphan branch of a remote, one commit each, without any working tree. Fast-forward only: history
 * that somebody else wrote meanwhile is fetched and built upon, never overwritten.
 */
import { existsSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { git, type GitOptions } from '../source/git-command.ts';
import { quoted } from '../source/commit.ts';
import type { Entry, TreeFile } from './outbox.ts';

export const AUDIT_BRANCH = 'slipway/audit';

/** Where the tip of a branch is kept in the repository that commits are built in. */
export const localRef = (branch: string): string => `refs/slipway/records/${branch}`;
/**
 * Lines of hashes hardly shrink any further: the best effort takes half as much CPU again for 7 % less. And what is compressed
 * stays as it is on its way out: unpacked into files of its own, it would be compressed three times.
 */
const QUICK = ['-c', 'core.compression=1', '-c', 'pack.compression=1', '-c', 'fastimport.unpackLimit=1'];
/** Each append leaves a pack; with many, git looks long for what it needs. */
const MAX_PACKS = 50;
/** Others who write there may be faster, more than once. */
const TRIES = 5;
const IDENTITY = 'slipway <slipway@localhost>';

/** Where commits are built, where they go, and the name of the branch there. */
export interface Place {
  readonly mirror: string;
  readonly remote: string;
  readonly branch: string;
}

/** One that is written to again and again, most often by nobody else. */
export class Branch {
  readonly #place: Place;
  /** What the remote took from us last. As long as nobody else writes, it is not asked what it has. */
  #tip: string | undefined;
  /** Whether the last try failed: the repository may be damaged. */
  #isSuspect = false;

  constructor(place: Place) {
    this.#place = place;
  }

  /** @returns the id of the newest commit @throws SlipwayError source-unreachable when the remote does not take it */
  async append(entries: readonly Entry[], signal: AbortSignal): Promise<string> {
    const { mirror, branch } = this.#place;
    // Calls go first: what became of them can wait for a processor.
    const options: GitOptions = { cwd: mirror, signal, background: true };
    const known = this.#tip;
    this.#tip = undefined;
    rmSync(join(mirror, `${localRef(branch)}.lock`), { force: true }); // Left by a git that was killed with us; nobody else writes here.
    const quick = known === undefined ? undefined : await this.#push(entries, known, options).catch(() => undefined);
    try {
      this.#tip = quick ?? (await this.#appendToWhatIsThere(entries, options));
    } catch (error) {
      this.#isSuspect = true;
      throw error;
    }
    this.#isSuspect = false;
    return this.#tip;
  }

  async #appendToWhatIsThere(entries: readonly Entry[], options: GitOptions): Promise<string> {
    const { mirror } = this.#place;
    const { signal } = options;
    signal.throwIfAborted();
    if (this.#isSuspect) await this.#renew(options);
    if (!existsSync(join(mirror, 'HEAD'))) await git(['init', '--quiet', '--bare', mirror], { signal });
    let tip = await fetchTip(this.#place, options);
    for (let tries = 1; ; tries++) {
      const missing = tip === undefined ? entries : await withoutPresent(entries, tip, options);
      if (missing.length === 0 && tip !== undefined) return tip;
      try {
        return await this.#push(missing, tip, options);
      } catch (error) {
        const now = await fetchTip(this.#place, options);
        if (now === tip || tries === TRIES) throw error;
        tip = now;
      }
    }
  }

  /**
   * Begins with a new repository, as soon as the remote can be asked for what was in the old one: what was delivered proves how the
   * audit log stood, and must not be gone while nobody can tell.
   */
  async #renew({ signal }: GitOptions): Promise<void> {
    const { mirror, remote, branch } = this.#place;
    if (remote === mirror) return;
    await git(['ls-remote', '--quiet', '--', remote, `refs/heads/${branch}`], { signal });
    rmSync(mirror, { recursive: true, force: true });
  }

  async #push(entries: readonly Entry[], tip: string | undefined, options: GitOptions): Promise<string> {
    const { remote, branch } = this.#place;
    const local = localRef(branch);
    const input = importStream(entries, await this.#store(entries, options), local, tip);
    const made = await git([...QUICK, 'fast-import', '--quiet', '--force'], { ...options, input });
    await git([...QUICK, 'push', '--quiet', '--', remote, `${local}:refs/heads/${branch}`], options);
    await this.#tidy(options);
    return made.trim();
  }

  /**
   * Makes blobs of the entries that are files. git reads them itself: a file of 16 MB through a pipe of ours holds up everything
   * else for a tenth of a second. As "big files" they go into packs at once, and are compressed no second time.
   * @returns their ids, by file
   */
  async #store(entries: readonly Entry[], options: GitOptions): Promise<ReadonlyMap<string, string>> {
    const files = entries.flatMap(({ file }) => file ?? []);
    if (files.length === 0) return new Map();
    const args = [...QUICK, '-c', 'core.bigFileThreshold=1', 'hash-object', '-w', '--no-filters', '--', ...files];
    const ids = (await git(args, options)).trim().split('\n');
    return new Map(files.map((file, index) => [file, ids[index] ?? '']));
  }

  /** Packs become fewer, each twice as large as the next: nothing is compressed anew, and little is copied often. */
  async #tidy(options: GitOptions): Promise<void> {
    const packs = await readdir(join(this.#place.mirror, 'objects', 'pack'));
    if (packs.filter((name) => name.endsWith('.pack')).length <= MAX_PACKS) return;
    await git(['repack', '-d', '--quiet', '--geometric=2', '--window=0'], options);
  }
}

/** What the remote has now; undefined where it has no such branch yet. */
async function fetchTip({ remote, branch }: Place, options: GitOptions): Promise<string | undefined> {
  const listed = await git(['ls-remote', '--quiet', '--', remote, `refs/heads/${branch}`], options);
  const id = listed.split('\t')[0];
  if (!id) return undefined;
  await git(
    [
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-write-fetch-head',
      '--',
      remote,
      `+refs/heads/${branch}:${localRef(branch)}`,
    ],
    options,
  );
  return id;
}

/** A crash between the push and the clean-up leaves entries that the branch has already. */
async function withoutPresent(entries: readonly Entry[], tip: string, options: GitOptions): Promise<Entry[]> {
  const listing = await git(
    ['ls-tree', '-r', '-z', '--name-only', tip, '--', ...entries.map((entry) => entry.path)],
    options,
  );
  const present = new Set([...listing.split('\0'), ...(await treesOn(entries, tip, options))]);
  return entries.filter((entry) => !present.has(entry.path));
}

/** Names of the whole trees that the branch has had lately, if any of the entries is one. */
async function treesOn(entries: readonly Entry[], tip: string, options: GitOptions): Promise<string[]> {
  if (!entries.some(({ tree }) => tree)) return [];
  const lately = ['log', '--max-count=200', '--format=%(trailers:key=Slipway-Backup,valueonly)'];
  return (await git([...lately, tip], options)).split('\n');
}

/** Nothing but these files. */
function treeStream(tree: readonly TreeFile[]): string {
  const files = tree.map(
    ({ path, content, executable }) =>
      `M ${executable ? '100755' : '100644'} inline ${quoted(path)}\ndata ${Buffer.byteLength(content)}\n${content}\n`,
  );
  return `deleteall\n${files.join('')}`;
}

/** Input for git-fast-import(1): whole commits; it answers with the id of the last. Lengths count bytes. */
function importStream(
  entries: readonly Entry[],
  blobs: ReadonlyMap<string, string>,
  local: string,
  tip: string | undefined,
): string {
  let stream = '';
  for (const [index, { at, subject, trailers, path, file, content, tree }] of entries.entries()) {
    const seconds = Math.floor(Date.parse(at) / 1000);
    const message = `${subject}\n\n${trailers.join('\n')}\n`;
    const from = index === 0 && tip !== undefined ? `from ${tip}\n` : '';
    const blob = file === undefined ? 'inline' : (blobs.get(file) ?? '');
    stream += `commit ${local}\nmark :1\ncommitter ${IDENTITY} ${seconds} +0000\n`;
    stream += `data ${Buffer.byteLength(message)}\n${message}${from}`;
    stream += tree ? treeStream(tree) : `M 100644 ${blob} ${path}\n`;
    if (file === undefined && !tree) stream += `data ${Buffer.byteLength(content)}\n${content}\n`;
  }
  return `${stream}get-mark :1\n`;
}

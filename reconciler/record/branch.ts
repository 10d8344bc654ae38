/**
 * Appends records to an orphan branch of a remote, one commit each, without any working tree. Fast-forward only: history
 * that somebody else wrote meanwhile is fetched and built upon, never overwritten.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { git, type GitOptions } from '../source/git-command.ts';
import type { Entry } from './outbox.ts';

export const AUDIT_BRANCH = 'slipway/audit';

/** Where the tip of a branch is kept in the repository that commits are built in. */
export const localRef = (branch: string): string => `refs/slipway/records/${branch}`;
/** Lines of hashes hardly shrink any further: the best effort takes half as much CPU again for 7 % less. */
const QUICK = ['-c', 'core.compression=1', '-c', 'pack.compression=1'];
const IDENTITY = 'slipway <slipway@localhost>';

/** Where commits are built, where they go, and the name of the branch there. */
export interface Branch {
  readonly mirror: string;
  readonly remote: string;
  readonly branch: string;
}

/** @returns the id of the newest commit @throws SlipwayError source-unreachable when the remote does not take it */
export async function appendToBranch(
  { mirror, remote, branch }: Branch,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<string> {
  const options: GitOptions = { cwd: mirror, signal };
  if (!existsSync(join(mirror, 'HEAD'))) await git(['init', '--quiet', '--bare', mirror], { signal });
  const local = localRef(branch);
  rmSync(join(mirror, `${local}.lock`), { force: true }); // Left by a git that was killed with us; nobody else writes here.
  const tip = await fetchTip({ remote, branch }, options);
  const missing = tip === undefined ? entries : await withoutPresent(entries, tip, options);
  if (missing.length === 0 && tip !== undefined) return tip;
  await git([...QUICK, 'fast-import', '--quiet', '--force'], { ...options, input: importStream(missing, local, tip) });
  await git([...QUICK, 'push', '--quiet', '--', remote, `${local}:refs/heads/${branch}`], options);
  return (await git(['rev-parse', local], options)).trim();
}

/** What the remote has now; undefined where it has no such branch yet. */
async function fetchTip({ remote, branch }: Omit<Branch, 'mirror'>, options: GitOptions): Promise<string | undefined> {
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
  const present = new Set(listing.split('\0'));
  return entries.filter((entry) => !present.has(entry.path));
}

/** Input for git-fast-import(1): whole commits with their files inline. Lengths count bytes. */
function importStream(entries: readonly Entry[], local: string, tip: string | undefined): string {
  return entries
    .map((entry, index) => {
      const content = entry.file === undefined ? entry.content : readFileSync(entry.file, 'utf8');
      const seconds = Math.floor(Date.parse(entry.at) / 1000);
      const message = `${entry.subject}\n\n${entry.trailers.join('\n')}\n`;
      const from = index === 0 && tip !== undefined ? `from ${tip}\n` : '';
      return [
        `commit ${local}`,
        `committer ${IDENTITY} ${seconds} +0000`,
        `data ${Buffer.byteLength(message)}\n${message}`,
        `${from}M 100644 inline ${entry.path}`,
        `data ${Buffer.byteLength(content)}\n${content}\n`,
      ].join('\n');
    })
    .join('');
}

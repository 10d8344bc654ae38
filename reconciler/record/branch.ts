/**
 * Appends records to an orphan branch of a remote, one commit each, without any working tree. Fast-forward only: history
 * that somebody else wrote meanwhile is fetched and built upon, never overwritten.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { git, type GitOptions } from '../source/git-command.ts';
import type { Entry } from './outbox.ts';

export const AUDIT_BRANCH = 'slipway/audit';

const LOCAL = 'refs/slipway/audit';
const IDENTITY = 'slipway <slipway@localhost>';

/** @returns the id of the newest commit @throws SlipwayError source-unreachable when the remote does not take it */
export async function appendToBranch(
  mirror: string,
  remote: string,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<string> {
  const options: GitOptions = { cwd: mirror, signal };
  if (!existsSync(join(mirror, 'HEAD'))) await git(['init', '--quiet', '--bare', mirror], { signal });
  rmSync(join(mirror, `${LOCAL}.lock`), { force: true }); // Left by a git that was killed with us; nobody else writes here.
  const tip = await fetchTip(remote, options);
  const missing = tip === undefined ? entries : await withoutPresent(entries, tip, options);
  if (missing.length === 0 && tip !== undefined) return tip;
  await git(['fast-import', '--quiet', '--force'], { ...options, input: importStream(missing, tip) });
  await git(['push', '--quiet', '--', remote, `${LOCAL}:refs/heads/${AUDIT_BRANCH}`], options);
  return (await git(['rev-parse', LOCAL], options)).trim();
}

/** What the remote has now; undefined where it has no such branch yet. */
async function fetchTip(remote: string, options: GitOptions): Promise<string | undefined> {
  const listed = await git(['ls-remote', '--quiet', '--', remote, `refs/heads/${AUDIT_BRANCH}`], options);
  const id = listed.split('\t')[0];
  if (!id) return undefined;
  await git(
    ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--', remote, `+refs/heads/${AUDIT_BRANCH}:${LOCAL}`],
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
function importStream(entries: readonly Entry[], tip: string | undefined): string {
  return entries
    .map((entry, index) => {
      const seconds = Math.floor(Date.parse(entry.at) / 1000);
      const message = `${entry.subject}\n\n${entry.trailers.join('\n')}\n`;
      const from = index === 0 && tip !== undefined ? `from ${tip}\n` : '';
      return [
        `commit ${LOCAL}`,
        `committer ${IDENTITY} ${seconds} +0000`,
        `data ${Buffer.byteLength(message)}\n${message}`,
        `${from}M 100644 inline ${entry.path}`,
        `data ${Buffer.byteLength(entry.content)}\n${entry.content}\n`,
      ].join('\n');
    })
    .join('');
}

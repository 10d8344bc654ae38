/** The log as it is on its branch: what was committed, and what each commit says of the chain. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../../schemas/errors.ts';
import { git } from '../../source/git-command.ts';
import { localRef } from '../branch.ts';
import { verifyContents, type Content, type Verdict } from './verify.ts';

/** By chain: the hash of the last line of each commit, by its number. */
export type Checkpoints = ReadonlyMap<string, ReadonlyMap<number, string>>;

const TRAILERS = /^Slipway-Audit-Chain: (\S+)\nSlipway-Audit-Head: (\d+) ([0-9a-f]{64})$/gm;

/** What the commits that we delivered say. Empty where nothing was. @param repository where commits are built */
export async function delivered(repository: string, branch: string, signal: AbortSignal): Promise<Checkpoints> {
  return checkpointsOf(repository, localRef(branch), signal).catch(() => new Map());
}

async function checkpointsOf(cwd: string, ref: string, signal: AbortSignal): Promise<Checkpoints> {
  const all = new Map<string, Map<number, string>>();
  for (const [, chain = '', seq, hash = ''] of (await git(['log', '--format=%B', ref], { cwd, signal })).matchAll(
    TRAILERS,
  )) {
    const known = all.get(chain) ?? new Map<number, string>();
    all.set(chain, known.set(Number(seq), hash));
  }
  return all;
}

/** Files of a chain on a ref, in their order. */
export async function* contentsOn(
  cwd: string,
  ref: string,
  chain: string,
  signal: AbortSignal,
): AsyncGenerator<Content> {
  const listing = await git(['ls-tree', '-r', '-z', '--name-only', ref, '--', `events/${chain}/`], { cwd, signal });
  const named = listing.split('\0').flatMap((name) => {
    const first = /(\d{12})\.jsonl$/.exec(name)?.[1];
    return first === undefined ? [] : [{ name, first: Number(first) }];
  });
  for (const { name, first } of named.sort((a, b) => a.first - b.first))
    yield { name, first, text: await git(['cat-file', 'blob', `${ref}:${name}`], { cwd, signal }) };
}

/**
 * Verifies what is on a branch of a remote, every log on it.
 * @throws SlipwayError source-unreachable, not-found where there is no such branch
 */
export async function verifyBranch(remote: string, branch: string, signal: AbortSignal): Promise<Verdict[]> {
  const cwd = mkdtempSync(join(tmpdir(), 'slipway-audit-'));
  const ref = 'refs/heads/audit';
  try {
    await git(['init', '--quiet', '--bare', cwd], { signal });
    const listed = await git(['ls-remote', '--', remote, `refs/heads/${branch}`], { cwd, signal });
    if (listed === '') throw new SlipwayError('not-found', `There is no branch ${branch} in ${remote}.`);
    await git(['fetch', '--quiet', '--no-tags', '--', remote, `+refs/heads/${branch}:${ref}`], { cwd, signal });
    const checkpoints = await checkpointsOf(cwd, ref, signal);
    const verdicts: Verdict[] = [];
    for (const [chain, pinned] of checkpoints)
      verdicts.push(verifyContents(chain, await Array.fromAsync(contentsOn(cwd, ref, chain, signal)), pinned));
    return verdicts;
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

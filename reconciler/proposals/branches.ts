/** Proposals as they stand in the repo: one branch each, which somebody may have pushed by hand as well. */
import { differenceIn } from './addresses.ts';
import { PROPOSALS, type Proposal } from '../../schemas/proposals.ts';
import { git } from '../source/git-command.ts';
import type { Repository } from '../source/source.ts';

/** Where their branches are kept in the mirror. */
const LOCAL = 'refs/slipway/proposals/';
/** That are told of one. */
const MAX_CHANGES = 100;

/** Oldest first. @throws SlipwayError source-unreachable */
export async function listed(
  { repository, remote }: { readonly repository: Repository; readonly remote: string },
  signal: AbortSignal,
): Promise<Proposal[]> {
  const options = { cwd: repository.dir, signal };
  const refspec = `+refs/heads/${PROPOSALS}*:${LOCAL}*`;
  await git(
    ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-gc', '--prune', '--', remote, refspec],
    options,
  );
  const format = '%(refname)%00%(objectname)%00%(committerdate:iso-strict)%00%(contents)%00%00';
  const output = await git(['for-each-ref', `--format=${format}`, '--sort=committerdate', LOCAL], options);
  const records = output.split('\0\0').map((record) => record.replace(/^\n/, ''));
  return Promise.all(
    records.filter(Boolean).map(async (record): Promise<Proposal> => {
      const [ref = '', commit = '', at = '', ...message] = record.split('\0');
      const id = ref.slice(LOCAL.length);
      const paths = await pathsOf(repository, commit, signal);
      return { id, ...wordsOf(message.join('')), at, branch: PROPOSALS + id, commit, ...paths };
    }),
  );
}

/** Since it left the branch that is followed. */
async function pathsOf(
  repository: Repository,
  commit: string,
  signal: AbortSignal,
): Promise<Pick<Proposal, 'changes' | 'files'>> {
  const options = { cwd: repository.dir, signal };
  const base = await git(['merge-base', 'refs/slipway/head', commit], options).catch(() => '');
  if (base === '') return { changes: [], files: [] };
  const below = repository.path === '' ? [] : ['--', `${repository.path}/`];
  const listing = await git(['diff', '--no-ext-diff', '--name-only', '-z', base.trim(), commit, ...below], options);
  const paths = listing.split('\0').filter(Boolean).slice(0, MAX_CHANGES);
  const changes = new Set<string>();
  for (const path of paths.filter(isYaml)) {
    const { addresses } = await differenceIn(options, path, base.trim(), commit);
    for (const address of addresses) changes.add(address);
  }
  return { changes: [...changes].sort(), files: paths.filter((path) => !isYaml(path)) };
}

const isYaml = (path: string): boolean => /\.ya?ml$/.test(path);

/** Trailers are the last paragraph, and no other: the text above is whoever asks's. */
function wordsOf(message: string): Pick<Proposal, 'title' | 'description' | 'by'> {
  const paragraphs = message.trim().split(/\n{2,}/);
  const last = paragraphs.length > 1 ? (paragraphs.at(-1) ?? '') : '';
  const isTrailers = /^Slipway-[\w-]+: /m.test(last) && last.split('\n').every((line) => /^[\w-]+: /.test(line));
  const by = isTrailers ? /^Slipway-Proposed-By: (\S+)$/m.exec(last)?.[1] : undefined;
  const [title = '', ...rest] = isTrailers ? paragraphs.slice(0, -1) : paragraphs;
  return { title, description: rest.join('\n\n'), ...(by === undefined ? {} : { by }) };
}

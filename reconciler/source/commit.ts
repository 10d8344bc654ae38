/**
 * Commits to a branch of a remote without any working tree: built in a mirror on top of the commit that was read, and
 * pushed. Fast-forward only: where somebody else pushed meanwhile, nothing is written and the caller builds anew.
 */
import { SlipwayError } from '../../schemas/errors.ts';
import { git, type GitOptions } from './git-command.ts';

export interface BranchCommit {
  /** A bare repository that has `parent`. */
  readonly mirror: string;
  readonly remote: string;
  /** Without `refs/heads/`. */
  readonly branch: string;
  /** True where the branch must not exist yet. */
  readonly isNew: boolean;
  /** Full id of the commit to build on. */
  readonly parent: string;
  readonly message: string;
  /** By path from the top of the repo; null where the file goes. */
  readonly files: ReadonlyMap<string, { readonly content: string; readonly executable: boolean } | null>;
  /** Where git finds who commits (`GIT_AUTHOR_NAME` …), besides its own settings. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const LOCAL = 'refs/slipway/commit';
const NOBODY = 'slipway <slipway@localhost>';

/**
 * @returns the id of the new commit
 * @throws SlipwayError conflict when the branch moved meanwhile, exists when it should have been new, else what git said
 */
export async function commitTo(wish: BranchCommit): Promise<string> {
  const { mirror, remote, branch, isNew, parent, signal } = wish;
  const options: GitOptions = { cwd: mirror, signal };
  const ref = `refs/heads/${branch}`;
  await git(['check-ref-format', ref], options).catch(() => {
    throw new SlipwayError('usage', `${branch} is no name for a branch.`);
  });
  const tip = (): Promise<string> => tipOf(remote, ref, options);
  const before = await tip();
  if (isNew && before !== '') throw new SlipwayError('exists', `The branch ${branch} exists already.`);
  if (!isNew && before === '') throw new SlipwayError('ref-not-found', `There is no branch ${branch} to write to.`);
  if (!isNew && before !== parent) throw moved(branch);
  await git(['fast-import', '--quiet', '--force'], { ...options, input: await stream(wish) });
  const id = (await git(['rev-parse', LOCAL], options)).trim();
  try {
    // A plain push: whatever is no fast-forward is refused by the remote.
    await git(['push', '--quiet', '--', remote, `${id}:${ref}`], options);
  } catch (error) {
    // What a remote says differs; whether the branch moved does not.
    if ((await tip().catch(() => before)) !== before) throw moved(branch);
    throw error;
  }
  return id;
}

async function tipOf(remote: string, ref: string, options: GitOptions): Promise<string> {
  return (await git(['ls-remote', '--quiet', '--', remote, ref], options)).split('\t')[0]?.trim() ?? '';
}

/** The branch that the remote's HEAD names. @throws SlipwayError ref-not-found where it names none */
export async function headBranch(remote: string, signal: AbortSignal): Promise<string> {
  if (remote.startsWith('-')) throw new SlipwayError('source-unreachable', 'A repository URL cannot start with -.'); // Argument injection.
  const output = await git(['ls-remote', '--quiet', '--symref', '--', remote, 'HEAD'], { signal });
  const branch = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(output)?.[1];
  if (branch === undefined)
    throw new SlipwayError('ref-not-found', 'The repository has no branch to write to.', {
      hint: 'Push a first commit, or name a branch with --ref.',
    });
  return branch;
}

const moved = (branch: string): SlipwayError =>
  new SlipwayError('conflict', `Somebody else pushed to ${branch} meanwhile.`);

/** Input for git-fast-import(1). Lengths count bytes. */
async function stream({ parent, message, files, env, signal }: BranchCommit): Promise<string> {
  const lines = [...files].map(([path, file]) =>
    file === null
      ? `D ${quoted(path)}\n`
      : `M ${file.executable ? '100755' : '100644'} inline ${quoted(path)}\ndata ${Buffer.byteLength(file.content)}\n${file.content}\n`,
  );
  const [author, committer] = await Promise.all([identity('AUTHOR', env, signal), identity('COMMITTER', env, signal)]);
  return [
    `commit ${LOCAL}\nauthor ${author}\ncommitter ${committer}\n`,
    `data ${Buffer.byteLength(message)}\n${message}\nfrom ${parent}\n`,
    ...lines,
  ].join('');
}

/** `Ada <ada@example.com> 1795258800 +0000`: who git says commits here. */
async function identity(role: 'AUTHOR' | 'COMMITTER', env: BranchCommit['env'], signal: AbortSignal): Promise<string> {
  const names = [`GIT_${role}_NAME`, `GIT_${role}_EMAIL`, `GIT_${role}_DATE`];
  const given = names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]));
  const own = Object.fromEntries(given) as Record<string, string>;
  const known = await git(['var', `GIT_${role}_IDENT`], { signal, env: own }).catch(() => undefined);
  signal.throwIfAborted();
  return known?.trim() || `${NOBODY} ${Math.floor(Date.now() / 1000)} +0000`;
}

/** A path as C writes a string: names may hold whatever git allows. */
export const quoted = (path: string): string =>
  `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

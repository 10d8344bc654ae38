/** Backups as they lie on their branch: read from there, with or without a Slipway that runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { simpleGit } from 'simple-git';
import { backupsOn, CONFIG, gitSource, type BackupCommit, type Source } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { suggest } from '../../schemas/suggest.ts';
import { text, type Option, type Options } from '../command.ts';
import type { Io } from '../io.ts';
import { placeOf } from '../place.ts';

export const BACKUP_BRANCH = 'slipway/backup';

export const BACKUP_OPTIONS: readonly Option[] = [
  { flags: '--from <repo>', description: 'repo that has the backups (default: the config repo, or its origin)' },
  { flags: '--backup-branch <name>', description: 'branch that they are on', default: BACKUP_BRANCH },
];

export interface OpenBackups {
  /** Newest first. */
  readonly all: readonly BackupCommit[];
  /** A bare repository that has all of them. */
  readonly mirror: string;
  /** Reads the config in a backup, by the backup's commit. */
  readonly source: Source;
  /** By name, by the first digits of its commit, or `latest`. @throws SlipwayError not-found */
  find(wanted: string): BackupCommit;
}

/** @throws SlipwayError not-found where there are none, source-unreachable */
export async function withBackups<T>(options: Options, io: Io, use: (backups: OpenBackups) => Promise<T>): Promise<T> {
  const branch = text(options, 'backupBranch') ?? BACKUP_BRANCH;
  const folder = mkdtempSync(join(tmpdir(), 'slipway-backup-'));
  const mirror = join(folder, 'mirror.git');
  try {
    const url = await remoteWith(branch, options, io);
    await using source = gitSource({ url, mirror, ref: branch, path: CONFIG.slice(0, -1) });
    const { id } = await source.fetch(io.signal).catch((error: unknown) => {
      throw error instanceof SlipwayError && error.code === 'ref-not-found' ? none(branch, url) : error;
    });
    const all = await backupsOn(mirror, id, io.signal);
    return await use({ all, mirror, source, find: (wanted) => found(all, wanted, branch, url) });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In a clone, the branch is most often in the repo that it was cloned from only. */
async function remoteWith(branch: string, options: Options, io: Io): Promise<string> {
  const from = text(options, 'from');
  const { repo, kind, isWorkingTree } = placeOf(from ?? text(options, 'repo') ?? '.', io.cwd);
  if (kind === 'folder')
    throw new SlipwayError('usage', `${repo} is no git repository, so it has no backups.`, {
      hint: 'Name the repo that has them with --from.',
    });
  if (!isWorkingTree) return repo;
  const git = simpleGit(repo);
  const isHere = await git.raw(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`]).catch(() => '');
  const origin = (await git.getConfig('remote.origin.url')).value;
  if (isHere !== '' || !origin) return repo;
  // A path is meant from where the working tree is, and git is run elsewhere.
  return /^\.{1,2}(\/|$)/.test(origin) ? resolve(repo, origin) : origin;
}

function found(all: readonly BackupCommit[], wanted: string, branch: string, url: string): BackupCommit {
  const [latest] = all;
  if (!latest) throw none(branch, url);
  if (wanted === 'latest') return latest;
  const matches = all.filter(
    ({ name, commit }) => name === wanted || (wanted.length >= 4 && commit.startsWith(wanted)),
  );
  if (matches[0] && matches.length === 1) return matches[0];
  const nearest = suggest(
    wanted,
    all.map(({ name }) => name),
  );
  throw new SlipwayError('not-found', `There is no backup ${wanted}.`, {
    hint: nearest ? `Did you mean ${nearest}?` : 'See `slipway backup list`; `latest` is the newest.',
  });
}

const none = (branch: string, url: string): SlipwayError =>
  new SlipwayError('not-found', `There are no backups on ${branch} in ${url}.`, {
    hint: 'Name their repo with --from, or make one: a Backup in the config, or `slipway backup now`.',
  });

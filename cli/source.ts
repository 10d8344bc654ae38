/** From what `--repo` says to a source, and to the state directory that belongs to it. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SlipwayError } from '../schemas/errors.ts';
import type { Log } from '../schemas/log.ts';
import { defaultStateDir, directorySource, gitSource, type Source } from '../reconciler/index.ts';
import { text, type Options } from './command.ts';
import type { Io } from './io.ts';

export interface Place {
  /** A URL, or the absolute path of a folder. */
  readonly repo: string;
  readonly kind: 'git' | 'folder';
  /** Files lie there to be edited: a plain folder, or a repository that is not bare. */
  readonly isWorkingTree: boolean;
}

/** Finds out what `--repo` is: a URL, a git repository on disk, or a plain folder. */
export function placeOf(repo: string, cwd: string): Place {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(repo) || /^[^/\s]+@[^/\s]+:/.test(repo))
    return { repo, kind: 'git', isWorkingTree: false };
  const path = resolve(cwd, repo);
  // Not there (yet, or any more): the last good commit must be served all the same.
  if (!existsSync(path) || !statSync(path).isDirectory()) return { repo: path, kind: 'git', isWorkingTree: false };
  const real = realpathSync(path);
  if (existsSync(join(real, '.git'))) return { repo: real, kind: 'git', isWorkingTree: true };
  const isBare = existsSync(join(real, 'HEAD')) && existsSync(join(real, 'objects'));
  return isBare
    ? { repo: real, kind: 'git', isWorkingTree: false }
    : { repo: real, kind: 'folder', isWorkingTree: true };
}

export function stateDirOf(options: Options, place: Place, io: Io): string {
  return resolve(
    io.cwd,
    text(options, 'stateDir') ?? io.env['SLIPWAY_STATE_DIR'] ?? defaultStateDir(place.repo, io.env),
  );
}

/** @param mirror where a git source keeps its bare mirror */
export function openSource(options: Options, place: Place, mirror: string, log: Log): Source {
  const ref = text(options, 'ref');
  const path = text(options, 'path');
  if (place.kind === 'folder') {
    if (ref !== undefined)
      throw new SlipwayError('usage', `${place.repo} is no git repository, so --ref means nothing there.`);
    return directorySource(path === undefined ? place.repo : join(place.repo, path));
  }
  return gitSource({
    url: place.repo,
    mirror,
    log,
    ...(ref === undefined ? {} : { ref }),
    ...(path === undefined ? {} : { path }),
  });
}

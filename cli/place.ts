/** What `--repo` says, and the state directory that belongs to it. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defaultStateDir } from '../reconciler/index.ts';
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

/** The file that `--floor` names. */
export function floorOf(options: Options, io: Io): string | undefined {
  const floor = text(options, 'floor');
  return floor === undefined ? undefined : resolve(io.cwd, floor);
}

export function stateDirOf(options: Options, place: Place, io: Io): string {
  return resolve(
    io.cwd,
    // Empty is what scripts and unit files give for a variable that nobody set.
    text(options, 'stateDir') || io.env['SLIPWAY_STATE_DIR'] || defaultStateDir(place.repo, io.env),
  );
}

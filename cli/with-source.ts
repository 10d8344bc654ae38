/** Opens the config for commands that only read it. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directorySource, resolveCommit, type Source } from '../reconciler/index.ts';
import { text, type Options } from './command.ts';
import type { Io } from './io.ts';
import { placeOf, stateDirOf } from './place.ts';
import { inEnvironment, openSource } from './source.ts';

/**
 * A folder on disk is read as it stands, so that people see what their edits would do before they commit them. With
 * `--ref`, and for a URL, the commit is read.
 */
export async function withSource<T>(
  options: Options,
  io: Io,
  use: (source: Source, stateDir: string) => Promise<T>,
): Promise<T> {
  const place = placeOf(text(options, 'repo') ?? '.', io.cwd);
  const stateDir = stateDirOf(options, place, io);
  const asFolder = !isUrl(place.repo) && text(options, 'ref') === undefined && !isBare(place.repo);
  if (asFolder) {
    await using source = inEnvironment(
      directorySource(join(place.repo, text(options, 'path') ?? ''), { asCommitted: true }),
      options,
    );
    return use(source, stateDir);
  }
  // The mirror of a running Slipway is its own; beside it, another one is kept for this.
  const known = existsSync(stateDir);
  const mirror = known ? join(stateDir, 'plan.git') : join(mkdtempSync(join(tmpdir(), 'slipway-plan-')), 'mirror.git');
  try {
    await using source = openSource(await withFullId(options, place.repo, io), place, mirror, io.log);
    return await use(source, stateDir);
  } finally {
    if (!known) rmSync(join(mirror, '..'), { recursive: true, force: true });
  }
}

/** In a repo on this disk people name commits as git lets them: `HEAD~1`, a short id, `origin/main`. */
async function withFullId(options: Options, repo: string, io: Io): Promise<Options> {
  const ref = text(options, 'ref');
  const id = ref === undefined || isUrl(repo) ? undefined : await resolveCommit(repo, ref, io.signal);
  return id === undefined ? options : { ...options, ref: id };
}

const isUrl = (repo: string): boolean => !repo.startsWith('/');
const isBare = (repo: string): boolean => existsSync(join(repo, 'objects')) && existsSync(join(repo, 'HEAD'));

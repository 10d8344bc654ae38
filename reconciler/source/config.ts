/** What a repository on this disk says of itself. */
import { git } from './git-command.ts';
import { envOf } from './objects.ts';
import type { Repository } from './source.ts';

/** @returns undefined where it is not set */
export async function localConfig(repository: string, name: string, signal: AbortSignal): Promise<string | undefined> {
  const value = await git(['config', '--local', '--get', name], { cwd: repository, signal }).catch(() => undefined);
  signal.throwIfAborted();
  return value?.trim();
}

/** @param value undefined takes it out */
export async function setLocalConfig(
  repository: string,
  name: string,
  value: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const args = value === undefined ? ['--unset-all', name] : [name, value];
  await git(['config', '--local', ...args], { cwd: repository, signal });
}

/** The branch that HEAD names, whether or not it exists yet: `refs/heads/main`. */
export async function headRefOf(repository: Repository, signal: AbortSignal): Promise<string> {
  return (await git(['symbolic-ref', 'HEAD'], { cwd: repository.dir, signal, ...envOf(repository) })).trim();
}

/** Where a working tree was cloned from; undefined where it was not. */
export async function originOf(folder: string, signal: AbortSignal): Promise<string | undefined> {
  const url = await git(['-C', folder, 'config', '--get', 'remote.origin.url'], { signal }).catch(() => undefined);
  signal.throwIfAborted();
  return url?.trim();
}

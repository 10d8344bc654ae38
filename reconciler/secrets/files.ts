/**
 * Secrets as files: in the memory of this host, in a directory of an instance's own. A value that changed is there at once,
 * without a restart: the whole file is replaced by a rename, which a container sees through a mount of the directory
 * (through one of the file it would not).
 */
import { randomBytes } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import type { SecretFile } from '../workload.ts';
import { openEnv } from './secrets.ts';

/** `TMPFS_MAGIC` of linux/magic.h. */
const TMPFS = 0x01021994;

/** Where instances that read files in one way find them: in a container, and beside it. */
export const SECRETS_DIR = '/run/secrets';

export interface SecretFilesDir {
  readonly path: string;
  /** The values, to be masked in what the program says. */
  readonly secrets: readonly string[];
  /** Names of files that were not there before, or had another value. */
  readonly changed: readonly string[];
}

/**
 * Writes an instance's secret files, as far as they are not there or their values changed. Called before the instance is
 * made, and on each pass from then on.
 * @param owner whose instances lie together: a name that no other driver and no other Slipway has
 * @throws SlipwayError isolation-unavailable where there is no memory to put them into; secret-unavailable, and then the
 * files stay as they were
 */
export async function refreshSecretFiles(
  owner: string,
  instance: string,
  files: readonly SecretFile[],
  open: OpenSecret,
): Promise<SecretFilesDir> {
  const entries = files.map(({ secret }, index) => ({ name: String(index), secret }));
  const { variables, secrets } = await openEnv(entries, open);
  const parent = await ownDirectory(owner, instance);
  const path = join(parent, instance);
  // Whoever it runs as must be able to read them, and may be anybody (`user: image`). On this host nobody gets here:
  // the parent directory is closed.
  await chmod(path, 0o755);
  const changed: string[] = [];
  for (const [index, { name }] of files.entries()) {
    const value = variables[index] ?? '';
    if (await holds(join(path, name), value)) continue;
    const draft = join(parent, `.${instance}-${randomBytes(6).toString('hex')}`);
    await writeFile(draft, value, { flag: 'wx', mode: 0o444 });
    await chmod(draft, 0o444);
    await rename(draft, join(path, name));
    changed.push(name);
  }
  return { path, secrets, changed };
}

/** What an instance's files hold now. */
export async function heldSecrets(owner: string, instance: string): Promise<string[]> {
  const parent = await ownParent(owner);
  if (!parent) return [];
  const path = join(parent, instance);
  const names = await readdir(path).catch(() => []);
  return Promise.all(names.map((name) => readFile(join(path, name), 'utf8')));
}

export async function removeSecretFiles(owner: string, instance: string): Promise<void> {
  const parent = await ownParent(owner);
  if (!parent) return;
  await rm(join(parent, instance), { recursive: true, force: true });
  await removeIfEmpty(parent);
}

/** Removes what instances left that are no longer there: after a crash, say. @param kept names of instances that are */
export async function sweepSecretFiles(owner: string, kept: Iterable<string>): Promise<void> {
  const parent = await ownParent(owner);
  const names = parent && (await readdir(parent).catch(() => undefined));
  if (!names) return;
  const wanted = new Set(kept);
  const gone = names.filter((name) => !wanted.has(name));
  await Promise.all(gone.map((name) => rm(join(parent, name), { recursive: true, force: true })));
  await removeIfEmpty(parent);
}

async function removeIfEmpty(path: string): Promise<void> {
  await rmdir(path).catch(() => {}); // It is not empty, or gone already.
}

/** @returns a directory that lies in memory; undefined where this host has none */
export function memoryDir(): string | undefined {
  const runtime = process.env['XDG_RUNTIME_DIR'];
  return ['/dev/shm', ...(runtime ? [runtime] : [])].find(isMemory);
}

/** @returns undefined where this host keeps nothing in memory */
function parentOf(owner: string): string | undefined {
  const memory = memoryDir();
  return memory && join(memory, `slipway-${owner}`);
}

/** @returns the directory only if it is this user's alone: in one of somebody else's, a removal could hit anything */
async function ownParent(owner: string): Promise<string | undefined> {
  const path = parentOf(owner);
  return path !== undefined && (await isOwn(path)) ? path : undefined;
}

async function isOwn(path: string): Promise<boolean> {
  try {
    const found = await lstat(path);
    return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
  } catch {
    return false;
  }
}

function isMemory(path: string): boolean {
  try {
    return statfsSync(path).type === TMPFS;
  } catch {
    return false;
  }
}

/** Makes the directory of an instance in one that is this user's alone. @returns the latter */
async function ownDirectory(owner: string, instance: string): Promise<string> {
  const path = parentOf(owner);
  if (!path)
    throw new SlipwayError(
      'isolation-unavailable',
      'Secret files are kept in memory only, and neither /dev/shm nor XDG_RUNTIME_DIR is a tmpfs here.',
      { hint: 'Mount a tmpfs at /dev/shm, or give the secrets as env.' },
    );
  await mkdir(path, { recursive: true, mode: 0o700 });
  // /dev/shm is everybody's: who made the directory first, or put a link there, would read what is written to it.
  if (!(await isOwn(path)))
    throw new SlipwayError('isolation-unavailable', `${path} does not belong to this user alone.`, {
      hint: 'Find out who made it, and remove it.',
    });
  try {
    await mkdir(join(path, instance));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return ownDirectory(owner, instance); // The last instance in it has just been removed.
    if (code !== 'EEXIST') throw error;
  }
  return path;
}

async function holds(path: string, value: string): Promise<boolean> {
  try {
    return (await readFile(path, 'utf8')) === value;
  } catch {
    return false; // It is not there yet.
  }
}

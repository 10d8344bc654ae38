/** The state directory: where things are, who owns it, and how it is written so that a crash leaves the old or the new. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../schemas/errors.ts';
import { statePaths, type StatePaths } from './state-dir.ts';
import { tryLock } from './lock-file.ts';

export interface StateDir extends Disposable {
  readonly root: string;
  /** Random, made once: what is ours carries it, and only what carries it is touched. */
  readonly owner: string;
  /** 32 bytes that seal client sessions, so that a restart loses none. */
  readonly sessionKey: Uint8Array;
  /** 32 bytes that seal the tokens of remote servers. */
  readonly vaultKey: Uint8Array;
  readonly paths: StatePaths;
}

/** Makes the directory, takes its lock, and reads or makes the owner id. @throws SlipwayError state-locked, state-unwritable */
export function openState(root: string): StateDir {
  const paths = statePaths(root);
  try {
    for (const dir of [
      root,
      paths.outbox,
      paths.logs,
      paths.packages,
      paths.work,
      paths.blobs,
      paths.sealed,
      paths.sockets,
    ]) {
      makeDir(dir);
    }
    checkOwn(paths.sockets);
    const held = lock(join(root, 'lock'));
    try {
      const owner = once(join(root, 'owner'), 16);
      const sessionKey = Buffer.from(once(join(root, 'session.key'), 32), 'hex');
      const vaultKey = Buffer.from(once(join(root, 'vault.key'), 32), 'hex');
      return { root, owner, sessionKey, vaultKey, paths, [Symbol.dispose]: () => held[Symbol.dispose]() };
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    throw unwritable(root, error);
  }
}

/** With what is above it. By hand: where a folder can hold none (`/proc`), Node's own `recursive` tries for ever. @throws as `mkdirSync` */
function makeDir(dir: string): void {
  if (existsSync(dir)) return;
  makeDir(dirname(dir));
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // Somebody else was faster.
  }
}

/**
 * Writes so that a reader, or the next start after a crash, sees the old content or the new one, never half of it.
 * @throws SlipwayError state-unwritable
 */
export function writeAtomically(path: string, content: string, mode = 0o600): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w', mode);
    try {
      writeSlices(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** So much is made bytes of at once (characters): what there is to 10 000 resources is 30 MB, and would be held twice. */
const SLICE = 2 ** 20;

function writeSlices(file: number, content: string): void {
  for (let at = 0, end = 0; at < content.length; at = end) {
    end = Math.min(content.length, at + SLICE);
    // A character that takes two must not be cut in half.
    if (content.charCodeAt(end - 1) >>> 10 === 0xd800 >>> 10 && end < content.length) end--;
    writeFileSync(file, content.slice(at, end));
  }
}

/**
 * The same without holding up what else is going on: the disk may take a tenth of a second.
 * @throws SlipwayError state-unwritable
 */
export async function replaceFile(path: string, content: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, content, { mode, flush: true });
    await rename(temporary, path);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** A full disk is the usual reason; it must be told, and told apart from a fault of ours. */
export function unwritable(path: string, error: unknown): SlipwayError {
  return new SlipwayError('state-unwritable', `Cannot write ${path}: ${(error as Error).message}`, { cause: error });
}

/** The JSON in a file; `undefined` when there is no file or it cannot be read as JSON. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** A value that is made once. One that cannot be read, or is damaged, is nobody's to replace but a person's: what it opens would be lost. */
function once(path: string, bytes: number): string {
  let value: string;
  try {
    value = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unwritable(path, error);
    value = randomBytes(bytes).toString('hex');
    writeAtomically(path, value);
  }
  if (new RegExp(`^[0-9a-f]{${bytes * 2}}$`).test(value)) return value;
  throw new SlipwayError('state-unwritable', `${path} is damaged: it should hold ${bytes * 2} hex digits.`, {
    hint: 'Put it back from a backup, or remove it: another one is made, and what the old one was for begins anew.',
  });
}

/**
 * A socket directory outside the state directory has a name that others can guess: whoever made it first could put
 * sockets of their own there and be taken for Slipway.
 */
function checkOwn(dir: string): void {
  const entry = lstatSync(dir);
  const { uid, mode } = entry;
  const isOwn = entry.isDirectory() && uid === (process.getuid?.() ?? uid) && (mode & 0o077) === 0;
  if (!isOwn) throw new SlipwayError('state-unwritable', `${dir} is not a directory that only this user can use.`);
}

/** One Slipway per state directory. @throws SlipwayError state-locked */
function lock(path: string): Disposable {
  const taken = tryLock(path);
  if (Symbol.dispose in taken) return taken;
  throw new SlipwayError('state-locked', `Another Slipway (pid ${taken.pid}) uses ${path}.`);
}

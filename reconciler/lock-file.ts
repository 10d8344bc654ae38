/** A file that one living process holds at a time, and that nobody ever reads half-written. */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identify, isSame, type ProcessIdentity } from './process-identity.ts';

/**
 * Takes the lock, or tells who has it. The lock of a dead process (or of another with its pid) is taken over.
 * @throws NodeJS.ErrnoException where the folder cannot be written, or the lock not be read
 */
export function tryLock(path: string): Disposable | ProcessIdentity {
  for (;;) {
    const held = read(path);
    if (held === undefined) {
      const mine = JSON.stringify(identify(process.pid));
      if (appears(path, mine)) return { [Symbol.dispose]: () => release(path, mine) };
      continue;
    }
    const holder = parsed(held);
    if (isSame(holder)) return holder;
    moveAway(path, held);
  }
}

/** A link appears with all its content at once: a file that is made and then written could be read empty, and taken for a dead one's. */
function appears(path: string, content: string): boolean {
  const own = besides(path);
  try {
    writeFileSync(own, content, { flag: 'wx', mode: 0o600 });
    return linked(own, path);
  } finally {
    rmSync(own, { force: true });
  }
}

/** Whoever moves it away first may go on; if it was a new one by then, it goes back. */
function moveAway(path: string, held: string): void {
  const moved = besides(path);
  try {
    renameSync(path, moved);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (read(moved) !== held) linked(moved, path);
  rmSync(moved, { force: true });
}

function release(path: string, mine: string): void {
  if (read(path) === mine) rmSync(path, { force: true });
}

const besides = (path: string): string => `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

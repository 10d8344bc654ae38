/** One writer at a time: two of them would each write over what the other wrote. */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, isSame } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';

const PATIENCE_MS = 15_000;
const PAUSE_MS = 20;

/**
 * Takes a lock file, or waits for it. One whose process is gone is taken over.
 * @throws SlipwayError conflict when another holds it for too long, state-unwritable
 */
export async function takeLock(path: string, signal: AbortSignal): Promise<Disposable> {
  const own = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(own, JSON.stringify(identify(process.pid)), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new SlipwayError('state-unwritable', `Cannot write ${own}: ${(cause as Error).message}`, { cause });
  }
  try {
    for (const deadline = Date.now() + PATIENCE_MS; ; await delay(PAUSE_MS, undefined, { signal })) {
      if (isTaken(own, path)) return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
      if (Date.now() > deadline) throw new SlipwayError('conflict', 'Another slipway is writing here.');
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/** A link appears with all its content at once, so nobody ever reads half a lock. */
function isTaken(own: string, path: string): boolean {
  if (linked(own, path)) return true;
  const holder = read(path);
  if (holder === undefined || isSame(parsed(holder))) return false;
  // Its process is gone. Whoever moves it away first may go on; if it was a new one by then, it goes back.
  const moved = `${own}.old`;
  try {
    renameSync(path, moved);
  } catch {
    return false;
  }
  if (read(moved) !== holder) linked(moved, path);
  rmSync(moved, { force: true });
  return false;
}

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
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

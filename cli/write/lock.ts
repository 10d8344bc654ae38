/** One writer at a time: two of them would each write over what the other wrote. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { tryLock } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';

const PATIENCE_MS = 15_000;
const PAUSE_MS = 20;

/**
 * Takes a lock file, or waits for it. One whose process is gone is taken over.
 * @throws SlipwayError conflict when another holds it for too long, state-unwritable
 */
export async function takeLock(path: string, signal: AbortSignal): Promise<Disposable> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(PAUSE_MS, undefined, { signal })) {
    const taken = attempt(path);
    if (Symbol.dispose in taken) return taken;
    if (Date.now() > deadline)
      throw new SlipwayError('conflict', `Another slipway (pid ${taken.pid}) is writing here.`);
  }
}

function attempt(path: string): ReturnType<typeof tryLock> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return tryLock(path);
  } catch (cause) {
    throw new SlipwayError('state-unwritable', `Cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** When an instance may be stopped: tasks that it works on go on after the answers to the calls that began them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Upstream } from './upstream.ts';

/** An instance that gives no answer so many times does not work on them any more. */
const MAX_SILENT = 3;

/** Resolves when no request waits for it, and no client for a task of it; asks after them meanwhile, because their clients may not. */
export async function settled(upstream: Upstream): Promise<void> {
  const { tasks } = upstream;
  await upstream.idle();
  for (let silent = 0; tasks.any && silent < MAX_SILENT;) {
    const late = new AbortController();
    await Promise.race([tasks.none(), sleep(tasks.pollMs, undefined, { signal: late.signal, ref: false })]);
    late.abort();
    silent = (await checked(upstream)) ? 0 : silent + 1;
    await upstream.idle();
  }
}

/** Asks how its tasks stand. @returns whether the server says anything at all */
export function checked(upstream: Upstream): Promise<boolean> {
  return upstream.tasks.check((method, params, options) => upstream.request(method, params, options));
}

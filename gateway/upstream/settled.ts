/** When an instance may be stopped: tasks that it works on go on after the answers to the calls that began them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Upstream } from './upstream.ts';

/** An instance that gives no answer so many times does not work on them any more. */
const MAX_SILENT = 3;

/** Resolves when no request waits for it, and no client for a task of it; asks after them meanwhile, because their clients may not. */
export async function settled(upstream: Upstream): Promise<void> {
  const { tasks } = upstream;
  await upstream.idle();
  let silent = 0;
  while (tasks.any) {
    const none = new AbortController();
    const stop = tasks.whenNone(() => none.abort());
    await sleep(tasks.pollMs, undefined, { signal: none.signal, ref: false }).catch(() => {});
    stop();
    silent = (await checked(upstream)) ? 0 : silent + 1;
    if (silent >= MAX_SILENT) tasks.clear();
    await upstream.idle();
  }
}

/** Asks how its tasks stand. @returns whether the server says anything at all */
export function checked(upstream: Upstream): Promise<boolean> {
  return upstream.tasks.check((method, params, options) => upstream.request(method, params, options));
}

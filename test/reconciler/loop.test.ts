/** When passes run. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { Loop, type LoopOptions, type Priority } from '../../reconciler/loop.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { silent } from '../../schemas/log.ts';

/** A loop whose passes end when the test says so. */
function held(options: Partial<LoopOptions<number>> = {}) {
  const passes: { priority: Priority; signal: AbortSignal; end: PromiseWithResolvers<number> }[] = [];
  const waiting: { count: number; began: () => void }[] = [];
  const loop = new Loop<number>({
    pass: (priority, signal) => {
      const end = Promise.withResolvers<number>();
      signal.addEventListener('abort', () => end.reject(signal.reason));
      passes.push({ priority, signal, end });
      for (const { count, began } of waiting) if (passes.length >= count) began();
      return end.promise;
    },
    wantsRetry: (result) => result < 0,
    log: silent,
    ...options,
  });
  /** The n-th pass, once it has begun. */
  const pass = async (n: number) => {
    if (passes.length < n) await new Promise<void>((began) => waiting.push({ count: n, began }));
    const found = passes[n - 1];
    if (!found) throw new Error(`no pass ${n}`);
    return found;
  };
  return { loop, passes, pass, [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose]() };
}

test('requests that come while a pass runs share one further pass', async () => {
  await using it = held();
  const first = it.loop.request('push');
  (await it.pass(1)).end.resolve(1);
  const running = it.loop.request('push');
  const { end } = await it.pass(2);
  const later = [it.loop.request('resync'), it.loop.request('push'), it.loop.request('wake')];
  expect(it.passes).toHaveLength(2);
  end.resolve(2);
  (await it.pass(3)).end.resolve(3);
  expect([await first, await running, ...(await Promise.all(later))]).toEqual([1, 2, 3, 3, 3]);
  expect(it.passes).toHaveLength(3);
});

test('requests that wait together get the highest of their priorities', async () => {
  await using it = held();
  const first = it.loop.request('resync');
  const { end } = await it.pass(1);
  const rest = [it.loop.request('resync'), it.loop.request('push'), it.loop.request('retry')];
  end.resolve(1);
  const second = await it.pass(2);
  expect(second.priority).toBe('push');
  second.end.resolve(2);
  await Promise.all([first, ...rest]);
});

test('a newer push ends what the pass before waits for; anything else waits', async () => {
  await using it = held();
  const first = it.loop.request('push').catch((error: unknown) => error);
  const { signal } = await it.pass(1);
  const polite = it.loop.request('push');
  expect(signal.aborted).toBe(false);
  const urgent = it.loop.request('push', true);
  expect(signal.aborted).toBe(true);
  expect(await first).toMatchObject({ code: 'superseded' });
  (await it.pass(2)).end.resolve(2);
  expect(await Promise.all([polite, urgent])).toEqual([2, 2]);
});

test('failures are tried again with pauses that double up to a limit, with jitter, and start over after a success', async () => {
  const pauses: number[] = [];
  const timer = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms: number) => {
    pauses.push(ms);
    queueMicrotask(run);
    return undefined;
  }) as unknown as typeof setTimeout);
  try {
    let randoms = 0;
    await using it = held({ firstPauseMs: 100, longestPauseMs: 400, random: () => [0, 0.5, 1][randoms++ % 3] ?? 0 });
    void it.loop.request('push').catch(() => {});
    for (let pass = 1; pass <= 4; pass++) (await it.pass(pass)).end.reject(new SlipwayError('source-unreachable'));
    (await it.pass(5)).end.resolve(-1); // Something was left undone.
    (await it.pass(6)).end.resolve(1);
    const again = it.loop.request('push');
    (await it.pass(7)).end.reject(new SlipwayError('source-unreachable'));
    await expect(again).rejects.toMatchObject({ code: 'source-unreachable' });
    (await it.pass(8)).end.resolve(1);
    expect(pauses.map(Math.round)).toEqual([80, 200, 480, 320, 400, 120]);
    expect((await it.pass(8)).priority).toBe('retry');
  } finally {
    timer.mockRestore();
  }
});

test('what only a person can mend is not tried again', async () => {
  const logged: string[] = [];
  await using it = held({ firstPauseMs: 1, log: (_level, message) => logged.push(message) });
  const refused = it.loop.request('push');
  (await it.pass(1)).end.reject(new SlipwayError('invalid-config', 'two issues'));
  await expect(refused).rejects.toMatchObject({ code: 'invalid-config' });
  const next = it.loop.request('resync');
  expect((await it.pass(2)).priority).toBe('resync');
  (await it.pass(2)).end.resolve(1);
  await next;
  expect(logged).toEqual(['two issues']);
});

test('a loop that stops ends the pass that runs, refuses those that wait, and takes no more', async () => {
  const it = held();
  const running = it.loop.request('push').catch((error: unknown) => error);
  await it.pass(1);
  const waiting = it.loop.request('push').catch((error: unknown) => error);
  await it.loop[Symbol.asyncDispose]();
  for (const request of [running, waiting, it.loop.request('push').catch((error: unknown) => error)])
    expect(await request).toMatchObject({ code: 'shutting-down' });
  expect(it.passes).toHaveLength(1);
});

test('a pass that outlives its loop is not tried again', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const end = Promise.withResolvers<number>();
  const loop = new Loop<number>({ pass: () => end.promise, wantsRetry: () => true, log: silent });
  const request = loop.request('push');
  await Promise.resolve(); // The pass has begun.
  const ended = loop[Symbol.asyncDispose]();
  end.resolve(1);
  await ended;
  expect(await request).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

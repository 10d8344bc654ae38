/** The small helpers, and the pauses after crashes. */
import { expect, test } from 'vitest';
import { coalesce, limiter, pause, untilAborted } from '../../reconciler/async.ts';
import { CrashBackoff } from '../../reconciler/bridge/crash-backoff.ts';

test('calls during a run share the next one, and nobody gets a result older than their call', async () => {
  const runs: PromiseWithResolvers<number>[] = [];
  const work = coalesce(() => {
    const run = Promise.withResolvers<number>();
    runs.push(run);
    return run.promise;
  });
  const first = work();
  const [second, third] = [work(), work()];
  expect(runs).toHaveLength(1);
  runs[0]?.reject(new Error('the first failed'));
  await expect(first).rejects.toThrow('the first failed');
  await Promise.resolve();
  expect(runs).toHaveLength(2);
  const fourth = work();
  runs[1]?.resolve(2);
  expect(await Promise.all([second, third])).toEqual([2, 2]);
  expect(runs).toHaveLength(3);
  runs[2]?.resolve(3);
  expect(await fourth).toBe(3);
});

test('never more tasks at a time than allowed, in the order they came, also after failures', async () => {
  const limit = limiter(3);
  const order: number[] = [];
  let [running, most] = [0, 0];
  const tasks = Array.from({ length: 20 }, (_, index) =>
    limit(async () => {
      order.push(index);
      most = Math.max(most, ++running);
      for (let tick = 0; tick < index % 4; tick++) await Promise.resolve();
      running--;
      if (index % 5 === 0) throw new Error(`${index}`);
      return index;
    }),
  );
  const results = await Promise.allSettled(tasks);
  expect(results.filter((result) => result.status === 'rejected')).toHaveLength(4);
  expect(most).toBe(3);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
});

test('a wait ends with the signal or the promise, whichever is first, and leaves no listener', async () => {
  const reason = new Error('enough');
  const stop = new AbortController();
  const never = new Promise<never>(() => {});
  const waiting = untilAborted(never, stop.signal);
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(untilAborted(Promise.resolve(1), stop.signal)).rejects.toBe(reason);
  expect(await untilAborted(Promise.resolve(1), new AbortController().signal)).toBe(1);
  expect(await untilAborted(Promise.resolve(1), undefined)).toBe(1);
  await expect(untilAborted(Promise.reject(reason), new AbortController().signal)).rejects.toBe(reason);
  await expect(pause(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('pauses after crashes: 1, 2, 4 … 60 s, and from the start again after a minute of health', () => {
  let now = 0;
  const crashes = new CrashBackoff(() => now);
  expect(crashes.waitMs()).toBe(0);
  const pauses = Array.from({ length: 9 }, () => {
    const wait = crashes.crashed();
    expect(crashes.waitMs()).toBe(wait);
    now += wait;
    expect(crashes.waitMs()).toBe(0);
    return wait / 1000;
  });
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  now += 60_001;
  expect(crashes.crashed()).toBe(1000);
  expect(crashes.total).toBe(10);
});

test('what nobody waits for any more may fail in peace', async () => {
  const later = Promise.withResolvers<never>();
  const aborted = AbortSignal.abort(new Error('superseded'));
  await expect(untilAborted(later.promise, aborted)).rejects.toThrow('superseded');
  // Were it unhandled, the process (here the test runner) would end.
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  later.reject(new Error('too late'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

test('coalesced work never runs twice at once, whenever it is asked for', async () => {
  let running = 0;
  let runs = 0;
  const work = coalesce(async () => {
    expect(++running).toBe(1);
    runs++;
    await Promise.resolve();
    running--;
  });
  const first = work().then(() => work());
  const second = work();
  await Promise.all([first, second, second.then(() => work())]);
  expect(runs).toBeGreaterThanOrEqual(2);
});

/** Threads: work is done beside the event loop, stopped when it must be, and nothing is left of it. */
import { expect, test } from 'vitest';
import { TaskLost, Workers, type Task } from '../../gateway/workers.ts';
import type { ScriptInput } from '../../gateway/script/in-worker.ts';
import { eventually } from '../helpers/until.ts';

const input = (script: string, cpuMs = 60_000): ScriptInput => ({
  script,
  caps: { cpuMs, memoryBytes: 16 * 2 ** 20, resultChars: 1_000, questionChars: 1_000 },
  maxCalls: 50,
  maxConcurrentCalls: 8,
  consoleChars: 1_000,
});

const task = (script: string, more: Partial<Task> = {}): Task => ({
  name: 'script',
  input: input(script),
  timeoutMs: 60_000,
  ...more,
});

test('what computes holds nobody up, asks, says, and is answered', async () => {
  await using workers = new Workers({ most: 2 });
  expect(workers.size).toBe(0);
  const told: unknown[] = [];
  const done = workers.run(
    task(
      'console.log("first", [1]); const a = await callTool("x", { b: 2 }); for (let i = 0; i < 3e6; i++); return a;',
      {
        onTold: (message) => told.push(message),
        onAsked: async (question) => JSON.stringify({ structuredContent: { asked: question } }),
      },
    ),
  );
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  expect(await done).toEqual({ ok: true, json: '{"asked":{"op":"call","name":"x","args":{"b":2}}}' });
  clearInterval(timer);
  expect(told).toEqual(['first [1]']);
  expect(turns).toBeGreaterThan(10);
  expect(workers.size).toBe(1);
});

test('one that is over its time ends with its thread, and the next gets another', async () => {
  await using workers = new Workers({ most: 1 });
  const late = workers.run(task('while (true) {}', { timeoutMs: 500 }));
  const next = workers.run(task('return 1;'));
  const lost: unknown = await late.catch((error: unknown) => error);
  expect(lost).toBeInstanceOf(TaskLost);
  expect(lost).toMatchObject({ why: 'time' });
  expect(await next).toEqual({ ok: true, json: '1' });
});

test('an abort stops what runs, and what still waits', async () => {
  await using workers = new Workers({ most: 1 });
  const stop = new AbortController();
  const asked = Promise.withResolvers<void>();
  const running = workers.run(
    task('await callTool("x"); while (true) {}', { signal: stop.signal, onAsked: async () => (asked.resolve(), '1') }),
  );
  const waiting = workers.run(task('return 1;', { signal: stop.signal }));
  await asked.promise;
  stop.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
  await expect(waiting).rejects.toThrow('enough');
  await expect(workers.run(task('', { signal: stop.signal }))).rejects.toThrow('enough');
  expect(await workers.run(task('return 2;'))).toEqual({ ok: true, json: '2' });
});

test('nobody has all threads, and those who wait have their turn in order', async () => {
  await using workers = new Workers({ most: 2 });
  const gate = Promise.withResolvers<string>();
  const first = Promise.withResolvers<void>();
  const order: string[] = [];
  const wait = (name: string, by: string): Promise<unknown> =>
    workers.run(
      task('return callTool("x");', {
        by,
        onAsked: () => (first.resolve(), order.push(name), name === 'a1' ? gate.promise : Promise.resolve('1')),
      }),
    );
  const a1 = wait('a1', 'a');
  await first.promise;
  const a2 = wait('a2', 'a');
  const b1 = wait('b1', 'b');
  await b1;
  expect(order).toEqual(['a1', 'b1']);
  gate.resolve('1');
  await Promise.all([a1, a2]);
  expect(order).toEqual(['a1', 'b1', 'a2']);
  expect(workers.size).toBe(2);
});

test('starving others: whoever has many tasks wait is refused before the queue is full for everybody', async () => {
  await using workers = new Workers({ most: 1 });
  const gate = Promise.withResolvers<string>();
  const wait = (by: string): Promise<unknown> =>
    workers.run(task('return callTool("x");', { by, onAsked: () => gate.promise }));
  const many = Array.from({ length: 30 }, () => wait('a').catch((error: unknown) => error));
  const other = wait('b');
  gate.resolve('1');
  const codes = (await Promise.all(many)).map((end) => (end as { code?: string }).code);
  expect(codes.filter((code) => code === 'concurrency-limited')).toHaveLength(9);
  expect(await other).toMatchObject({ ok: true });
});

test('threads end when there is no work, and at the end', async () => {
  const workers = new Workers({ most: 2, idleMs: 50 });
  await workers.run(task('return 1;'));
  await eventually(() => workers.size === 0);
  const running = workers.run(task('while (true) {}'));
  const failed = expect(running).rejects.toMatchObject({ code: 'shutting-down' });
  await workers[Symbol.asyncDispose]();
  await failed;
  await expect(workers.run(task('return 1;'))).rejects.toMatchObject({ code: 'shutting-down' });
  expect(workers.size).toBe(0);
});

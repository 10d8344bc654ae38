/** The bridge: many clients, one process that starts when it is needed, comes back when it falls, and sleeps when it may. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { callTool, initialize } from '../helpers/mcp.ts';
import { connected, logOf, logged, processRig, untilState } from '../helpers/process-driver.ts';
import { isAlive, program, survivors } from '../helpers/processes.ts';
import { workload, type WorkloadOptions } from '../helpers/workload.ts';

const never = (): AbortSignal => new AbortController().signal;

/** A process driver with one instance of a program. */
async function bridge(name: string, options: Omit<WorkloadOptions, 'argv'> = {}) {
  const rig = await processRig();
  const { id } = await rig.driver.ensure(workload({ argv: program(name), ...options }), 0, never());
  return {
    id,
    driver: rig.driver,
    connect: (handlers = {}) => connected(rig.driver, id, handlers),
    observe: async () => (await rig.driver.list(never())).find((instance) => instance.id === id),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

test('a server starts with its first request, not before', async () => {
  await using it = await bridge('good');
  expect(await it.observe()).toMatchObject({ state: 'sleeping' });
  expect((await it.observe())?.pid).toBeUndefined();
  const connection = await it.connect();
  const running = await it.observe();
  expect(running).toMatchObject({ state: 'running', restarts: 0 });
  expect(await callTool(connection, 'pid')).toBe(String(running?.pid));
});

test('a server that is always wanted starts by itself', async () => {
  await using it = await bridge('good', { lifecycle: 'always' });
  expect((await untilState(it.driver, it.id, 'running')).pid).toBeDefined();
});

test('an idle server is stopped, and wakes for the next call on the same connection', async () => {
  await using it = await bridge('good', { idleTimeoutMs: 50 });
  const connection = await it.connect();
  const first = Number(await callTool(connection, 'pid'));
  await untilState(it.driver, it.id, 'sleeping');
  expect(isAlive(first)).toBe(false);
  const second = Number(await callTool(connection, 'pid'));
  expect(second).not.toBe(first);
  expect(await it.observe()).toMatchObject({ restarts: 0 });
});

test('a server that works is not idle, however long it takes', async () => {
  await using it = await bridge('slow', { idleTimeoutMs: 30 });
  const connection = await it.connect();
  const waiting = callTool(connection, 'wait', { tag: 'a' });
  // Calls that end all the time would let the idle timer run if the one that waits did not count.
  for (let call = 0; call < 20; call++) await callTool(connection, 'cancelled');
  let idle = false;
  const done = it.driver.idle?.(it.id, never()).then(() => (idle = true));
  await callTool(connection, 'cancelled');
  expect(idle).toBe(false);
  expect(await callTool(connection, 'release')).toBe('released 1');
  expect(await waiting).toBe('done a');
  await done;
});

test('a server that works on a task is not idle either, and sleeps when its client has what it brought', async () => {
  await using it = await bridge('tasks', { idleTimeoutMs: 40 });
  const connection = await it.connect();
  const { task } = (await connection.request('tools/call', { name: 'work', task: {} })) as { task: { taskId: string } };
  const { taskId } = task;
  // The bridge asks each time that it would put it to sleep.
  await expect.poll(async () => Number(await callTool(connection, 'asked')), { interval: 60 }).toBeGreaterThan(2);
  expect(await connection.request('tasks/get', { taskId })).toMatchObject({ status: 'working' });
  const pid = await callTool(connection, 'finish');
  expect(await connection.request('tasks/result', { taskId })).toMatchObject({ content: [{ text: `done by ${pid}` }] });
  await untilState(it.driver, it.id, 'sleeping');
});

test('a server that is subscribed to while it is asked about its tasks stays awake when they are over', async () => {
  await using it = await bridge('tasks', { idleTimeoutMs: 40 });
  const connection = await it.connect();
  await connection.request('tools/call', { name: 'work', task: {} });
  await callTool(connection, 'forget');
  // By now it is asked, and takes its time.
  await sleep(150);
  await connection.request('resources/subscribe', { uri: 'mem://a' });
  await sleep(500);
  expect(await it.observe()).toMatchObject({ state: 'running' });
});

test('after a crash the next call works soon: after the pause of a second and its own start', async () => {
  await using it = await bridge('crash-on-call');
  const connection = await it.connect();
  const first = await callTool(connection, 'pid');
  await expect(callTool(connection, 'crash')).rejects.toMatchObject({
    code: 'upstream-unavailable',
    message: 'The server ended: it exited with code 7.',
  });
  const began = performance.now();
  expect(await it.observe()).toMatchObject({ state: 'crashed', restarts: 1, lastError: 'it exited with code 7' });
  expect(await callTool(connection, 'pid')).not.toBe(first);
  expect(performance.now() - began).toBeLessThan(15_000); // 1.5 s on a machine that does nothing else.
  expect(await logOf(it.driver, it.id)).toMatch(
    /stderr out of memory\n.* slipway the server failed: it exited with code 7/,
  );
});

test(
  'a server that keeps crashing is given growing pauses, and calls are refused with the reason',
  { timeout: 120_000 },
  async () => {
    await using it = await bridge('crash-at-start');
    const connection = it.driver.connect?.(it.id, {});
    const refused = await (async () => {
      for (;;) {
        const error = await connection?.request('tools/list', {}).catch((thrown: unknown) => thrown);
        if ((error as { code?: string }).code === 'crash-loop') return error;
        expect(error).toMatchObject({ code: 'not-ready' });
      }
    })();
    expect((refused as Error).message).toMatch(/keeps crashing \(.*exited with code 3.*\); next try in \d+ s/);
    expect((await it.observe())?.restarts).toBe(4); // 1 + 2 + 4 s were waited out; 8 s are too long for a caller.
  },
);

test('connections share one process, and their answers are not mixed up', async () => {
  await using it = await bridge('good');
  const connections = await Promise.all(Array.from({ length: 10 }, () => it.connect()));
  expect(new Set(await Promise.all(connections.map((connection) => callTool(connection, 'pid')))).size).toBe(1);
  const asked = Array.from({ length: 300 }, async (_, index) => {
    const connection = connections[index % 10];
    return connection && callTool(connection, 'echo', { message: `${index}` });
  });
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 300 }, (_, index) => `${index}`));
});

test('banners, half lines and characters cut in two do no harm', async () => {
  await using it = await bridge('garbage');
  const connection = await it.connect();
  expect(await callTool(connection, 'echo', { message: 'zweimal ü und 世界' })).toBe('zweimal ü und 世界');
  expect(await logOf(it.driver, it.id)).toContain('stdout *** Welcome to my server! ***');
});

test('a message of 5 MB passes in both directions', async () => {
  await using it = await bridge('good');
  const message = 'x'.repeat(5_000_000);
  expect((await callTool(await it.connect(), 'echo', { message })).length).toBe(5_000_000);
});

test('a call that is cancelled is cancelled in the server, and only that one', async () => {
  await using it = await bridge('slow');
  const [one, two] = [await it.connect(), await it.connect()];
  const cancel = new AbortController();
  const first = callTool(one, 'wait', { tag: 'first' }, { signal: cancel.signal }).catch((error: unknown) => error);
  const second = callTool(two, 'wait', { tag: 'second' });
  await logged(it.driver, it.id, 'waiting second');
  cancel.abort();
  expect(await first).toMatchObject({ code: 'cancelled' });
  await logged(it.driver, it.id, 'cancelled first: 1');
  await callTool(two, 'release');
  expect(await second).toBe('done second');
  expect(await callTool(two, 'cancelled')).toBe('1');
});

test('what the server asks goes to the one client whose call runs, and to nobody where that is not clear', async () => {
  await using it = await bridge('asks');
  const asked: string[] = [];
  const client = (name: string) =>
    it.connect({
      onRequest: async ({ params }: { params?: Record<string, unknown> }) => {
        asked.push(`${name}: ${String(params?.['message'])}`);
        return { action: 'accept', by: name };
      },
    });
  const [one, two] = [await client('one'), await client('two')];
  expect(JSON.parse(await callTool(one, 'ask', { question: 'q1' }))).toEqual({ action: 'accept', by: 'one' });
  expect(JSON.parse(await callTool(two, 'ask', { question: 'q2' }))).toEqual({ action: 'accept', by: 'two' });
  const both = await Promise.all([callTool(one, 'ask', { question: 'q3' }), callTool(two, 'ask', { question: 'q4' })]);
  expect(asked).toEqual(['one: q1', 'two: q2']);
  for (const answer of both) expect(JSON.parse(answer)).toMatchObject({ code: -32_601 });
});

test('progress comes back under the token that the client chose, news to everybody', async () => {
  await using it = await bridge('asks');
  const progress: unknown[] = [];
  const told: string[] = [];
  const listen = (name: string) =>
    it.connect({
      onRequest: async () => ({}),
      onNotification: ({ method }: { method: string }) => told.push(`${name}: ${method}`),
    });
  const [one] = [await listen('one'), await listen('two')];
  await callTool(
    one,
    'ask',
    { question: 'q' },
    { progressToken: 'mine', onProgress: (update) => progress.push(update) },
  );
  expect(progress).toEqual([{ progressToken: 'mine', progress: 1 }]);
  await callTool(one, 'tell');
  expect(told.sort()).toEqual(['one: notifications/tools/list_changed', 'two: notifications/tools/list_changed']);
});

test('a server that never answers is given up after its time, and ended', async () => {
  await using it = await bridge('silent', { rollout: { timeoutMs: 200 } });
  const connection = it.driver.connect?.(it.id, {});
  const starting = untilState(it.driver, it.id, 'starting');
  const request = connection && initialize(connection).catch((error: unknown) => error);
  await starting;
  expect(await request).toMatchObject({
    code: 'not-ready',
    message: 'The server did not answer initialize within 0.2 s.',
  });
  expect((await it.observe())?.pid).toBeUndefined();
});

test('a server that does not read its input cannot bring Slipway down', async () => {
  await using it = await bridge('deaf');
  const connection = await it.connect();
  const cancel = new AbortController();
  const message = 'x'.repeat(4_000_000);
  const calls = Array.from({ length: 20 }, () =>
    callTool(connection, 'echo', { message }, { signal: cancel.signal }).catch((error: unknown) => error),
  );
  expect(await calls.at(-1)).toMatchObject({ code: 'upstream-unavailable' });
  cancel.abort();
  expect(await calls[0]).toMatchObject({ code: 'cancelled' });
  connection.notify('notifications/roots/list_changed');
  await it.driver.remove(it.id, never());
});

test('whatever a server started goes with it', async () => {
  await using it = await bridge('family');
  const pids = JSON.parse(await callTool(await it.connect(), 'pids')) as number[];
  expect(await survivors(pids, 0)).toHaveLength(2);
  await it.driver.remove(it.id, never());
  expect(await survivors(pids)).toEqual([]);
});

test('a server that falls while its child holds on to the pipes has fallen, and takes the child along', async () => {
  await using it = await bridge('family');
  const connection = await it.connect();
  const pids = JSON.parse(await callTool(connection, 'pids')) as number[];
  await expect(callTool(connection, 'crash', {}, { signal: AbortSignal.timeout(20_000) })).rejects.toMatchObject({
    code: 'upstream-unavailable',
  });
  expect(await survivors(pids)).toEqual([]);
  expect(JSON.parse(await callTool(connection, 'pids'))).toHaveLength(2);
});

test('a server that ignores the end of its input and every signal is ended nevertheless', async () => {
  await using it = await bridge('stubborn');
  const pid = Number(await callTool(await it.connect(), 'pid'));
  await it.driver.remove(it.id, never());
  expect(isAlive(pid)).toBe(false);
});

/** Tasks where a server has several instances: each stays with the one that works on it, which stays until it is done. */
import { expect, test } from 'vitest';
import type { Endpoint, ServerEntry, Snapshot } from '../../schemas/snapshot.ts';
import { principal, session, snapshot, start, type Session } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';
import { modernServer } from './helpers/modern-upstream.ts';
import { begin, taskServer } from './helpers/tasks.ts';

const principals = [principal('ada', 'sesame'), principal('eve', 'thief')];
const EXTENSION = 'io.modelcontextprotocol/tasks';

const served = (...endpoints: Endpoint[]): Snapshot => snapshot({ servers: { up: { endpoints } }, principals });

const ada = (url: string): Promise<Session> => session(url, { token: 'sesame' });

const POLLED = { pollInterval: 250 };

/** Two instances of one server, and the task that a session has begun on each: both call it t1. */
async function each() {
  const [one, two] = [await taskServer('one'), await taskServer('two')];
  const servers: Record<string, Partial<ServerEntry>> = { up: { endpoints: [one.endpoint, two.endpoint] } };
  const gateway = await start({ servers, principals });
  const begun = new Map<object, string>();
  while (begun.size < 2) {
    const taskId = await begin(await ada(gateway.url), 'up__work');
    const at = [one, two].find((up) => up.tasks.size > 0 && !begun.has(up));
    if (at) begun.set(at, taskId);
  }
  return { one, two, gateway, ofOne: String(begun.get(one)), ofTwo: String(begun.get(two)) };
}

test('whatever session asks, each of two instances is asked for its own, although they gave one id', async () => {
  const { one, two, gateway, ofOne, ofTwo } = await each();
  await using _ = gateway;
  expect(ofOne).not.toBe(ofTwo);
  for (let turn = 0; turn < 8; turn++) {
    const mine = await ada(gateway.url);
    for (const [taskId, name] of [
      [ofOne, 'one'],
      [ofTwo, 'two'],
    ] as const)
      expect((await mine.rpc('tasks/result', { taskId })).json.result).toMatchObject({ content: [{ text: name }] });
  }
  const mine = await ada(gateway.url);
  const { tasks } = (await mine.rpc('tasks/list')).json.result as { tasks: { taskId: string }[] };
  expect(tasks.map(({ taskId }) => taskId)).toEqual(expect.arrayContaining([ofOne, ofTwo]));
  expect([one, two].every(({ seen }) => seen.some(({ method }) => method === 'tasks/list'))).toBe(true);
});

test('a client without sessions finds its task as well', async () => {
  const ups = await Promise.all(
    ['one', 'two'].map((name) =>
      modernServer(({ method, params }) => {
        const capabilities = { tools: {}, extensions: { [EXTENSION]: {} } };
        if (method === 'server/discover') return { result: { supportedVersions: ['2026-07-28'], capabilities } };
        if (method === 'tools/call')
          return { result: { resultType: 'task', taskId: 't1', status: 'working', by: name } };
        if (method === 'tasks/get') return { result: { taskId: params?.['taskId'], status: 'working', by: name } };
        return undefined;
      }),
    ),
  );
  const endpoints = ups.map(({ endpoint }, at) => ({ ...endpoint, id: `up-${at}` }));
  await using gateway = await start({ servers: { up: { endpoints } }, principals });
  const by = { token: 'sesame', capabilities: { extensions: { [EXTENSION]: {} } } };
  const began = new Set<unknown>();
  for (let turn = 0; turn < 6; turn++) {
    const { result } = (await ask(gateway.url, 'tools/call', { name: 'up__echo', arguments: {} }, by)).json;
    began.add(result?.['by']);
    for (let again = 0; again < 3; again++) {
      const got = (await ask(gateway.url, 'tasks/get', { taskId: result?.['taskId'] }, by)).json.result;
      expect(got).toMatchObject({ taskId: result?.['taskId'], by: result?.['by'] });
    }
  }
  expect(began.size).toBe(2);
  for (const up of ups) await up[Symbol.asyncDispose]();
});

test('a rollout waits for the task of the old version, which answers for it until its client has the result', async () => {
  const [old, next] = [await taskServer('old', POLLED), await taskServer('next')];
  await using gateway = await start(served(old.endpoint));
  const mine = await ada(gateway.url);
  const taskId = await begin(mine, 'up__work');
  await gateway.swap(served(next.endpoint));
  let drained = false;
  const idle = gateway.idle(['old']).then(() => (drained = true));
  // What is new goes to the new version.
  expect((await mine.rpc('tools/call', { name: 'up__work' })).json.result).toMatchObject({
    content: [{ text: 'next' }],
  });
  expect((await mine.rpc('tasks/get', { taskId })).json.result).toMatchObject({ taskId, status: 'working' });
  await expect.poll(() => old.seen.length).toBeGreaterThan(2);
  expect(drained).toBe(false);
  expect((await mine.rpc('tasks/result', { taskId })).json.result).toMatchObject({ content: [{ text: 'old' }] });
  await idle;
  expect(next.seen).toEqual([]);
  // Its connection is gone then: the new version is asked, and knows nothing of it.
  expect((await mine.rpc('tasks/get', { taskId })).json.error).toBeDefined();
  expect(next.seen).toEqual([{ method: 'tasks/get', taskId: 't1' }]);
});

test('a version whose task nobody asks for any more is waited for as long as the task works', async () => {
  const [old, next] = [await taskServer('old', POLLED), await taskServer('next')];
  await using gateway = await start(served(old.endpoint));
  await begin(await ada(gateway.url), 'up__work');
  await gateway.swap(served(next.endpoint));
  const idle = gateway.idle(['old']);
  await expect.poll(() => old.seen.length).toBeGreaterThan(1);
  old.tasks.clear();
  await idle;
});

test('an instance of one client is its own as long as a task of it works there', async () => {
  const up = await taskServer('up', POLLED);
  const entry = { endpoints: [up.endpoint], isolated: { maxInstances: 1, idleMs: 40 } };
  await using gateway = await start({ servers: { up: entry }, principals });
  await begin(await ada(gateway.url), 'up__work');
  const other = await ada(gateway.url);
  const call = async (): Promise<unknown> => (await other.rpc('tools/call', { name: 'up__work' })).json;
  await expect.poll(() => up.seen.length).toBeGreaterThan(1);
  expect(await call()).toMatchObject({ error: { message: expect.stringContaining('in use') as string } });
  up.tasks.clear();
  await expect.poll(call).toMatchObject({ result: { content: [{ text: 'up' }] } });
});

test('instances that clients do not share give the same ids, and none is taken for another', async () => {
  const up = await taskServer('up', POLLED);
  const isolated = { maxInstances: 5, idleMs: 60_000 };
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], isolated } }, principals });
  const begun: string[] = [];
  for (const token of ['sesame', 'sesame', 'thief']) {
    up.tasks.clear();
    begun.push(await begin(await session(gateway.url, { token }), 'up__work'));
  }
  expect(new Set(begun).size).toBe(3);
});

test('where the instance of a task is away for a moment, no other is asked in its place', async () => {
  const { one, two, gateway, ofOne } = await each();
  await using _ = gateway;
  const mine = await ada(gateway.url);
  one.away(true);
  expect((await mine.rpc('tasks/get', { taskId: ofOne })).json.error?.data).toMatchObject({
    error_code: 'upstream-unavailable',
  });
  one.away(false);
  await expect
    .poll(async () => (await mine.rpc('tasks/get', { taskId: ofOne })).json.result)
    .toMatchObject({ taskId: ofOne });
  expect(two.seen).toEqual([]);
});

test('a version that stays for a task speaks for the server no more', async () => {
  const [old, next] = [await taskServer('old', POLLED), await taskServer('next')];
  await using gateway = await start(served(old.endpoint));
  const mine = await ada(gateway.url);
  await begin(mine, 'up__work');
  await gateway.swap(served(next.endpoint));
  await mine.rpc('tools/call', { name: 'up__work' });
  await expect.poll(() => old.listening()).toBe(true);
  const opened = old.opened();
  old.cut();
  await expect.poll(() => old.opened()).toBeGreaterThan(opened);
  await expect.poll(() => old.listening()).toBe(true);
  const { welcome } = await session(gateway.url, { token: 'sesame', path: '/servers/up/mcp' });
  expect(welcome).toMatchObject({ instructions: expect.stringContaining('I am next') as string });
});

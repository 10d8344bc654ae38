/** Tasks of many servers on one route: each goes to the server that has it, and is its principal's alone. */
import { expect, onTestFinished, test } from 'vitest';
import { converse, listen, principal, session, start } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';
import { modernServer } from './helpers/modern-upstream.ts';
import { begin, RELATED, taskServer } from './helpers/tasks.ts';

const EXTENSION = 'io.modelcontextprotocol/tasks';

const principals = [principal('ada', 'sesame'), principal('eve', 'thief')];

async function two() {
  const [one, other] = [await taskServer('one'), await taskServer('other')];
  const wish = { servers: { one: one.endpoint, other: other.endpoint }, principals };
  return { one, other, wish };
}

test('a result is waited for as long as the task takes, which may be longer than a call', async () => {
  const slow = await taskServer('slow', { takes: 400 });
  await using gateway = await start({ servers: { slow: { endpoints: [slow.endpoint], timeoutMs: 100 } }, principals });
  const mine = await session(gateway.url, { token: 'sesame' });
  const taskId = await begin(mine, 'slow__work');
  const { json } = await mine.rpc('tasks/result', { taskId });
  expect(json.result).toMatchObject({ content: [{ text: 'slow' }] });
});

test('two servers give the same id: each task is asked for, fetched and cancelled where it is, and all are listed', async () => {
  const { one, other, wish } = await two();
  await using gateway = await start(wish);
  const mine = await session(gateway.url, { token: 'sesame' });
  const [first, second] = [await begin(mine, 'one__work'), await begin(mine, 'other__work')];
  expect(first).not.toBe(second);
  expect((await mine.rpc('tasks/get', { taskId: second })).json.result).toEqual({ taskId: second, status: 'working' });
  const { result } = (await mine.rpc('tasks/result', { taskId: first })).json;
  expect(result).toEqual({ content: [{ type: 'text', text: 'one' }], _meta: { [RELATED]: { taskId: first } } });
  expect((await mine.rpc('tasks/cancel', { taskId: second })).json.result).toMatchObject({ taskId: second });
  expect(one.seen).toEqual([{ method: 'tasks/result', taskId: 't1' }]);
  expect(other.seen).toEqual(['tasks/get', 'tasks/cancel'].map((method) => ({ method, taskId: 't1' })));
  const listed = (await mine.rpc('tasks/list')).json.result?.['tasks'] as { taskId: string }[];
  expect(listed.map(({ taskId }) => taskId)).toEqual([first, second]);
  // On the server's own route, it is the same task.
  const alone = await session(gateway.url, { token: 'sesame', path: '/servers/one/mcp' });
  expect((await alone.rpc('tasks/get', { taskId: first })).json.result).toMatchObject({ taskId: first });
  expect((await alone.rpc('tasks/get', { taskId: second })).json.error).toMatchObject({ code: -32_602 });
});

test('cross-client leak: nobody lists, asks for, fetches or cancels the task of another, by its id or by one made up', async () => {
  const { one, wish } = await two();
  await using gateway = await start(wish);
  const [ada, eve] = [await session(gateway.url, { token: 'sesame' }), await session(gateway.url, { token: 'thief' })];
  const hers = await begin(ada, 'one__work');
  const his = await begin(eve, 'one__work');
  const made = [hers, 't1', 'one.t1', his.replace(/t2$/, 't1'), `${'A'.repeat(22)}.one.t1`, '', `${his}x`];
  for (const taskId of made)
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel'])
      expect([taskId, (await eve.rpc(method, { taskId })).json.error]).toEqual([
        taskId,
        { code: -32_602, message: 'Task not found' },
      ]);
  expect(one.seen).toEqual([]);
  const listed = (await eve.rpc('tasks/list')).json.result?.['tasks'] as { taskId: string }[];
  expect(listed.map(({ taskId }) => taskId)).toEqual([his]);
});

test('cross-client leak: a server that gives one id twice hands the task of one user to no other', async () => {
  const { one, wish } = await two();
  await using gateway = await start(wish);
  const [ada, eve] = [await session(gateway.url, { token: 'sesame' }), await session(gateway.url, { token: 'thief' })];
  const hers = await begin(ada, 'one__work');
  one.tasks.clear();
  const call = { name: 'one__work', arguments: {}, task: {} };
  expect((await eve.rpc('tools/call', call)).json.error?.message).toBe('one gave the task an id that is taken');
  expect((await ada.rpc('tasks/get', { taskId: hers })).json.result).toMatchObject({ taskId: hers });
});

test('a task is found by its id after a restart of the gateway', async () => {
  const { wish } = await two();
  let taskId = '';
  {
    await using gateway = await start(wish);
    taskId = await begin(await session(gateway.url, { token: 'sesame' }), 'other__work');
  }
  await using gateway = await start(wish);
  const mine = await session(gateway.url, { token: 'sesame' });
  expect((await mine.rpc('tasks/get', { taskId })).json.result).toEqual({ taskId, status: 'working' });
});

test('what a server says of a task is heard by who began it, under the id that it knows, and by nobody else', async () => {
  const { one, wish } = await two();
  await using gateway = await start(wish);
  const [ada, eve] = [await session(gateway.url, { token: 'sesame' }), await session(gateway.url, { token: 'thief' })];
  const hers = await begin(ada, 'one__work');
  const his = await begin(eve, 'one__work');
  const streams = await Promise.all([
    listen(gateway.url, ada.id, '/mcp', undefined, 'sesame'),
    listen(gateway.url, eve.id, '/mcp', undefined, 'thief'),
  ]);
  await expect.poll(() => one.listening()).toBe(true);
  const said = (taskId: string) => ({ method: 'notifications/tasks/status', params: { taskId, status: 'completed' } });
  for (const id of ['t9', 't1', 't2']) one.say(said(id));
  for (const [at, taskId] of [hers, his].entries()) {
    expect(await streams[at]?.next()).toEqual({ jsonrpc: '2.0', ...said(taskId) });
    streams[at]?.close();
  }
});

test('progress of a task is told under the token of the call that began it, also after its answer', async () => {
  const { one, wish } = await two();
  await using gateway = await start(wish);
  const mine = await session(gateway.url, { token: 'sesame' });
  const call = { name: 'one__work', arguments: {}, task: {}, _meta: { progressToken: 'mine' } };
  const { json } = await mine.rpc('tools/call', call);
  const { taskId = '' } = (json.result?.['task'] ?? {}) as { taskId?: string };
  const stream = await listen(gateway.url, mine.id, '/mcp', undefined, 'sesame');
  await expect.poll(() => one.listening()).toBe(true);
  const said = (progressToken: unknown, id: string) => ({
    method: 'notifications/progress',
    params: { progressToken, progress: 0.5, _meta: { [RELATED]: { taskId: id } } },
  });
  for (const token of [99, one.tokens[0]]) one.say(said(token, 't1'));
  expect(await stream.next()).toEqual({ jsonrpc: '2.0', ...said('mine', taskId) });
  stream.close();
});

test('a question that belongs to a task names it as its client knows it, and the answer as the server does', async () => {
  const { one, wish } = await two();
  await using gateway = await start(wish);
  const mine = await session(gateway.url, { token: 'sesame', capabilities: { elicitation: {} } });
  const taskId = await begin(mine, 'one__work');
  one.tasks.set('t1', { taskId: 't1', status: 'input_required' });
  const call = { id: 5, method: 'tasks/result', params: { taskId } };
  const events = await converse(gateway.url, mine.id, call, '/mcp', 'sesame');
  const question = (await events.next()) as { id: string; method: string; params: Record<string, unknown> };
  const _meta = { [RELATED]: { taskId } };
  expect(question).toMatchObject({ method: 'elicitation/create', params: { message: 'Who?', _meta } });
  await mine.send({ id: question.id, result: { action: 'accept', content: {}, _meta } });
  expect(await events.next()).toMatchObject({ id: 5, result: { _meta } });
  expect(one.answers).toMatchObject([{ id: 'q', result: { _meta: { [RELATED]: { taskId: 't1' } } } }]);
});

test('the extension of 2026-07-28: two servers, one id, each asked for its own', async () => {
  const servers = await Promise.all(
    ['one', 'other'].map(async (name) => {
      const capabilities = { tools: {}, extensions: { [EXTENSION]: {} } };
      const up = await modernServer(({ method, params }) => {
        if (method === 'server/discover') return { result: { supportedVersions: ['2026-07-28'], capabilities } };
        if (method === 'tools/call') return { result: { resultType: 'task', taskId: 't1', status: 'working' } };
        if (method === 'tasks/get')
          return { result: { resultType: 'complete', taskId: params?.['taskId'], status: 'completed', by: name } };
        return method.startsWith('tasks/') ? { result: { resultType: 'complete' } } : undefined;
      });
      onTestFinished(() => up[Symbol.asyncDispose]());
      return [name, up] as const;
    }),
  );
  const wish = Object.fromEntries(servers.map(([name, { endpoint }]) => [name, { ...endpoint, id: name }]));
  await using gateway = await start({ servers: wish, principals });
  const by = { token: 'sesame', capabilities: { extensions: { [EXTENSION]: {} } } };
  const { result: found } = (await ask(gateway.url, 'server/discover', {}, by)).json;
  expect(found).toMatchObject({ capabilities: { extensions: { [EXTENSION]: {} } } });
  for (const [name, up] of servers) {
    const { result } = (await ask(gateway.url, 'tools/call', { name: `${name}__echo`, arguments: {} }, by)).json;
    const taskId = String(result?.['taskId']);
    expect(result).toMatchObject({ resultType: 'task', status: 'working' });
    const got = (await ask(gateway.url, 'tasks/get', { taskId }, by)).json;
    expect(got.result).toMatchObject({ resultType: 'complete', taskId, status: 'completed', by: name });
    await ask(gateway.url, 'tasks/cancel', { taskId }, by);
    // Whatever stands before the server routes by it (SEP-2663).
    const asked = up.seen.filter(({ message }) => message.method.startsWith('tasks/'));
    expect(
      asked.map(({ message, headers }) => [message.method, message.params?.['taskId'], headers['mcp-name']]),
    ).toEqual([
      ['tasks/get', 't1', 't1'],
      ['tasks/cancel', 't1', 't1'],
    ]);
    expect((await ask(gateway.url, 'tasks/get', { taskId }, { ...by, token: 'thief' })).json.error?.code).toBe(-32_602);
    // Nothing is known of its server yet, in a gateway that has just begun.
    await using next = await start({ servers: wish, principals });
    expect((await ask(next.url, 'tasks/get', { taskId }, by)).json.result).toMatchObject({ taskId, by: name });
  }
});

/** Two users of one shared server: neither sees the other's data, notices, questions or tasks, in either era. */
import { expect, test, vi } from 'vitest';
import { converse, listen, principal, raw, session, start, type Session } from '../gateway/helpers/gateway.ts';
import { ask, follow } from '../gateway/helpers/modern.ts';
import { modernServer } from '../gateway/helpers/modern-upstream.ts';
import { httpUpstream, listening, socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';

const principals = [
  principal('ada', 'tok-ada', { roles: ['member'] }),
  principal('eve', 'tok-eve', { roles: ['member'] }),
];
const kinds: Record<string, (name: string) => Promise<Upstream>> = {
  socket: (name) => socketUpstream(name, { all: true }),
  http: (name) => httpUpstream(name, { all: true, stream: true }),
};
const ROOTS = { capabilities: { roots: {} } };
const asks = { name: 'up__ask', arguments: { method: 'roots/list', askId: 'q' } };

async function pair(url: string): Promise<[ada: Session, eve: Session]> {
  const both = await Promise.all(['ada', 'eve'].map((name) => session(url, { token: `tok-${name}`, ...ROOTS })));
  for (const one of both) await one.rpc('tools/list');
  return both as [Session, Session];
}

for (const [kind, open] of Object.entries(kinds)) {
  test(`data: answers, progress and cancellations stay with the session that they belong to (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint }, principals });
    const [ada, eve] = await pair(gateway.url);
    const echo = (one: Session, text: string) => one.rpc('tools/call', { name: 'up__echo', arguments: { text } }, 1);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) => [echo(ada, `ada ${at}`), echo(eve, `eve ${at}`)]).flat(),
    );
    answers.forEach(({ text }, at) =>
      expect(text).toContain(at % 2 === 0 ? `up:ada ${at / 2}` : `up:eve ${(at - 1) / 2}`),
    );

    const hanging = ada.rpc('tools/call', { name: 'up__slow', arguments: { ms: 150 } }, 7);
    await eve.send({ method: 'notifications/cancelled', params: { requestId: 7 } });
    expect((await hanging).json.result).toBeDefined();

    const progress = { name: 'up__progress', arguments: {}, _meta: { progressToken: 'same' } };
    const [a, e] = await Promise.all(
      [ada, eve].map((one, at) =>
        converse(
          gateway.url,
          one.id,
          { id: 3, method: 'tools/call', params: progress },
          '/mcp',
          at === 0 ? 'tok-ada' : 'tok-eve',
        ),
      ),
    );
    for (const stream of [a, e]) {
      for (const step of [1, 2, 3])
        expect(await stream?.next()).toMatchObject({ params: { progress: step, progressToken: 'same' } });
      expect(await stream?.next()).toMatchObject({ id: 3, result: {} });
    }
  });

  test(`a session is worth nothing in other hands: no call, no stream, no end (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint }, principals });
    const [ada] = await pair(gateway.url);
    const stolen = {
      'Mcp-Session-Id': ada.id,
      Authorization: 'Bearer tok-eve',
      Accept: 'application/json, text/event-stream',
      'Content-Type': 'application/json',
    };
    for (const method of ['POST', 'GET', 'DELETE']) {
      const body = method === 'POST' ? JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }) : '';
      const answer = await raw(gateway.url, {
        method,
        path: '/mcp',
        headers: { ...stolen, 'Last-Event-ID': '0' },
        body,
      });
      expect([method, answer.status]).toEqual([method, 404]);
    }
    expect((await ada.rpc('ping')).json.result).toEqual({});
  });

  test(`notices: subscriptions and what a server logs for one are not the other’s (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint }, principals });
    const [ada, eve] = await pair(gateway.url);
    for (const one of [ada, eve]) await one.rpc('logging/setLevel', { level: 'debug' });
    const [a, e] = [
      await listen(gateway.url, ada.id, '/mcp', undefined, 'tok-ada'),
      await listen(gateway.url, eve.id, '/mcp', undefined, 'tok-eve'),
    ];
    await listening(up);
    await ada.rpc('resources/subscribe', { uri: 'mem://up/a' });
    const own = await converse(
      gateway.url,
      ada.id,
      { id: 4, method: 'tools/call', params: { name: 'up__log', arguments: { levels: ['error'] } } },
      '/mcp',
      'tok-ada',
    );
    expect(await own.next()).toMatchObject({ method: 'notifications/message' });
    up.say({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'mem://up/a' } });
    expect(await a.next()).toMatchObject({ method: 'notifications/resources/updated' });
    // What is for everybody is the first that the other hears.
    up.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' });
    expect(await e.next()).toMatchObject({ method: 'notifications/prompts/list_changed' });
    a.close();
    e.close();
  });

  test(`questions: a server that asks during one’s call asks that one, and only that one can answer (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint }, principals });
    const [ada, eve] = await pair(gateway.url);
    const other = await listen(gateway.url, eve.id, '/mcp', undefined, 'tok-eve');
    const call = await converse(gateway.url, ada.id, { id: 5, method: 'tools/call', params: asks }, '/mcp', 'tok-ada');
    const question = (await call.next()) as { id: string; method: string };
    expect(question.method).toBe('roots/list');
    const answer = (uri: string) => ({ id: question.id, result: { roots: [{ uri }] } });
    await eve.send(answer('file:///eve'));
    await ada.send(answer('file:///ada'));
    expect(JSON.stringify(await call.next())).toContain('file:///ada');
    // What is for everybody is the first that the other hears.
    up.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' });
    expect(await other.next()).toMatchObject({ method: 'notifications/prompts/list_changed' });
    other.close();
  });

  test(`a modern client’s question and its state are for it alone (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint }, principals });
    const by = (name: string) => ({ token: `tok-${name}`, ...ROOTS });
    const first = await ask(gateway.url, 'tools/call', asks, by('ada'));
    const { requestState } = first.json.result as { requestState: string };
    const retry = (name: string) =>
      ask(
        gateway.url,
        'tools/call',
        { ...asks, requestState, inputResponses: { q1: { roots: [{ uri: `file:///${name}` }] } } },
        by(name),
      );
    expect((await retry('eve')).json.error?.code).toBe(-32_602);
    expect((await retry('ada')).text).toContain('file:///ada');
  });
}

test('a modern client hears of the resources that it named, not of those that another did', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint }, principals });
  const open = (name: string, uri: string) =>
    follow(
      gateway.url,
      'subscriptions/listen',
      { notifications: { resourceSubscriptions: [uri], promptsListChanged: true } },
      { token: `tok-${name}` },
    );
  const [ada, eve] = [await open('ada', 'mem://up/a'), await open('eve', 'mem://shared')];
  for (const one of [ada, eve])
    expect(await one.next()).toMatchObject({ method: 'notifications/subscriptions/acknowledged' });
  up.say({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'mem://up/a' } });
  up.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' });
  expect(await ada.next()).toMatchObject({ method: 'notifications/resources/updated', params: { uri: 'mem://up/a' } });
  expect(await eve.next()).toMatchObject({ method: 'notifications/prompts/list_changed' });
  ada.close();
  eve.close();
});

test('tasks: another’s looks like none', async () => {
  const TASKS = 'io.modelcontextprotocol/tasks';
  const capabilities = { tools: {}, extensions: { [TASKS]: {} } };
  await using up = await modernServer(({ method, params }) => {
    if (method === 'server/discover') return { result: { supportedVersions: ['2026-07-28'], capabilities } };
    if (method === 'tools/call') return { result: { resultType: 'task', taskId: 't1', status: 'working' } };
    if (method.startsWith('tasks/'))
      return { result: { resultType: 'complete', taskId: params?.['taskId'], status: 'completed', result: 'of ada' } };
    return undefined;
  });
  await using gateway = await start({ servers: { up: up.endpoint }, principals });
  const by = (name: string) => ({
    token: `tok-${name}`,
    path: '/servers/up/mcp',
    capabilities: { extensions: { [TASKS]: {} } },
  });
  await ask(gateway.url, 'server/discover', {}, by('ada'));
  const { result } = (await ask(gateway.url, 'tools/call', { name: 'echo', arguments: {} }, by('ada'))).json;
  const taskId = result?.['taskId'];
  expect(result).toMatchObject({ resultType: 'task', status: 'working' });
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    for (const id of [taskId, 't1']) {
      const stolen = await ask(gateway.url, method, { taskId: id }, by('eve'));
      expect([method, stolen.json.result, stolen.json.error?.message]).toEqual([method, undefined, 'Task not found']);
    }
  }
  expect(up.methods().filter((method) => method.startsWith('tasks/'))).toEqual([]);
  expect((await ask(gateway.url, 'tasks/get', { taskId }, by('ada'))).text).toContain('of ada');
});

/** Ada's call is given up while the server goes on with it, and Eve is the only one who calls by then. */
for (const [kind, open] of Object.entries(kinds)) {
  test(`what was cancelled is no other’s: a server that goes on asks and tells nobody else (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint }, principals });
    const [ada, eve] = await pair(gateway.url);
    for (const one of [ada, eve]) await one.rpc('logging/setLevel', { level: 'debug' });
    const stream = await listen(gateway.url, eve.id, '/mcp', undefined, 'tok-eve');
    await listening(up);
    const given = ada.rpc('tools/call', { name: 'up__hang' }, 7);
    await up.saw('tools/call');
    await ada.send({ method: 'notifications/cancelled', params: { requestId: 7 } });
    await given;
    const running = eve.rpc('tools/call', { name: 'up__slow', arguments: { ms: 600 } }, 8);
    await vi.waitFor(() => expect(gateway.upstreams('up')).toMatchObject([{ inFlight: 1 }]));
    up.say({ jsonrpc: '2.0', id: 'late', method: 'roots/list' });
    up.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'ADA-SECRET' } });
    expect(await up.answered('late')).toMatchObject({ error: { message: expect.stringContaining('may still run') } });
    expect((await running).text).not.toContain('ADA-SECRET');
    // What is for everybody is the first that she hears.
    up.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' });
    expect(await stream.next()).toMatchObject({ method: 'notifications/prompts/list_changed' });
    stream.close();
  });

  test(`what a server logs just after an answer is for whoever got that (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint }, principals });
    const [ada, eve] = await pair(gateway.url);
    const [a, e] = [
      await listen(gateway.url, ada.id, '/mcp', undefined, 'tok-ada'),
      await listen(gateway.url, eve.id, '/mcp', undefined, 'tok-eve'),
    ];
    await listening(up);
    await ada.rpc('tools/call', { name: 'up__who' });
    const log = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'error', data: 'ADA-DATA' } };
    up.say(log);
    expect(await a.next()).toEqual(log);
    // Both have just been answered: it may be about either.
    await eve.rpc('tools/call', { name: 'up__who' });
    up.say(log);
    up.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' });
    for (const stream of [a, e]) {
      expect(await stream.next()).toMatchObject({ method: 'notifications/prompts/list_changed' });
      stream.close();
    }
  });
}

test('a question that belongs to a task is for whoever began it, or for nobody', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint }, principals });
  const [, eve] = await pair(gateway.url);
  const running = eve.rpc('tools/call', { name: 'up__slow', arguments: { ms: 300 } }, 8);
  await vi.waitFor(() => expect(gateway.upstreams('up')).toMatchObject([{ inFlight: 1 }]));
  const _meta = { 'io.modelcontextprotocol/related-task': { taskId: 'of-ada' } };
  up.say({ jsonrpc: '2.0', id: 'tasked', method: 'roots/list', params: { _meta } });
  expect(await up.answered('tasked')).toMatchObject({
    error: { message: expect.stringContaining('who has the task') },
  });
  await running;
});

/** What servers ask of clients, and who gets to hear it. */
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { expect, test, vi } from 'vitest';
import { client, converse, listen, raw, session, start, type Session } from './helpers/gateway.ts';
import { httpUpstream, listening, socketUpstream, type Upstream } from './helpers/upstreams.ts';

const kinds: Record<string, (name: string) => Promise<Upstream>> = {
  socket: (name) => socketUpstream(name, { all: true }),
  http: (name) => httpUpstream(name, { all: true, stream: true }),
};

/** What the tool tells of the client's reply. */
const replyIn = (result: unknown): unknown =>
  JSON.parse((result as { content: { text: string }[] }).content[0]?.text ?? '');

const ask = (method: string, params: object = {}, more: object = {}) => ({
  name: 'up__ask',
  arguments: { method, params, ...more },
});

interface Asked {
  id: string;
  method: string;
  params: Record<string, unknown>;
}

const ALL = { sampling: { tools: {} }, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };

for (const [kind, open] of Object.entries(kinds)) {
  test(`sampling, elicitation and roots go to the client and back (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    await using sdk = await client(`${gateway.url}/mcp`, undefined, ALL);
    const model = { model: 'm', role: 'assistant' as const, content: { type: 'text' as const, text: 'hi' } };
    sdk.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
      ...model,
      stopReason: String(params.maxTokens),
    }));
    sdk.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
    sdk.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///work' }] }));
    const reply = async (method: string, params: object) => replyIn(await sdk.callTool(ask(method, params)));
    const messages = [{ role: 'user', content: { type: 'text', text: 'hello' } }];
    expect(await reply('sampling/createMessage', { messages, maxTokens: 9 })).toEqual({
      result: { ...model, stopReason: '9' },
    });
    const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } };
    expect(await reply('elicitation/create', { message: 'Who?', requestedSchema })).toEqual({
      result: { action: 'accept', content: { name: 'Ada' } },
    });
    expect(await reply('roots/list', {})).toEqual({ result: { roots: [{ uri: 'file:///work' }] } });
    await sdk.sendRootsListChanged();
    await up.saw('notifications/roots/list_changed');
    const hello = await up.saw('initialize');
    expect('params' in hello && hello.params?.['capabilities']).toMatchObject({
      ...ALL,
      sampling: { tools: {}, context: {} },
    });
  });

  test(`what a client did not say it can do is refused, as it would refuse it (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const bare = await session(gateway.url);
    const forms = await session(gateway.url, { capabilities: { elicitation: {}, sampling: {} } });
    const code = async (who: Session, method: string, params: object = {}) => {
      const { json } = await who.rpc('tools/call', ask(method, params));
      return (replyIn(json.result) as { error?: { code: number } }).error?.code;
    };
    for (const method of ['sampling/createMessage', 'elicitation/create', 'roots/list', 'tools/list'])
      expect([method, await code(bare, method)]).toEqual([method, -32_601]);
    expect(await code(forms, 'elicitation/create', { mode: 'url', url: 'https://example.com' })).toBe(-32_602);
    expect(await code(forms, 'sampling/createMessage', { tools: [] })).toBe(-32_602);
    expect(await code(forms, 'roots/list')).toBe(-32_601);
  });

  test(`cross-client: an answer settles only what its own session was asked; progress goes the same way (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const mine = await session(gateway.url, { capabilities: { roots: {} } });
    const thief = await session(gateway.url, { capabilities: { roots: {} } });
    const params = ask('roots/list', { _meta: { progressToken: 'its own' } });
    const call = await converse(gateway.url, mine.id, { id: 1, method: 'tools/call', params });
    const { id, method, params: asked } = (await call.next()) as Asked;
    expect(method).toBe('roots/list');
    const token = (asked['_meta'] as { progressToken: string }).progressToken;
    expect((await thief.send({ id, result: { roots: ['stolen'] } })).status).toBe(202);
    const progress = (progressToken: string) => ({
      method: 'notifications/progress',
      params: { progressToken, progress: 1 },
    });
    await thief.send(progress(token));
    await mine.send(progress('its own'));
    await mine.send(progress(token));
    expect(await up.saw('notifications/progress')).toMatchObject({ params: { progressToken: 'its own', progress: 1 } });
    expect((await mine.send({ id, result: { roots: [] } })).status).toBe(202);
    expect(replyIn(((await call.next()) as { result: unknown }).result)).toEqual({ result: { roots: [] } });
    expect(up.seen.filter((seen) => 'method' in seen && seen.method === 'notifications/progress')).toHaveLength(1);
    // Nobody waits for it any more.
    expect((await mine.send({ id, result: {} })).status).toBe(202);
  });

  test(`a question is taken back when its call ends, or when the server takes it back (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const mine = await session(gateway.url, { capabilities: { roots: {} } });
    for (const hasty of ['answers', 'takes it back']) {
      const params = ask('roots/list', {}, { hasty });
      const call = await converse(gateway.url, mine.id, { id: hasty, method: 'tools/call', params });
      const { id } = (await call.next()) as Asked;
      expect(await call.next()).toMatchObject({ method: 'notifications/cancelled', params: { requestId: id } });
      if (hasty === 'answers') expect(await call.next()).toMatchObject({ id: hasty, result: {} });
      call.close();
    }
  });
}

test('cross-client: on a shared server a question reaches the only one who is calling, and nobody when two are', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const ann = await session(gateway.url, { capabilities: { roots: {} } });
  const bob = await session(gateway.url, { capabilities: { roots: {} } });
  const call = (who: Session, params: object) => converse(gateway.url, who.id, { id: 1, method: 'tools/call', params });
  const eve = await session(gateway.url);
  const stream = await listen(gateway.url, eve.id);
  const heard = stream.next();
  // Only Ann calls: it is hers, however many of her calls there are.
  const hanging = ann.rpc('tools/call', { name: 'up__hang' }, 7);
  await up.saw('tools/call');
  const first = await call(ann, ask('roots/list'));
  const { id } = (await first.next()) as Asked;
  await ann.send({ id, result: { roots: [] } });
  expect(replyIn(((await first.next()) as { result: unknown }).result)).toEqual({ result: { roots: [] } });
  // Both call: it could be for either, and no log message tells whose it is.
  const refused = await bob.rpc('tools/call', ask('roots/list'), 2);
  expect(replyIn(refused.json.result)).toMatchObject({
    error: { message: expect.stringContaining('more than one client has a call in flight') },
  });
  const logged = await bob.rpc('tools/call', { name: 'up__log', arguments: { levels: ['error'] } }, 3);
  expect(logged.text).not.toContain('notifications/message');
  await ann.send({ method: 'notifications/cancelled', params: { requestId: 7 } });
  await hanging;
  // Nobody calls: it is about nobody, and the first thing that somebody who only listens hears.
  const log = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'idle' } };
  up.say(log);
  expect(await heard).toEqual(log);
  stream.close();
  // Nobody calls: there is nobody to ask.
  up.say({ jsonrpc: '2.0', id: 'late', method: 'roots/list' });
  const told = await bob.rpc('tools/call', { name: 'up__log', arguments: { levels: ['error'] } }, 4);
  expect(told.text).toContain('notifications/message');
  expect(up.seen.find((seen) => 'id' in seen && seen.id === 'late')).toMatchObject({
    error: { message: expect.stringContaining('no client has a call in flight') },
  });
});

test('cross-client: over HTTP each call has a stream, so each of two callers gets its own question and messages', async () => {
  await using up = await httpUpstream('up', { all: true, stream: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const both = await Promise.all(['ann', 'bob'].map(() => session(gateway.url, { capabilities: { roots: {} } })));
  const calls = await Promise.all(
    both.map(({ id }, at) =>
      converse(gateway.url, id, {
        id: at,
        method: 'tools/call',
        params: ask('roots/list', { at }, { askId: `q${at}` }),
      }),
    ),
  );
  const asked = (await Promise.all(calls.map((call) => call.next()))) as Asked[];
  expect(asked.map(({ params }) => params['at'])).toEqual([0, 1]);
  const logged = await both[0]?.rpc('tools/call', { name: 'up__log', arguments: { levels: ['error'] } }, 5);
  expect(logged?.text).toContain('error of');
  await Promise.all(asked.map(({ id }, at) => both[at]?.send({ id, result: { roots: [at] } })));
  const results = (await Promise.all(calls.map((call) => call.next()))) as { result: unknown }[];
  expect(results.map(({ result }) => replyIn(result))).toEqual([
    { result: { roots: [0] } },
    { result: { roots: [1] } },
  ]);
});

test('while a person thinks, the server is not the one that is slow', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 150 } } });
  const mine = await session(gateway.url, { capabilities: { elicitation: {} } });
  const params = ask('elicitation/create', { message: '?' });
  const call = await converse(gateway.url, mine.id, { id: 1, method: 'tools/call', params });
  const { id } = (await call.next()) as Asked;
  // A call without a question, begun later, runs into its time-out meanwhile.
  const { json } = await (await session(gateway.url)).rpc('tools/call', { name: 'up__hang' });
  expect(json.error?.data).toMatchObject({ error_code: 'upstream-timeout' });
  await mine.send({ id, result: { action: 'cancel' } });
  expect(replyIn(((await call.next()) as { result: unknown }).result)).toEqual({ result: { action: 'cancel' } });
});

for (const [kind, open] of Object.entries(kinds))
  test(`that a visit to a web page is done is told to whom it was for, after the call too (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const mine = await session(gateway.url, { capabilities: { elicitation: { url: {} } } });
    const other = await session(gateway.url);
    const streams = await Promise.all([mine, other].map(({ id }) => listen(gateway.url, id)));
    const [told, foreign] = streams.map((stream) => stream.next());
    const visit = { mode: 'url', url: 'https://example.com/pay', elicitationId: 'e1', message: 'Pay' };
    const params = ask('elicitation/create', visit);
    const call = await converse(gateway.url, mine.id, { id: 1, method: 'tools/call', params });
    const { id } = (await call.next()) as Asked;
    await mine.send({ id, result: { action: 'accept' } });
    await call.next();
    await listening(up);
    const done = { jsonrpc: '2.0', method: 'notifications/elicitation/complete', params: { elicitationId: 'e1' } };
    up.say(done);
    expect(await told).toEqual(done);
    const log = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'idle' } };
    up.say(log);
    expect(await foreign).toEqual(log);
    // A call that cannot go on before such a visit says so in its error.
    const required = await mine.rpc('tools/call', { name: 'up__visit', arguments: { elicitationId: 'e2' } });
    expect(required.json.error?.code).toBe(-32_042);
    const next = streams[0]?.next();
    expect(await next).toEqual(log);
    up.say({ ...done, params: { elicitationId: 'e2' } });
    expect(await streams[0]?.next()).toMatchObject({ params: { elicitationId: 'e2' } });
    for (const stream of streams) stream.close();
  });

test('a server cannot fill the memory, or a screen, with questions', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url, { capabilities: { roots: {} } });
  const call = await converse(gateway.url, mine.id, { id: 1, method: 'tools/call', params: ask('roots/list') });
  for (let at = 1; at <= 100; at++) up.say({ jsonrpc: '2.0', id: `more ${at}`, method: 'roots/list' });
  for (let at = 0; at < 100; at++) expect(await call.next()).toMatchObject({ method: 'roots/list' });
  expect(await up.answered('more 100')).toMatchObject({ error: { message: expect.stringContaining('Too many') } });
  // A client that goes away for good with all of them open takes nothing down with it.
  await raw(gateway.url, { method: 'DELETE', path: '/mcp', headers: { 'Mcp-Session-Id': mine.id } });
  call.close();
  await up.saw('notifications/cancelled');
  expect((await (await session(gateway.url)).rpc('ping')).status).toBe(200);
});

test('a question that is still open when its call ends starts no clock that nobody stops', async () => {
  await using up = await socketUpstream('up', { all: true });
  const timeoutMs = 54_321;
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs } } });
  const mine = await session(gateway.url, { capabilities: { roots: {} } });
  const started = vi.spyOn(globalThis, 'setTimeout');
  const stopped = vi.spyOn(globalThis, 'clearTimeout');
  try {
    await mine.rpc('tools/call', { name: 'up__ask', arguments: { method: 'roots/list', hasty: 'answers' } });
    const clocks = started.mock.results.filter((_, at) => started.mock.calls[at]?.[1] === timeoutMs);
    const running = clocks.filter(({ value }) => stopped.mock.calls.every(([clock]) => clock !== value));
    expect([clocks.length > 0, running.length]).toEqual([true, 0]);
  } finally {
    vi.restoreAllMocks();
  }
});

test('a question outlives the call that it came with, where it may be about another one of the same client', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url, { capabilities: { elicitation: {} } });
  const asking = mine.rpc('tools/call', { name: 'up__hang' }, 1);
  await up.saw('tools/call');
  const slow = { name: 'up__slow', arguments: { ms: 300 } };
  const other = converse(gateway.url, mine.id, { id: 2, method: 'tools/call', params: slow });
  await vi.waitFor(() => expect(gateway.busy('up')).toBe(2), { timeout: 20_000, interval: 1 });
  // Over stdio it does not say for which of the two.
  const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } };
  up.say({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: { message: 'Who?', requestedSchema } });
  const stream = await other;
  const { id } = (await stream.next()) as Asked;
  expect(await stream.next()).toMatchObject({ id: 2, result: {} });
  await mine.send({ id, result: { action: 'accept', content: { name: 'Ada' } } });
  expect(await up.answered('q')).toMatchObject({ result: { action: 'accept', content: { name: 'Ada' } } });
  // The next one goes when the last of them does.
  up.say({ jsonrpc: '2.0', id: 'r', method: 'elicitation/create', params: { message: 'Why?', requestedSchema } });
  await mine.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
  await asking;
  expect(await up.answered('r')).toMatchObject({ error: { data: { error_code: 'cancelled' } } });
});

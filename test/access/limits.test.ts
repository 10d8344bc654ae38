/** Limits at every level, through a real gateway to real servers. Buckets refill so slowly that no test waits for one. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { Control } from '../../schemas/control.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { ask, begin } from '../gateway/helpers/modern.ts';
import {
  client,
  converse,
  listen,
  MCP_HEADERS,
  principal,
  raw,
  session,
  snapshot,
  start,
} from '../gateway/helpers/gateway.ts';
import { holdingUpstream, httpUpstream, socketUpstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';

/** A token in so long that it is none. */
const NEVER = 0.001;
const once1 = { rate: { perSecond: NEVER, burst: 1 } };
const people = [principal('ada', 'ada-token'), principal('bob', 'bob-token')];
const echo = { name: 'up__echo', arguments: { text: 'hi' } };

test('a burst is served, and what comes after it is refused with the time to wait: both eras', async () => {
  await using up = await socketUpstream('up');
  const rate = { perSecond: 0.5, burst: 3 };
  await using gateway = await start({ servers: { up: up.endpoint }, limits: { gateway: { rate } } });
  for (let n = 0; n < 3; n++) expect((await ask(gateway.url, 'tools/call', echo)).status).toBe(200);
  for (const refused of [
    await ask(gateway.url, 'tools/call', echo),
    await raw(gateway.url, { method: 'POST', path: '/mcp', headers: MCP_HEADERS, body: '{}' }),
  ]) {
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(2);
    const { data } = refused.json.error ?? {};
    expect(data).toMatchObject({ error_code: 'rate-limited', limit: { level: 'gateway', name: 'gateway' } });
    const { retryAfterMs } = data as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(Math.ceil(retryAfterMs / 1000)).toBe(seconds);
  }
  const get = await raw(gateway.url, { path: '/mcp', headers: { Accept: 'text/event-stream' } });
  expect([get.status, get.json.error_code]).toEqual([429, 'rate-limited']);
  expect((await raw(gateway.url, { path: '/healthz' })).status).toBe(200);
  expect(up.seen.filter((message) => 'method' in message && message.method === 'tools/call')).toHaveLength(3);
});

test('one who has used up its own share leaves the others theirs, and nothing of the wider levels is lost', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({
    servers: { up: up.endpoint },
    principals: people,
    limits: {
      gateway: { rate: { perSecond: NEVER, burst: 3 } },
      perPrincipal: once1,
      principals: { 'token:bob': { rate: { perSecond: NEVER, burst: 2 } } },
    },
  });
  const call = async (token: string): Promise<number> => (await ask(gateway.url, 'tools/call', echo, { token })).status;
  expect(await call('ada-token')).toBe(200);
  // Refused by her own bucket, she takes nothing from that of all.
  for (let n = 0; n < 5; n++) expect(await call('ada-token')).toBe(429);
  expect(await call('wrong')).toBe(401);
  expect([await call('bob-token'), await call('bob-token')]).toEqual([200, 200]);
  const last = await ask(gateway.url, 'tools/call', echo, { token: 'bob-token' });
  expect(last.json.error?.data).toMatchObject({ limit: { level: 'gateway' } });
});

test('a server may have a name that every object knows', async () => {
  await using up = await socketUpstream('constructor');
  await using gateway = await start({
    servers: { constructor: up.endpoint },
    limits: { tools: { other: [{ pattern: '*', limits: once1 }] } },
  });
  const { json } = await ask(gateway.url, 'tools/call', { name: 'constructor__echo', arguments: { text: 'hi' } });
  expect(json.result?.['content']).toEqual([{ type: 'text', text: 'constructor:hi' }]);
});

test('a project has a limit of its own, whoever uses it', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({
    servers: { up: up.endpoint },
    principals: people,
    limits: { projects: { dev: once1 } },
  });
  const path = '/projects/dev/mcp';
  expect((await ask(gateway.url, 'tools/call', echo, { path, token: 'ada-token' })).status).toBe(200);
  const refused = await ask(gateway.url, 'tools/call', echo, { path, token: 'bob-token' });
  expect([refused.status, refused.json.error?.data]).toMatchObject([429, { limit: { level: 'project', name: 'dev' } }]);
  expect((await ask(gateway.url, 'tools/call', echo, { token: 'bob-token' })).status).toBe(200);
});

test('servers and tools are limited on whatever route they are called; of several patterns the last counts', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({
    servers: { up: up.endpoint },
    limits: {
      servers: { up: { rate: { perSecond: NEVER, burst: 4 } } },
      tools: {
        up: [
          { pattern: '*', limits: {} },
          { pattern: 'EC?O', limits: once1 },
        ],
      },
    },
  });
  const mine = await session(gateway.url);
  const single = await session(gateway.url, { path: '/servers/up/mcp' });
  expect((await mine.rpc('tools/call', echo)).status).toBe(200);
  const tool = await single.rpc('tools/call', { ...echo, name: 'echo' }, 'my-id');
  expect([tool.status, tool.headers['retry-after'], tool.json]).toMatchObject([
    429,
    '1000',
    { id: 'my-id', error: { data: { error_code: 'rate-limited', limit: { level: 'tool', name: 'up echo' } } } },
  ]);
  for (let n = 0; n < 3; n++) expect((await single.rpc('tools/call', { name: 'who' })).status).toBe(200);
  const server = await ask(gateway.url, 'tools/call', { name: 'up__who' });
  expect([server.status, server.json.error?.data]).toMatchObject([429, { limit: { level: 'server', name: 'up' } }]);
  // Lists are the gateway's own.
  expect((await mine.rpc('tools/list')).status).toBe(200);
});

for (const kind of ['socket', 'http'] as const)
  test(`what is being worked on holds its place until it ends, and nothing waits in line (${kind})`, async () => {
    await using up = await (kind === 'socket' ? socketUpstream('up') : httpUpstream('up', { stream: true }));
    await using gateway = await start({
      servers: { up: up.endpoint },
      principals: people,
      limits: { perPrincipal: { concurrency: 2 } },
    });
    const hang = { name: 'up__hang' };
    const one = begin(gateway.url, 'tools/call', hang, { token: 'ada-token' }).on('error', () => {});
    await up.saw('tools/call');
    const two = begin(gateway.url, 'tools/call', hang, { token: 'ada-token' }).on('error', () => {});
    await eventually(() => gateway.busy('up') === 2);
    const refused = await ask(gateway.url, 'tools/call', echo, { token: 'ada-token' });
    expect([refused.status, refused.headers['retry-after'], refused.json.error?.data]).toMatchObject([
      429,
      '1',
      { error_code: 'concurrency-limited', limit: { level: 'principal', name: 'token:ada' } },
    ]);
    expect((await ask(gateway.url, 'tools/call', echo, { token: 'bob-token' })).status).toBe(200);
    one.destroy();
    await eventually(async () => (await ask(gateway.url, 'tools/call', echo, { token: 'ada-token' })).status === 200);
    two.destroy();
  });

test('a response that is streamed keeps its place; streams on which a client only listens have places of their own', async () => {
  await using up = await httpUpstream('up', { stream: true, all: true });
  await using gateway = await start({
    servers: { up: up.endpoint },
    limits: { perPrincipal: { concurrency: 1, streams: 1 } },
  });
  const mine = await session(gateway.url);
  const asking = await session(gateway.url, { capabilities: { elicitation: {} } });
  const ears = await listen(gateway.url, mine.id);
  expect((await mine.rpc('tools/call', echo)).status).toBe(200);
  const other = await session(gateway.url);
  const second = await raw(gateway.url, {
    path: '/mcp',
    headers: { Accept: 'text/event-stream', 'Mcp-Session-Id': other.id },
  });
  expect([second.status, second.json.error_code]).toEqual([429, 'concurrency-limited']);
  const modern = await ask(gateway.url, 'subscriptions/listen', { notifications: {} });
  expect([modern.status, modern.json.error?.message]).toEqual([
    429,
    'Principal local allows no more than 1 open streams.',
  ]);
  // The server asks something: its question is on the stream of the call, which goes on.
  const asks = { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: { type: 'object' } } };
  const params = { name: 'up__ask', arguments: asks };
  const call = await converse(gateway.url, asking.id, { id: 9, method: 'tools/call', params });
  const question = (await call.next()) as { id: string; method: string };
  expect(question.method).toBe('elicitation/create');
  expect((await mine.rpc('ping')).status).toBe(429);
  const long = { name: 'up__echo', arguments: { text: 'x'.repeat(70_000) } };
  expect((await mine.rpc('tools/call', long)).status).toBe(429);
  // Its answer is no work of its own.
  expect((await asking.send({ id: question.id, result: { action: 'decline' } })).status).toBe(202);
  expect(await call.next()).toMatchObject({ id: 9 });
  await eventually(async () => (await mine.rpc('ping')).status === 200);
  ears.close();
  await eventually(async () => {
    const next = begin(gateway.url, 'subscriptions/listen', { notifications: {} }).on('error', () => {});
    const [answer] = (await once(next, 'response')) as [{ statusCode: number }];
    next.destroy();
    return answer.statusCode === 200;
  });
});

test('a body may be as large as the narrowest of its levels says, announced or not', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({
    servers: { up: up.endpoint },
    limits: { projects: { dev: { bodyBytes: 600 } }, tools: { up: [{ pattern: 'echo', limits: { bodyBytes: 400 } }] } },
  });
  const long = (name: string, length: number) => ({ name, arguments: { text: 'x'.repeat(length) } });
  const dev = await session(gateway.url, { path: '/projects/dev/mcp' });
  const refused = await dev.rpc('tools/call', long('up__who', 600));
  expect([refused.status, refused.json.error?.data]).toMatchObject([413, { error_code: 'body-too-large' }]);
  const headers = { ...MCP_HEADERS, 'Mcp-Session-Id': dev.id, 'Transfer-Encoding': 'chunked' };
  const chunked = await raw(gateway.url, { method: 'POST', path: '/projects/dev/mcp', headers, body: 'x'.repeat(700) });
  expect(chunked.status).toBe(413);
  const all = await session(gateway.url);
  expect((await all.rpc('tools/call', long('up__who', 600))).status).toBe(200);
  const tool = await all.rpc('tools/call', long('up__echo', 400), 7);
  expect([tool.status, tool.json]).toMatchObject([413, { id: 7, error: { data: { error_code: 'body-too-large' } } }]);
});

test('the control API says what was too much in JSON: 413, and 429 with the time to wait', async () => {
  const control: Control = async () => ({ status: 200, body: {} });
  const given = { principals: people, gateway: { maxBodyBytes: 1000 }, limits: { principals: { 'token:ada': once1 } } };
  await using gateway = await start(given, { control });
  const headers = { Authorization: 'Bearer bob-token', 'Content-Type': 'application/json' };
  const large = { method: 'POST', path: '/api/v1/sync', headers, body: JSON.stringify({ text: 'x'.repeat(2000) }) };
  const refused = await raw(gateway.url, large);
  expect([refused.status, refused.json]).toMatchObject([
    413,
    { error: expect.any(String), error_code: 'body-too-large', requestId: refused.headers['x-request-id'] },
  ]);
  const look = () =>
    raw(gateway.url, { path: '/api/v1/status', headers: { ...headers, Authorization: 'Bearer ada-token' } });
  expect((await look()).status).toBe(200);
  const often = await look();
  expect([often.status, often.headers['retry-after'], often.json]).toMatchObject([
    429,
    '1000',
    { error: expect.any(String), error_code: 'rate-limited' },
  ]);
});

for (const era of ['legacy', 'modern'] as const)
  test(`a request takes no longer than its limits allow, and the server is told to stop (${era})`, async () => {
    await using up = await socketUpstream('up');
    const limits: Snapshot['limits'] = {
      projects: { dev: { timeoutMs: 150 } },
      tools: { up: [{ pattern: 'hang', limits: { timeoutMs: 100 } }] },
    };
    await using gateway = await start({ servers: { up: up.endpoint }, limits });
    const legacy = era === 'legacy' ? await session(gateway.url) : undefined;
    const hang = { name: 'up__hang' };
    const answer = await (legacy ? legacy.rpc('tools/call', hang) : ask(gateway.url, 'tools/call', hang));
    expect([answer.status, answer.json.error]).toMatchObject([
      200,
      {
        message: 'The request took longer than the 100 ms that tool up hang allows.',
        data: { error_code: 'request-timeout', limit: { level: 'tool', name: 'up hang' } },
      },
    ]);
    await up.saw('notifications/cancelled');
    // Who may not wait says nothing about the server: no trial is lost by it.
    expect(gateway.tally('up').errors).toBe(0);
    const dev = await session(gateway.url, { path: '/projects/dev/mcp' });
    const slow = await dev.rpc('tools/call', { name: 'up__slow', arguments: { ms: 60_000 } });
    expect(slow.json.error?.data).toMatchObject({ limit: { level: 'project', name: 'dev' } });
  });

test('a list that does not come in time is given up as well', async () => {
  await using up = await holdingUpstream('up', 'tools/list');
  await using gateway = await start({ servers: { up: up.endpoint }, limits: { perPrincipal: { timeoutMs: 100 } } });
  const mine = await session(gateway.url);
  const list = await mine.rpc('tools/list');
  expect(list.json.error?.data).toMatchObject({ error_code: 'request-timeout', limit: { level: 'principal' } });
  up.letGo();
  await eventually(async () => (await mine.rpc('tools/list')).json.result !== undefined);
});

test('a result that is too large becomes an error that a model can read, never a part of it', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({
    servers: { up: up.endpoint },
    limits: { servers: { up: { resultBytes: 500 } }, principals: {} },
  });
  const echoes = (text: string) => ({ name: 'up__echo', arguments: { text } });
  await using sdk = await client(`${gateway.url}/mcp`);
  expect(await sdk.callTool(echoes('x'.repeat(300)))).not.toHaveProperty('isError');
  const large = await sdk.callTool(echoes('ü'.repeat(300)));
  expect(large).toMatchObject({
    isError: true,
    content: [
      {
        type: 'text',
        text: expect.stringMatching(/^The result has \d+ bytes, and server up allows 500\. Ask for less\.$/),
      },
    ],
    _meta: { 'slipway/policy': 'result-size', 'slipway/error': { error_code: 'result-too-large' } },
  });
  const modern = await ask(gateway.url, 'tools/call', echoes('x'.repeat(500)));
  expect([modern.status, modern.json.result?.['isError'], modern.json.result?.['resultType']]).toEqual([
    200,
    true,
    'complete',
  ]);
});

test('what passes as the bytes that a server sent is measured, looked through and counted as well', async () => {
  await using up = await httpUpstream('up');
  const secret = `glpat-${'aB3dE6'.repeat(4)}`;
  const text = `${secret} ${'hello '.repeat(30_000)}`;
  const budget = { name: 'b', per: 'all', warnAt: 1, enforce: true } as const;
  await using gateway = await start({
    servers: { up: up.endpoint },
    gateway: { maxBodyBytes: 4 * 1024 * 1024 },
    routes: { '/projects/clean/mcp': { project: 'clean', servers: ['up'], separator: '__', redact: true } },
    limits: { projects: { dev: { resultBytes: 100_000 } } },
    budgets: [
      { ...budget, principals: [], groups: [], routes: [], prices: [], window: { slidingMs: 60_000 }, tokens: 1e9 },
    ],
  });
  const call = { name: 'up__echo', arguments: { text } };
  const small = await ask(gateway.url, 'tools/call', call, { path: '/projects/dev/mcp' });
  expect(small.json.result).toMatchObject({ isError: true, _meta: { 'slipway/policy': 'result-size' } });
  const clean = await ask(gateway.url, 'tools/call', call, { path: '/projects/clean/mcp' });
  expect(clean.text).toContain('up:[redacted:gitlab-token] hello');
  expect(clean.text).not.toContain(secret);
  const plain = await ask(gateway.url, 'tools/call', call);
  expect(plain.text).toContain(secret);
  await eventually(() => (gateway.budgets()[0]?.used.tokens ?? 0) > 60_000);
});

test('a new commit forgets nothing of what it does not change', async () => {
  await using up = await socketUpstream('up');
  const given = (burst: number, more: object = {}): Snapshot =>
    snapshot({
      servers: { up: up.endpoint },
      principals: people,
      limits: { perPrincipal: { rate: { perSecond: NEVER, burst }, concurrency: 1 }, ...more },
    });
  await using gateway = await start(given(2));
  const call = async (token: string): Promise<number> => (await ask(gateway.url, 'tools/call', echo, { token })).status;
  expect([await call('ada-token'), await call('ada-token'), await call('ada-token')]).toEqual([200, 200, 429]);
  await gateway.swap(given(2, { projects: { dev: once1 } }));
  expect([await call('ada-token'), await call('bob-token')]).toEqual([429, 200]);
  const hanging = begin(gateway.url, 'tools/call', { name: 'up__hang' }, { token: 'bob-token' }).on('error', () => {});
  await up.saw('tools/call');
  await eventually(() => gateway.busy('up') === 1);
  // Another rate begins with a full bucket; what runs is still counted.
  await gateway.swap(given(5));
  expect([await call('ada-token'), await call('bob-token')]).toEqual([200, 429]);
  hanging.destroy();
});

test('refusals are counted by level and reason', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint }, limits: { gateway: once1 } });
  await ask(gateway.url, 'tools/call', echo);
  await ask(gateway.url, 'tools/call', echo);
  const { text } = await raw(gateway.url, { path: '/metrics' });
  expect(text).toContain('slipway_gateway_limited_total{level="gateway",reason="rate-limited"} 1');
});

/** What a gateway writes into the audit log: every request that matters, whatever became of it, and never what was said. */
import { expect, test } from 'vitest';
import { driftEvents } from '../../reconciler/pins/told.ts';
import { eventsOf } from '../../reconciler/record/events.ts';
import type { Status } from '../../schemas/status.ts';
import { AUDIT_KINDS } from '../../schemas/audit.ts';
import type { Control } from '../../schemas/control.ts';
import { MCP_HEADERS, principal, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { Kept } from './helpers/kept.ts';

test('a session and its calls: who, what, where, how long, how much, under which commit', async () => {
  const audit = new Kept();
  await using up = await socketUpstream('weather', { all: true });
  const wish = { servers: { weather: up.endpoint }, principals: [principal('ada', 'tok')] };
  await using gateway = await start(wish, { audit });
  const client = await session(gateway.url, { path: '/projects/dev/mcp', token: 'tok' });
  expect(await audit.last(1)).toMatchObject({ kind: 'session_bind', method: 'initialize', principal: 'token:ada' });

  const { headers } = await client.rpc('tools/call', { name: 'weather__echo', arguments: { text: 'hallo' } });
  const call = await audit.last(2);
  expect(call).toMatchObject({
    kind: 'tool_call_trace',
    source: 'gateway',
    method: 'tools/call',
    principal: 'token:ada',
    project: 'dev',
    server: 'weather',
    tool: 'echo',
    arguments: { text: 'hallo' },
    allowed: true,
    outcome: 'ok',
    deniedReason: undefined,
    status: 200,
    commit: 'c0ffee',
  });
  expect(call?.requestId).toBe(headers['x-request-id']);
  expect(call?.durationMs).toBeGreaterThan(0);
  expect(call?.resultBytes).toBeGreaterThan(10);
  expect(call?.session).toBeDefined();
  expect(client.id).not.toContain(call?.session);

  await client.rpc('tools/call', { name: 'weather__fail', arguments: {} });
  expect(await audit.last(3)).toMatchObject({
    tool: 'fail',
    allowed: true,
    outcome: 'error',
    deniedReason: 'tool_error',
  });
  await client.rpc('tools/call', { name: 'nothing' });
  expect(await audit.last(4)).toMatchObject({ tool: 'nothing', outcome: 'error', deniedReason: 'invalid_arguments' });
  await client.rpc('tools/list');
  await client.rpc('ping');
  await client.rpc('prompts/get', { name: 'weather__greet' });
  expect(await audit.last(5)).toMatchObject({ kind: 'mcp_request', method: 'prompts/get', server: 'weather' });
  expect(audit.events).toHaveLength(5);
});

test('refusals: nobody known, a foreign web page, a body that is too large; each with its address', async () => {
  const audit = new Kept();
  await using up = await socketUpstream('weather');
  const wish = {
    servers: { weather: up.endpoint },
    principals: [principal('ada', 'tok')],
    gateway: { maxBodyBytes: 1000 },
  };
  await using gateway = await start(wish, { audit });
  const path = '/mcp';
  const unknown = await raw(gateway.url, {
    method: 'POST',
    path,
    headers: { ...MCP_HEADERS, Authorization: 'Bearer no' },
  });
  expect(unknown.status).toBe(401);
  expect(await audit.last(1)).toMatchObject({
    kind: 'auth_failure',
    principal: undefined,
    address: '127.0.0.1',
    allowed: false,
    outcome: 'denied',
    deniedReason: 'unauthorized',
    status: 401,
    requestId: unknown.headers['x-request-id'],
    method: 'POST /mcp',
  });
  expect((await raw(gateway.url, { path, headers: { Origin: 'https://evil.example' } })).status).toBe(403);
  expect(await audit.last(2)).toMatchObject({ deniedReason: 'origin-not-allowed', status: 403 });
  const authorized = { ...MCP_HEADERS, Authorization: 'Bearer tok' };
  expect((await raw(gateway.url, { method: 'POST', path, headers: authorized, body: 'x'.repeat(2000) })).status).toBe(
    413,
  );
  expect(await audit.last(3)).toMatchObject({
    kind: 'limit',
    principal: 'token:ada',
    deniedReason: 'body-too-large',
    status: 413,
  });
  // Not there, probed, or read: no events.
  for (const quiet of ['/health', '/nothing']) await raw(gateway.url, { path: quiet, headers: authorized });
  expect(audit.events).toHaveLength(3);
});

test('what came of a call: the server was too slow, the client left, the server is away', async () => {
  const audit = new Kept();
  await using up = await socketUpstream('up');
  const nowhere = { id: 'gone', transport: 'stdio' as const, address: 'unix:/nonexistent/slipway.sock' };
  const gone = { endpoints: [nowhere], tools: [{ name: 'x', inputSchema: { type: 'object' } }] };
  const slow = { endpoints: [up.endpoint], timeoutMs: 300 };
  await using gateway = await start({ servers: { up: slow, gone } }, { audit });
  const client = await session(gateway.url);
  await client.rpc('tools/call', { name: 'up__hang' });
  expect(await audit.last(2)).toMatchObject({ allowed: true, outcome: 'timeout', deniedReason: 'request_timeout' });
  await client.rpc('tools/call', { name: 'gone__x' });
  expect(await audit.last(3)).toMatchObject({ allowed: true, outcome: 'failed', server: 'gone' });
  await gateway.swap(snapshot({ servers: { up: up.endpoint } }));
  const leaving = client.rpc('tools/call', { name: 'up__hang' }, 'h');
  while (up.seen.filter((message) => 'method' in message && message.method === 'tools/call').length < 2)
    await new Promise(setImmediate);
  await client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'h' } });
  await leaving;
  expect(await audit.last(4)).toMatchObject({ allowed: true, outcome: 'cancelled', tool: 'hang' });
});

test('each kind of event has somebody who writes it', async () => {
  const audit = new Kept();
  const control: Control = async () => ({ status: 200, body: {} });
  await using up = await socketUpstream('up', { all: true });
  const window = { slidingMs: 60_000 };
  const about = { principals: [], groups: [], routes: ['/projects/dev/mcp'], per: 'all' as const, prices: [] };
  const budgets = [{ name: 'one', ...about, window, calls: 2, warnAt: 0.8, enforce: true }];
  const principals = [principal('ops', 'ops', { roles: ['admin'] }), principal('bob', 'bob', { roles: ['member'] })];
  const limits = { principals: { 'token:bob': { rate: { perSecond: 0.001, burst: 2 } } } };
  const pipelines = {
    all: { appliesTo: ['toolResult' as const], minBytes: 0, stages: [{ type: 'passthrough' as const }] },
  };
  const codeMode = {
    timeoutMs: 60_000,
    cpuMs: 20_000,
    memoryBytes: 32 * 2 ** 20,
    maxCalls: 1,
    maxConcurrentCalls: 1,
    scriptBytes: 1_000,
    resultBytes: 1_000,
    consoleBytes: 100,
  };
  const gate = { budgetBytes: 8192, ttlMs: 60_000 };
  const code = 'export const onToolCallBefore = () => undefined;';
  const hooks = { onToolCallBefore: ['own'] };
  const plugins = { own: { code, file: 'own.mjs', config: {}, timeoutMs: 20_000, memoryBytes: 2 ** 24, hooks } };
  const routes = {
    '/projects/read/mcp': { project: 'read', servers: ['up'], pipeline: 'all', plugin: 'own' },
    '/projects/gated/mcp': { project: 'gated', servers: ['up'], separator: '__', gate },
    '/projects/script/mcp': { project: 'script', servers: ['up'], separator: '__', codeMode },
  };
  const wish = { servers: { up: up.endpoint }, routes, pipelines, plugins, principals, budgets, limits };
  await using gateway = await start(wish, { audit, control });
  const get = (path: string, token: string, method = 'GET') =>
    raw(gateway.url, { method, path, headers: { Authorization: `Bearer ${token}` } });
  const client = await session(gateway.url, { path: '/projects/dev/mcp', token: 'ops' });
  for (let n = 0; n < 2; n++) {
    await client.rpc('tools/call', { name: 'up__who' });
    await client.rpc('prompts/get', { name: 'up__greet' });
  }
  await audit.last(5);
  const kinds = audit.events.map(({ kind }) => kind);
  expect(kinds).toEqual(['session_bind', 'tool_call_trace', 'mcp_request', 'budget', 'budget']);
  await get('/metrics', 'ops');
  await get('/api/v1/sync', 'ops', 'POST');
  const refused = [await get('/metrics', 'no'), await get('/metrics', 'bob'), await get('/v1/audit', 'bob')];
  for (let n = 0; n < 3; n++) refused.push(await get('/mcp', 'bob', 'POST'));
  expect(refused.map(({ status }) => status)).toEqual([401, 403, 403, 400, 400, 429]);
  await audit.last(11);
  const reader = await session(gateway.url, { path: '/projects/read/mcp', token: 'ops' });
  await reader.rpc('tools/call', { name: 'who' });
  const gated = await session(gateway.url, { path: '/projects/gated/mcp', token: 'ops' });
  await gated.rpc('tools/call', { name: 'begin_session', arguments: { tags: ['x'] } });
  const scripted = await session(gateway.url, { path: '/projects/script/mcp', token: 'ops' });
  await scripted.rpc('tools/call', { name: 'run_script', arguments: { script: 'return 1;' } });
  await audit.last(22);
  const commit = { id: 'c0ffee' };
  const pass = { at: new Date().toISOString(), result: 'applied', commit, durationMs: 1, issues: [], outcomes: [] };
  const passes = eventsOf(pass as unknown as Parameters<typeof eventsOf>[0]);
  const pins = { drift: 'warn', differences: [{ tool: 'who', change: 'added', parts: [] }] };
  const drifts = driftEvents(undefined, { servers: [{ name: 'up', pins }] } as unknown as Status, {});
  // The log writes the last of them, about itself.
  const seen = new Set([...[...audit.events, ...passes, ...drifts].map(({ kind }) => kind), 'audit']);
  expect([...seen].toSorted()).toEqual([...AUDIT_KINDS].toSorted());
});

test('behind a proxy a refusal has the address that the proxy saw, not what the client claims', async () => {
  const audit = new Kept();
  const perAddress = { connections: 100, failures: { perSecond: 1, burst: 1 }, trustedHops: 1 };
  const ask = async (url: string, forwarded: string) =>
    raw(url, { path: '/mcp', headers: { Authorization: 'Bearer no', 'X-Forwarded-For': forwarded } });
  await using gateway = await start({ principals: [principal('ada', 'tok')], limits: { perAddress } }, { audit });
  expect((await ask(gateway.url, '192.0.2.1, 198.51.100.7')).status).toBe(401);
  expect(await audit.last(1)).toMatchObject({ kind: 'auth_failure', address: '198.51.100.7', status: 401 });
  const later = await ask(gateway.url, '198.51.100.7');
  expect([later.status, later.json.error_code]).toEqual([429, 'rate-limited']);
  expect(Number(later.headers['retry-after'])).toBeGreaterThan(0);
  expect(await audit.last(2)).toMatchObject({
    kind: 'limit',
    principal: undefined,
    address: '198.51.100.7',
    deniedReason: 'rate-limited',
    status: 429,
    detail: { limit: { level: 'address', name: '198.51.100.7' } },
  });
  await using direct = await start({ principals: [principal('ada', 'tok')] }, { audit });
  expect((await ask(direct.url, '198.51.100.7')).status).toBe(401);
  expect(await audit.last(3)).toMatchObject({ address: '127.0.0.1' });
});

test("a client's own request id is kept beside ours if it harms nothing", async () => {
  const audit = new Kept();
  await using gateway = await start({ principals: [principal('ada', 'tok')] }, { audit });
  const ask = (id: string) => raw(gateway.url, { path: '/mcp', headers: { 'X-Request-Id': id } });
  const answer = await ask('job-7:a.b');
  expect(await audit.last(1)).toMatchObject({ correlationId: 'job-7:a.b', requestId: answer.headers['x-request-id'] });
  for (const bad of ['x'.repeat(65), 'a b', '"}', '<script>']) {
    const { headers } = await ask(bad);
    expect(headers['x-request-id']).not.toContain(bad);
  }
  await audit.last(5);
  expect(audit.events.map(({ correlationId }) => correlationId)).toEqual([
    'job-7:a.b',
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(new Set(audit.events.map(({ requestId }) => requestId)).size).toBe(5);
});

test('a call that asks its client something is two requests, and the second names the first', async () => {
  const audit = new Kept();
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } }, { audit });
  await using sdk = await modernClient(`${gateway.url}/mcp`, { capabilities: { roots: {} } });
  sdk.setRequestHandler('roots/list', () => ({ roots: [] }));
  await sdk.callTool({ name: 'up__ask', arguments: { method: 'roots/list', params: {} } });
  await audit.last(2);
  const calls = audit.events.filter(({ kind }) => kind === 'tool_call_trace');
  expect(calls).toMatchObject([
    { server: 'up', tool: 'ask', outcome: 'ok', parentId: undefined },
    { server: 'up', tool: 'ask', outcome: 'ok', parentId: calls[0]?.requestId },
  ]);
});

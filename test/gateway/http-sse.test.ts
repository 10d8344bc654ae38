/** The transport of MCP 2024-11-05, for old clients: off, until somebody wants it. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { expect, test, vi } from 'vitest';
import { eventually } from '../helpers/until.ts';
import { MCP_HEADERS, principal, raw, snapshot, start, type Raw } from './helpers/gateway.ts';
import { socketUpstream, type Upstream } from './helpers/upstreams.ts';

const on = { gateway: { httpSse: true } };

async function connect(url: string): Promise<Client & AsyncDisposable> {
  const client = new Client({ name: 'old', version: '1' }, { capabilities: { elicitation: {} } });
  await client.connect(new SSEClientTransport(new URL(url)));
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

test('it is not there unless it is switched on', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  for (const path of ['/sse', '/messages', '/servers/up/sse'])
    expect([path, (await raw(gateway.url, { path })).status]).toEqual([path, 404]);
});

test('an old client calls, is asked, hears of changes, cancels, and leaves nothing behind', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint }, ...on });
  const client = await connect(`${gateway.url}/sse`);
  expect(client.getServerVersion()?.name).toBe('slipway');
  expect(textOf(await client.callTool({ name: 'up__echo', arguments: { text: 'hi' } }))).toBe('up:hi');
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
  const params = { message: 'Who?', requestedSchema: { type: 'object', properties: {} } };
  const asked = await client.callTool({ name: 'up__ask', arguments: { method: 'elicitation/create', params } });
  expect(JSON.parse(textOf(asked))).toEqual({ result: { action: 'accept', content: { name: 'Ada' } } });
  const logged: unknown[] = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params: { level } }) => void logged.push(level));
  await client.setLoggingLevel('warning');
  await client.callTool({ name: 'up__log', arguments: { levels: ['info', 'error'] } });
  expect(logged).toEqual(['error']);
  await client.listTools();
  const changed = new Promise((resolve) => client.setNotificationHandler(ToolListChangedNotificationSchema, resolve));
  up.tools.push({ name: 'new', inputSchema: { type: 'object' } });
  up.say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  await changed;
  await client.subscribeResource({ uri: 'mem://up/a' });
  const stop = new AbortController();
  const hanging = client.callTool({ name: 'up__hang', arguments: {} }, undefined, { signal: stop.signal });
  hanging.catch(() => {});
  const running = client.callTool({ name: 'up__hang', arguments: {} });
  running.catch(() => {});
  await up.saw('tools/call');
  stop.abort();
  await up.saw('notifications/cancelled');
  // The end of the stream is the end of the session: what ran is cancelled, what was wanted is not wanted any more.
  await client.close();
  await up.saw('resources/unsubscribe');
});

test('session hijack: a session is worth nothing without the credentials, on another route, or without its stream', async () => {
  await using up = await socketUpstream('up');
  const principals = [principal('ada', 'sesame'), principal('eve', 'thief')];
  await using gateway = await start({ servers: { up: up.endpoint }, principals, ...on });
  const bearer = (token: string) => ({ ...MCP_HEADERS, Authorization: `Bearer ${token}` });
  expect((await raw(gateway.url, { path: '/sse' })).status).toBe(401);
  const call = get(`${gateway.url}/sse`, {
    headers: { Accept: 'text/event-stream', Authorization: 'Bearer sesame' },
    agent: false,
  });
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  const [chunk] = (await once(answer, 'data')) as [Buffer];
  const path = /^event: endpoint\ndata: (.*)$/m.exec(chunk.toString())?.[1] ?? '';
  expect(path).toMatch(/^\/messages\?sessionId=/);
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
  const post = async (to: string, token: string) =>
    (await raw(gateway.url, { method: 'POST', path: to, headers: bearer(token), body })).status;
  expect(await post(path, 'sesame')).toBe(202);
  expect(await post(path, 'thief')).toBe(404);
  expect(await post(path.replace('/messages', '/projects/dev/messages'), 'sesame')).toBe(404);
  expect(await post('/messages?sessionId=nope', 'sesame')).toBe(404);
  expect(
    (await raw(gateway.url, { method: 'POST', path, headers: { ...bearer('sesame'), Host: 'evil.example' }, body }))
      .status,
  ).toBe(403);
  expect(
    (
      await raw(gateway.url, {
        method: 'POST',
        path,
        headers: { ...bearer('sesame'), 'Content-Type': 'text/plain' },
        body,
      })
    ).status,
  ).toBe(400);
  call.destroy();
  await expect.poll(() => post(path, 'sesame')).toBe(404);
});

/** An initialized session of a client that reads no more than its endpoint. */
async function deaf(url: string, token: string) {
  const { hostname, port, host } = new URL(url);
  const socket = connectSocket(Number(port), hostname);
  const headers = [`Host: ${host}`, 'Accept: text/event-stream', `Authorization: Bearer ${token}`];
  socket.write(`GET /sse HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
  let read = '';
  while (!read.includes('data: ')) read += String(((await once(socket, 'data')) as [Buffer])[0]);
  socket.pause();
  const path = /^data: (\S+)$/m.exec(read)?.[1] ?? '';
  const post = (message: object): Promise<Raw> =>
    raw(url, {
      method: 'POST',
      path,
      headers: { ...MCP_HEADERS, Authorization: `Bearer ${token}` },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
  const clientInfo = { name: 'deaf', version: '1' };
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo };
  await post({ id: 0, method: 'initialize', params });
  return { post, [Symbol.dispose]: () => void socket.destroy() };
}

/** Lets the call of that number end, with a text of so many characters. */
async function finish(up: Upstream, n: number, length: number): Promise<void> {
  const isIt = (message: (typeof up.seen)[number]): boolean =>
    'method' in message && (message.params?.['arguments'] as { n?: number } | undefined)?.n === n;
  const call = await eventually(() => up.seen.find(isIt));
  const content = [{ type: 'text', text: 'x'.repeat(length) }];
  up.say({ jsonrpc: '2.0', id: 'id' in call ? call.id : undefined, result: { content } });
}

const hang = (n: number): object => ({ id: n, method: 'tools/call', params: { name: 'up__hang', arguments: { n } } });
const MIB = 1024 * 1024;

test('an answer that comes after the stream was ended, but before its client has read it, harms nobody', async () => {
  await using up = await socketUpstream('up');
  const wish = { servers: { up: up.endpoint }, ...on };
  await using gateway = await start({ ...wish, principals: [principal('ada', 'sesame'), principal('bob', 'other')] });
  using client = await deaf(gateway.url, 'sesame');
  for (const n of [1, 2]) await client.post(hang(n));
  await finish(up, 1, 12 * MIB);
  await eventually(() => gateway.busy('up') === 1);
  await gateway.swap(snapshot({ ...wish, principals: [principal('bob', 'other')] }));
  await finish(up, 2, 1);
  await gateway.idle(['up']);
  expect((await raw(gateway.url, { path: '/health' })).text).toBe('ok');
});

test('memory exhaustion: a client that reads none of its answers loses its session', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint }, principals: [principal('ada', 'sesame')], ...on });
  using client = await deaf(gateway.url, 'sesame');
  for (const n of [1, 2, 3, 4]) await client.post(hang(n));
  await finish(up, 1, 12 * MIB);
  await eventually(() => gateway.busy('up') === 3);
  await finish(up, 2, 24 * MIB);
  await eventually(() => gateway.busy('up') === 2);
  expect((await client.post({ id: 5, method: 'ping' })).status).toBe(202);
  await eventually(async () => (await client.post({ id: 6, method: 'ping' })).status === 404);
  // What still ran for it is cancelled.
  await gateway.idle(['up']);
});

test('what a client subscribed to it hears of as long as its stream is open', async () => {
  await using up = await socketUpstream('up', { all: true });
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
  try {
    const gatewaySpec = { ...on.gateway, sessionTtlMs: 60_000 };
    await using gateway = await start({ servers: { up: up.endpoint }, gateway: gatewaySpec });
    await using client = await connect(`${gateway.url}/sse`);
    const uri = 'mem://up/a';
    await client.subscribeResource({ uri });
    vi.advanceTimersByTime(90_000);
    const updated = new Promise((resolve) =>
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri)),
    );
    up.say({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
    expect(await updated).toBe(uri);
  } finally {
    vi.useRealTimers();
  }
});

test('a shutdown lets running calls finish, and tells the rest, before it ends the stream', async () => {
  await using up = await socketUpstream('up');
  const gateway = await start({ servers: { up: up.endpoint }, ...on });
  await using client = await connect(`${gateway.url}/sse`);
  const [first, second] = [1, 2].map((n) => client.callTool({ name: 'up__hang', arguments: { n } }));
  await eventually(() => gateway.busy('up') === 2);
  const refused = expect(second).rejects.toThrow('shutting down');
  const ended = gateway[Symbol.asyncDispose]();
  await finish(up, 1, 3);
  expect(textOf(await first)).toBe('xxx');
  await refused;
  await ended;
});

test('an old client passes a gate, and hears of its tools', async () => {
  await using up = await socketUpstream('up');
  const gate = { budgetBytes: 8192, ttlMs: 60_000 };
  const routes = { '/projects/gated/mcp': { project: 'gated', servers: ['up'], separator: '__', gate } };
  await using gateway = await start({ servers: { up: up.endpoint }, routes, ...on });
  await using client = await connect(`${gateway.url}/projects/gated/sse`);
  const names = async (): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);
  expect(await names()).toEqual(['begin_session']);
  const changed = new Promise((resolve) => client.setNotificationHandler(ToolListChangedNotificationSchema, resolve));
  await client.callTool({ name: 'begin_session', arguments: { tags: ['x'] } });
  await changed;
  expect(await names()).toContain('up__echo');
});

test('an old client has one session for a plugin, too: from its first word until its stream ends', async () => {
  await using up = await socketUpstream('up');
  const code = `export const onSessionCreate = (_, { state, log }) => { state.calls = 0; log('came'); };
    export const onInitialize = (_, { state }) => ({ instructions: 'calls: ' + state.calls++ });
    export const onToolCallAfter = (_, { state }) => ({ result: { content: [{ type: 'text', text: 'call ' + state.calls++ }] } });
    export const onSessionDestroy = (_, { state, log }) => log('left after ' + state.calls);`;
  const hooks = ['onSessionCreate', 'onInitialize', 'onToolCallAfter', 'onSessionDestroy'] as const;
  const plugin = { code, config: {}, timeoutMs: 1_000, memoryBytes: 2 ** 24 };
  const plugins = { it: { ...plugin, hooks: Object.fromEntries(hooks.map((hook) => [hook, ['it']])) } };
  const routes = { '/projects/p/mcp': { project: 'p', servers: ['up'], separator: '__', plugin: 'it' } };
  const said: string[] = [];
  await using gateway = await start(
    { servers: { up: up.endpoint }, routes, plugins, ...on },
    { log: (_, message) => void said.push(message) },
  );
  {
    await using client = await connect(`${gateway.url}/projects/p/sse`);
    expect(client.getInstructions()).toBe('calls: 0');
    expect(textOf(await client.callTool({ name: 'up__echo', arguments: {} }))).toBe('call 1');
  }
  await eventually(() => said.includes('left after 2'));
  expect(said.filter((message) => message === 'came')).toHaveLength(1);
});

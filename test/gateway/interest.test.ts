/** What servers are told of what clients want to hear: in the order in which clients said it, and whatever happens to the server meanwhile. */
import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { listen, session, snapshot, start } from './helpers/gateway.ts';
import { scripted } from './helpers/scripted.ts';
import { socketUpstream } from './helpers/upstreams.ts';
import { opened } from '../helpers/opened.ts';

const uri = 'mem://up/a';

test('a client that subscribes again at once is not undone by the end of its first subscription', async () => {
  const up = await scripted(
    'up',
    { resources: { subscribe: true } },
    {
      'resources/list': () => ({ resources: [{ uri, name: 'a' }] }),
      'resources/templates/list': () => ({ resourceTemplates: [] }),
      'resources/subscribe': () => ({}),
      'resources/unsubscribe': () => pause(100, {}),
    },
  );
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  for (const method of ['resources/subscribe', 'resources/unsubscribe', 'resources/subscribe'])
    expect((await mine.rpc(method, { uri })).json.result).toEqual({});
  const told = up.done.flatMap(({ method }) => /resources\/(.*subscribe)$/.exec(method)?.[1] ?? []);
  expect(told).toEqual(['subscribe', 'unsubscribe', 'subscribe']);
});

test('a server that one commit takes away and the next brings back is subscribed to again for those who still listen', async () => {
  await using up = await socketUpstream('up', { all: true });
  const wish = snapshot({ servers: { up: up.endpoint } });
  await using gateway = await start(wish);
  const [mine, other] = [await session(gateway.url), await session(gateway.url)];
  await mine.rpc('resources/subscribe', { uri });
  await other.rpc('resources/subscribe', { uri: 'mem://up/b' });
  const stream = await listen(gateway.url, mine.id);
  await gateway.swap(snapshot({}));
  await other.rpc('resources/unsubscribe', { uri: 'mem://up/b' });
  up.seen.length = 0;
  await gateway.swap(wish);
  await up.saw('resources/subscribe');
  const updated = { method: 'notifications/resources/updated', params: { uri } };
  up.say({ jsonrpc: '2.0', ...updated });
  for (let heard: unknown; JSON.stringify(heard ?? {}).includes('updated') === false;) heard = await stream.next();
  stream.close();
});

/** A server of 2024-11-05, which takes nothing before it knows that the handshake is done, and says what it has when it is started. */
async function oldServer() {
  let [connects, tool] = [0, 'old'];
  let stream: ServerResponse | undefined;
  const listener = createServer(async (request, response) => {
    if (request.method === 'GET') {
      connects++;
      stream = response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      return void stream.write('event: endpoint\ndata: /messages\n\n');
    }
    const { id, method } = JSON.parse(await text(request)) as RpcRequest;
    const say = (message: object): unknown =>
      stream?.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, ...message })}\n\n`);
    const accept = (): unknown => response.writeHead(202).end('Accepted');
    if (method === 'initialize') {
      const result = { protocolVersion: '2024-11-05', capabilities: { tools: { listChanged: true } }, serverInfo: {} };
      say({ result: { ...result, serverInfo: { name: 'old', version: '1' } } });
      return void setImmediate(accept);
    }
    accept();
    if (method === 'notifications/initialized') return void ready.add(stream);
    if (id === undefined) return;
    if (!ready.has(stream)) return void say({ error: { code: -32_602, message: 'not initialized' } });
    say({ result: method === 'tools/list' ? { tools: [{ name: tool, inputSchema: {} }] } : { content: [] } });
  });
  const ready = new Set<unknown>();
  const address = `${await opened(listener)}/sse`;
  return {
    endpoint: { id: 'up', transport: 'sse' as const, address },
    connects: () => connects,
    restart(name: string): void {
      tool = name;
      stream?.destroy();
    },
  };
}

test('HTTP+SSE: nothing goes before the end of the handshake', async () => {
  for (let turn = 0; turn < 10; turn++) {
    const up = await oldServer();
    const tools = [{ name: 'old', inputSchema: {} }];
    const entry = { endpoints: [up.endpoint], tools, capabilities: { tools: {} } };
    await using gateway = await start({ servers: { up: entry } });
    const mine = await session(gateway.url);
    expect((await mine.rpc('tools/call', { name: 'up__old' })).json.result).toEqual({ content: [] });
  }
});

test('HTTP+SSE: a server that tells of its lists is come back to by itself, and clients hear what it has now', async () => {
  const up = await oldServer();
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  expect((await mine.rpc('tools/list')).text).toContain('up__old');
  const stream = await listen(gateway.url, mine.id);
  up.restart('new');
  expect(await stream.next()).toMatchObject({ method: 'notifications/tools/list_changed' });
  expect((await mine.rpc('tools/list')).text).toContain('up__new');
  expect(up.connects()).toBe(2);
  stream.close();
});

test('on instances that clients do not share, the end of one wish holds up no other', async () => {
  const up = await scripted(
    'up',
    { resources: { subscribe: true } },
    {
      'resources/list': () => ({ resources: [{ uri, name: 'a' }] }),
      'resources/templates/list': () => ({ resourceTemplates: [] }),
      'resources/subscribe': () => ({}),
      // Far longer than a subscription may take here.
      'resources/unsubscribe': () => pause(60_000, {}, { ref: false }),
    },
  );
  const isolated = { maxInstances: 5, idleMs: 60_000 };
  const entry = { endpoints: [up.endpoint], isolated, timeoutMs: 2_000 };
  await using gateway = await start({ servers: { up: entry } });
  const [one, other] = [await session(gateway.url), await session(gateway.url)];
  for (const method of ['resources/subscribe', 'resources/unsubscribe'])
    expect((await one.rpc(method, { uri })).json.result).toEqual({});
  expect((await other.rpc('resources/subscribe', { uri })).json.result).toEqual({});
  expect(up.done.filter(({ method }) => method === 'resources/unsubscribe')).toEqual([]);
  expect(up.done.filter(({ method }) => method === 'resources/subscribe')).toHaveLength(2);
});

/** Clients that leave before they have been answered: nothing is done for them any more, and nothing stays of them. */
import { once } from 'node:events';
import { get, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { expect, test, vi } from 'vitest';
import { eventually } from '../helpers/until.ts';
import { MCP_HEADERS, raw, session, start } from './helpers/gateway.ts';
import { ask, begin } from './helpers/modern.ts';
import { holdingUpstream, socketUpstream } from './helpers/upstreams.ts';

/** Gives a request up, and lets the gateway see it. */
async function leave(url: string, call: ClientRequest): Promise<void> {
  call.on('error', () => {}).destroy();
  for (let n = 0; n < 5; n++) await raw(url, { path: '/health' });
}

test('one that wanted to listen, and left while servers were still introduced, holds no stream', async () => {
  await using up = await holdingUpstream('up', 'initialize');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const call = begin(gateway.url, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
  await up.saw('initialize');
  await leave(gateway.url, call);
  up.letGo();
  await ask(gateway.url, 'server/discover');
  await eventually(async () => {
    const { text } = await raw(gateway.url, { path: '/metrics' });
    return /^slipway_gateway_streams 0$/m.test(text);
  });
});

test('what a session subscribed to that ended without a word is given back', async () => {
  await using up = await socketUpstream('up', { all: true });
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
  try {
    await using gateway = await start({ servers: { up: up.endpoint }, gateway: { sessionTtlMs: 60_000 } });
    const mine = await session(gateway.url);
    await mine.rpc('resources/subscribe', { uri: 'mem://up/a' });
    vi.advanceTimersByTime(90_000);
    await up.saw('resources/unsubscribe');
  } finally {
    vi.useRealTimers();
  }
});

test('a session that ends while it subscribes leaves the server nothing to tell', async () => {
  await using up = await holdingUpstream('up', 'resources/subscribe');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  const subscribed = mine.rpc('resources/subscribe', { uri: 'mem://up/a' });
  await up.saw('resources/subscribe');
  await raw(gateway.url, { method: 'DELETE', path: '/mcp', headers: { 'Mcp-Session-Id': mine.id } });
  up.letGo();
  await subscribed;
  await up.saw('resources/unsubscribe');
});

const eras: Record<string, (url: string, params: Record<string, unknown>) => Promise<ClientRequest>> = {
  modern: async (url, params) => begin(url, 'tools/call', params),
  legacy: async (url, params) => {
    const { id } = await session(url);
    const headers = { ...MCP_HEADERS, 'Mcp-Session-Id': id };
    const call = httpRequest(`${url}/mcp`, { method: 'POST', headers, agent: false });
    return call.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
  },
  'HTTP+SSE': async (url, params) => {
    const stream = get(`${url}/sse`, { headers: { Accept: 'text/event-stream' }, agent: false });
    const [answer] = (await once(stream, 'response')) as [IncomingMessage];
    const [chunk] = (await once(
      answer.on('error', () => {}),
      'data',
    )) as [Buffer];
    const path = /^data: (.*)$/m.exec(chunk.toString())?.[1] ?? '';
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    await raw(url, { method: 'POST', path, headers: MCP_HEADERS, body });
    return stream;
  },
};

for (const [era, call] of Object.entries(eras))
  test(`a call whose client leaves while it is looked up whom it is for is not made (${era})`, async () => {
    await using up = await holdingUpstream('up', 'tools/list');
    await using gateway = await start({ servers: { up: up.endpoint }, gateway: { httpSse: true } });
    const given = await call(gateway.url, { name: 'up__echo', arguments: { text: 'too late' } });
    await up.saw('tools/list');
    // The gateway has it once it has what was sent after it.
    await raw(gateway.url, { path: '/health' });
    await leave(gateway.url, given);
    up.letGo();
    await ask(gateway.url, 'tools/call', { name: 'up__who' });
    await gateway.idle(['up']);
    const made = up.seen.filter((message) => 'method' in message && message.method === 'tools/call');
    expect(made).toMatchObject([{ params: { name: 'who' } }]);
  });

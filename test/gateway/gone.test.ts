/** Clients that leave before they have been answered: nothing is done for them any more, and nothing stays of them. */
import type { ClientRequest } from 'node:http';
import { test, vi } from 'vitest';
import { eventually } from '../helpers/until.ts';
import { raw, session, start } from './helpers/gateway.ts';
import { ask, begin } from './helpers/modern.ts';
import { holdingUpstream, socketUpstream } from './helpers/upstreams.ts';

/** Gives a request up, and lets the gateway see it. */
async function leave(url: string, call: ClientRequest): Promise<void> {
  call.on('error', () => {}).destroy();
  for (let n = 0; n < 3; n++) await raw(url, { path: '/health' });
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
  }, 3_000);
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

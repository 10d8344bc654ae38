/** Clients that leave before they have been answered: nothing is done for them any more, and nothing stays of them. */
import type { ClientRequest } from 'node:http';
import { test } from 'vitest';
import { eventually } from '../helpers/until.ts';
import { raw, start } from './helpers/gateway.ts';
import { ask, begin } from './helpers/modern.ts';
import { holdingUpstream } from './helpers/upstreams.ts';

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

/** `audit: off` and `audit: hash` of a server: whatever is asked about its things, it is told as little of them. */
import { expect, test } from 'vitest';
import { driftEvents } from '../../reconciler/pins/told.ts';
import type { Status } from '../../schemas/status.ts';
import { principal, session, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { Kept } from './helpers/kept.ts';

const principals = [principal('ada', 'tok'), principal('bob', 'tok2')];
const uri = 'mem://weather/a';

test('each event about a server names it and says how much of it may be told, whether or not it was asked', async () => {
  const audit = new Kept();
  await using up = await socketUpstream('weather', { all: true });
  const weather = { endpoints: [up.endpoint], audit: 'hash' as const };
  await using gateway = await start({ servers: { weather }, principals }, { audit });
  const [ada, bob] = [await session(gateway.url, { token: 'tok' }), await session(gateway.url, { token: 'tok2' })];
  // The server hears of the first subscription alone, and of no end of one but the last.
  for (const mine of [ada, bob]) await mine.rpc('resources/subscribe', { uri });
  for (const mine of [ada, bob]) await mine.rpc('resources/unsubscribe', { uri });
  await bob.rpc('resources/unsubscribe', { uri });
  await ada.rpc('prompts/get', { name: 'weather__greet' });
  await audit.last(8);
  const told = audit.events.filter(({ kind }) => kind === 'mcp_request');
  expect(told.map(({ method, tool, server, level }) => [method, tool, server, level])).toEqual([
    ['resources/subscribe', uri, 'weather', 'hash'],
    ['resources/subscribe', uri, 'weather', 'hash'],
    ['resources/unsubscribe', uri, 'weather', 'hash'],
    ['resources/unsubscribe', uri, 'weather', 'hash'],
    ['resources/unsubscribe', uri, 'weather', 'hash'],
    ['prompts/get', 'greet', 'weather', 'hash'],
  ]);
});

test('what a tool was called before it was renamed is hashed as its name is', () => {
  const pins = {
    drift: 'warn',
    differences: [{ tool: 'purge', change: 'renamed', from: 'wipe_customer_db', parts: [] }],
  };
  const status = { servers: [{ name: 'vault', pins }] } as unknown as Status;
  const because = (audit: 'hash' | 'full'): string =>
    JSON.stringify(driftEvents(undefined, status, { vault: { audit } })[0]?.detail);
  expect(because('full')).toContain('wipe_customer_db');
  expect(because('hash')).not.toContain('wipe_customer_db');
  expect(because('hash')).toMatch(/sha256:[0-9a-f]{32}/);
});

/** Limits of those who look at the gateway rather than call through it: what is no stream takes no place of one, and only metrics are free. */
import { expect, test } from 'vitest';
import type { Control } from '../../schemas/control.ts';
import { listen, principal, raw, session, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';

const principals = [principal('ada', 'sesame', { roles: ['admin'] })];
const headers = { Authorization: 'Bearer sesame' };

test('who listens already may look at everything else', async () => {
  await using up = await socketUpstream('up');
  const control: Control = async () => ({ status: 200, body: {} });
  const limits = { perPrincipal: { streams: 1, concurrency: 1 } };
  await using gateway = await start({ servers: { up: up.endpoint }, principals, limits }, { control });
  const path = '/projects/dev/mcp';
  const mine = await session(gateway.url, { token: 'sesame', path });
  const ears = await listen(gateway.url, mine.id, path, undefined, 'sesame');
  const get = async (where: string): Promise<number> => (await raw(gateway.url, { path: where, headers })).status;
  for (const where of ['/api/v1/status', '/projects/dev/mcp-config', '/v1/audit', '/api/v1/auth/can-i?list=true'])
    expect([where, await get(where)]).toEqual([where, 200]);
  expect(await get('/api/v1/logs/Server/up?tail=3&follow=true')).toBe(429);
  ears.close();
});

test('reading the audit log costs what any request costs; reading metrics costs nothing', async () => {
  let asked = 0;
  const control: Control = async () => ({ status: 200, body: { asked: ++asked } });
  const limits = { perPrincipal: { rate: { perSecond: 0.001, burst: 3 } } };
  await using gateway = await start({ principals, limits }, { control });
  const statuses = async (path: string): Promise<number[]> =>
    Promise.all(Array.from({ length: 5 }, async () => (await raw(gateway.url, { path, headers })).status));
  expect(await statuses('/metrics')).toEqual([200, 200, 200, 200, 200]);
  expect((await statuses('/v1/audit')).sort()).toEqual([200, 200, 200, 429, 429]);
  expect(asked).toBe(3);
});

/** The audit log and whoever operates the gateway: what they do is on record, what cannot be recorded does not happen, and who may read it. */
import { expect, test } from 'vitest';
import type { Control, ControlRequest } from '../../schemas/control.ts';
import { principal, raw, session, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { Kept } from './helpers/kept.ts';

test('the control API is on record, but for looking how it stands', async () => {
  const audit = new Kept();
  const control: Control = async () => ({ status: 200, body: {} });
  await using gateway = await start(
    { principals: [principal('ops', 'tok', { roles: ['admin'] })] },
    { audit, control },
  );
  const ask = (method: string, path: string, token = 'tok') =>
    raw(gateway.url, { method, path, headers: { Authorization: `Bearer ${token}` } });
  await ask('GET', '/api/v1/status');
  await ask('POST', '/api/v1/sync?wait=true');
  expect(await audit.last(1)).toMatchObject({
    kind: 'control',
    method: 'POST /api/v1/sync',
    principal: 'token:ops',
    outcome: 'ok',
  });
  await ask('GET', '/api/v1/logs/Server/github');
  expect(await audit.last(2)).toMatchObject({ kind: 'control', method: 'GET /api/v1/logs/Server/github' });
  await ask('GET', '/api/v1/status', 'no');
  expect(await audit.last(3)).toMatchObject({ kind: 'auth_failure', method: 'GET /api/v1/status', status: 401 });
});

test('with onFailure: stop, what cannot be recorded does not happen; operators still get in', async () => {
  const audit = new Kept();
  const control: Control = async () => ({ status: 200, body: {} });
  await using up = await socketUpstream('weather');
  const wish = { servers: { weather: up.endpoint }, principals: [principal('ops', 'tok', { roles: ['admin'] })] };
  await using gateway = await start(wish, { audit, control });
  const client = await session(gateway.url, { token: 'tok' });
  const call = () => client.rpc('tools/call', { name: 'weather__echo', arguments: { text: 'x' } });
  audit.blocked = true;
  const { status, json } = await call();
  expect([status, json.error?.data]).toMatchObject([503, { error_code: 'audit-unavailable' }]);
  expect(up.seen.filter((message) => 'method' in message && message.method === 'tools/call')).toEqual([]);
  const headers = { Authorization: 'Bearer tok' };
  expect((await raw(gateway.url, { path: '/api/v1/status', headers })).status).toBe(200);
  expect((await raw(gateway.url, { path: '/healthz', headers })).status).toBe(200);
  audit.blocked = false;
  expect((await call()).status).toBe(200);
});

test('/v1/audit: for the scope audit, and of others only with the operation', async () => {
  const asked: ControlRequest[] = [];
  const control: Control = async (request) => {
    asked.push(request);
    return { status: 200, body: { events: [] } };
  };
  const principals = [
    principal('ops', 'admin-tok', { roles: ['admin'] }),
    principal('eve', 'own-tok', { roles: ['member'], scopes: ['audit'] }),
    principal('bob', 'member-tok', { roles: ['member'] }),
  ];
  await using gateway = await start({ principals }, { control });
  const ask = (path: string, token: string) =>
    raw(gateway.url, { path, headers: { Authorization: `Bearer ${token}` } });
  expect((await ask('/v1/audit', 'no')).status).toBe(401);
  expect((await ask('/v1/audit', 'member-tok')).status).toBe(403);
  expect((await ask('/v1/audit?principal=token:bob', 'own-tok')).status).toBe(403);
  expect(asked).toEqual([]);
  expect((await ask('/v1/audit?limit=5', 'own-tok')).status).toBe(200);
  expect((await ask('/v1/audit/sessions', 'admin-tok')).status).toBe(200);
  expect((await ask('/v1/audit?principal=token:bob&follow=true', 'admin-tok')).status).toBe(200);
  expect(asked.map(({ path, query }) => [path, Object.fromEntries(query)])).toEqual([
    ['/audit', { limit: '5', principal: 'token:eve' }],
    ['/audit/sessions', {}],
    ['/audit', { principal: 'token:bob' }],
  ]);
});

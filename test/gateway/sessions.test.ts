import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Seal } from '../../gateway/sessions/seal.ts';
import { KEY, listen, principal, raw, session, snapshot, start } from './helpers/gateway.ts';
import { httpUpstream, socketUpstream } from './helpers/upstreams.ts';

const post = (url: string, id: string, more: { path?: string; token?: string } = {}) =>
  raw(url, {
    method: 'POST',
    path: more.path ?? '/mcp',
    headers: {
      'Content-Type': 'application/json',
      Accept: '*/*',
      ...(id === '' ? {} : { 'Mcp-Session-Id': id }),
      ...(more.token ? { Authorization: `Bearer ${more.token}` } : {}),
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });

test('a session opens on any gateway with the same key, and on none with another', async () => {
  await using one = await start({});
  await using two = await start({});
  await using other = await start({}, { sessionKey: new Uint8Array(32).fill(8) });
  const { id } = await session(one.url);
  expect(id).toMatch(/^[\x21-\x7e]{40,400}$/);
  expect((await post(two.url, id)).status).toBe(200);
  const refused = await post(other.url, id);
  expect([refused.status, refused.json.error?.data]).toEqual([
    404,
    expect.objectContaining({ error_code: 'session-not-found' }),
  ]);
});

test('session hijack: an id is worth nothing with another token, on another route, changed, or old', async () => {
  const principals = [principal('ann', 'tok-ann'), principal('bob', 'tok-bob')];
  await using gateway = await start({ principals });
  const { id } = await session(gateway.url, { token: 'tok-ann' });
  const status = async (sent: string, token: string, path = '/mcp') =>
    (await post(gateway.url, sent, { token, path })).status;
  expect(await status(id, 'tok-ann')).toBe(200);
  expect(await status(id, 'tok-bob')).toBe(404);
  expect(await status(id, 'tok-ann', '/projects/dev/mcp')).toBe(404);
  for (const at of [0, 20, id.length - 2])
    expect(await status(id.slice(0, at) + (id[at] === 'A' ? 'B' : 'A') + id.slice(at + 1), 'tok-ann')).toBe(404);
  for (const forged of ['x', 'A'.repeat(3000), Buffer.alloc(60).toString('base64url')])
    expect(await status(forged, 'tok-ann')).toBe(404);
  expect(await status('', 'tok-ann')).toBe(400);
  await gateway.swap(snapshot({ principals, gateway: { sessionTtlMs: 0 } }));
  expect(await status(id, 'tok-ann')).toBe(404);
});

test('session fixation: what a client invents is never adopted', async () => {
  await using gateway = await start({});
  const mine = await session(gateway.url);
  const again = await raw(gateway.url, {
    method: 'POST',
    path: '/mcp',
    headers: { 'Content-Type': 'application/json', Accept: '*/*', 'Mcp-Session-Id': mine.id },
    body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}',
  });
  expect(again.json.result?.['protocolVersion']).toBe('2024-11-05');
  expect(again.headers['mcp-session-id']).not.toBe(mine.id);
  const unknown = await raw(gateway.url, {
    method: 'POST',
    path: '/mcp',
    headers: { 'Content-Type': 'application/json', Accept: '*/*' },
    body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"1999-01-01"}}',
  });
  expect(unknown.json.result?.['protocolVersion']).toBe('2025-11-25');
});

test('DELETE ends a session; others live on', async () => {
  await using gateway = await start({});
  const [mine, other] = [await session(gateway.url), await session(gateway.url)];
  const end = () => raw(gateway.url, { method: 'DELETE', path: '/mcp', headers: { 'Mcp-Session-Id': mine.id } });
  expect((await end()).status).toBe(204);
  expect((await mine.rpc('ping')).status).toBe(404);
  expect((await end()).status).toBe(404);
  expect((await other.rpc('ping')).status).toBe(200);
});

test('a sealed session says who, where, when and what, and only to the key', () => {
  const seal = new Seal(KEY);
  const said = { route: '/mcp', principal: 'token:ann', version: '2025-11-25', capabilities: ['sampling'] };
  const id = seal.open(said);
  expect(seal.read(id)).toMatchObject(said);
  expect(Buffer.from(id, 'base64url').toString('latin1')).not.toContain('ann');
  expect(seal.open(said)).not.toBe(id);
  expect(() => new Seal(new Uint8Array(16))).toThrow(RangeError);
});

const CHANGED = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };

for (const kind of ['socket', 'http'] as const)
  test(`the GET stream says when an upstream changed its tools (${kind})`, async () => {
    await using up = await (kind === 'socket' ? socketUpstream('up') : httpUpstream('up'));
    await using gateway = await start({ servers: { up: up.endpoint } });
    const mine = await session(gateway.url);
    await mine.rpc('tools/list');
    const stream = await listen(gateway.url, mine.id);
    up.tools.push({ name: 'fresh' });
    // Over HTTP the gateway's own listening stream may not stand yet, so say it until it was heard.
    const saying = setInterval(() => up.say(CHANGED), 20);
    expect(await stream.next()).toEqual(CHANGED);
    clearInterval(saying);
    expect((await mine.rpc('tools/list')).text).toContain('"up__fresh"');
    stream.close();
  });

test('the GET stream says when a swap changed its route, and only then', async () => {
  await using up = await socketUpstream('up');
  const entry = (tools: { name: string }[], description = '') => ({
    up: { endpoints: [up.endpoint], tools, description },
  });
  await using gateway = await start({ servers: entry([{ name: 'a' }]) });
  const mine = await session(gateway.url);
  const stream = await listen(gateway.url, mine.id);
  await gateway.swap(snapshot({ servers: entry([{ name: 'a' }], 'other words') }));
  await gateway.swap(snapshot({ servers: entry([{ name: 'a' }, { name: 'b' }]) }));
  expect(await stream.next()).toEqual(CHANGED);
  const second = await raw(gateway.url, {
    path: '/mcp',
    headers: { Accept: 'text/event-stream', 'Mcp-Session-Id': mine.id },
  });
  expect(second.status).toBe(409);
  await gateway.swap(snapshot({ servers: entry([{ name: 'a' }, { name: 'b' }]) }));
  const ended = once(stream.answer, 'end');
  await gateway.swap(snapshot({ principals: [principal('new', 'tok')] }));
  await ended;
});

/** `sessions: isolated` towards servers over HTTP: an upstream session for each client. */
import { expect, test, vi } from 'vitest';
import { listen, principal, raw, session, snapshot, start } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';
import { httpUpstream, listening, socketUpstream } from './helpers/upstreams.ts';

const isolated = { maxInstances: 5, idleMs: 60_000 };

test('each client has an upstream session of its own, which ends with its own', async () => {
  await using up = await httpUpstream('up');
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000, isolated } } });
  const clients = await Promise.all([session(gateway.url), session(gateway.url)]);
  const shared = up.opened;
  for (const { rpc } of [...clients, ...clients]) await rpc('tools/call', { name: 'up__who' });
  expect(up.opened).toBe(shared + 2);
  expect(gateway.upstreams('up')).toHaveLength(3);
  await raw(gateway.url, { method: 'DELETE', path: '/mcp', headers: { 'Mcp-Session-Id': clients[0].id } });
  expect(gateway.upstreams('up')).toHaveLength(2);
});

test('what such an instance says unasked is for its own client alone', async () => {
  await using up = await httpUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000, isolated } } });
  const [mine, other] = await Promise.all([session(gateway.url), session(gateway.url)]);
  const streams = await Promise.all([mine, other].map(({ id }) => listen(gateway.url, id)));
  await mine.rpc('tools/call', { name: 'up__who' });
  await other.rpc('tools/call', { name: 'up__who' });
  await listening(up);
  await vi.waitFor(() => expect(up.listeners).toBe(3), 20_000);
  // The server says it on the streams of all its sessions; each client hears its own, and the shared one's.
  up.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'to whom?' } });
  for (const stream of streams) {
    for (let n = 0; n < 2; n++) expect(await stream.next()).toMatchObject({ params: { data: 'to whom?' } });
    stream.close();
  }
});

test('what a client subscribes to is asked of its own instance, and keeps that', async () => {
  await using up = await httpUpstream('up', { all: true });
  const soon = { ...isolated, idleMs: 100 };
  await using gateway = await start({
    servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000, isolated: soon } },
  });
  const clients = await Promise.all([session(gateway.url), session(gateway.url)]);
  const asked = (method: string): number =>
    up.seen.filter((message) => 'method' in message && message.method === method).length;
  for (const { rpc } of clients)
    expect((await rpc('resources/subscribe', { uri: 'mem://up' })).json.result).toEqual({});
  expect(asked('resources/subscribe')).toBe(2);
  await clients[0].rpc('resources/unsubscribe', { uri: 'mem://up' });
  await vi.waitFor(() => expect(gateway.upstreams('up')).toHaveLength(2), 20_000); // The shared one, and the other's.
  await clients[0].rpc('logging/setLevel', { level: 'debug' });
  await vi.waitFor(() => expect(asked('logging/setLevel')).toBe(2), 20_000);
});

test('one that is idle is given back; beyond the limit a busy one is not taken away', async () => {
  await using up = await httpUpstream('up');
  const few = { maxInstances: 1, idleMs: 200 };
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000, isolated: few } } });
  const [mine, other] = await Promise.all([session(gateway.url), session(gateway.url)]);
  const slow = mine.rpc('tools/call', { name: 'up__slow', arguments: { ms: 3_000 } });
  await up.saw('tools/call');
  const refused = await other.rpc('tools/call', { name: 'up__who' });
  expect(refused.json.error?.message).toContain('all of its 1 instances are in use');
  expect((await slow).json.result).toBeDefined();
  await vi.waitFor(() => expect(gateway.upstreams('up')).toHaveLength(1), 20_000);
});

test('beyond the limit one whose client listens is not taken away either', async () => {
  await using up = await httpUpstream('up', { all: true });
  const few = { maxInstances: 2, idleMs: 60_000 };
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000, isolated: few } } });
  const [hearing, idle, other, last] = await Promise.all(Array.from({ length: 4 }, () => session(gateway.url)));
  const call = async (client = other) => (await client?.rpc('tools/call', { name: 'up__who' }))?.json;
  expect((await hearing?.rpc('resources/subscribe', { uri: 'mem://up' }))?.json.result).toEqual({});
  await call(idle);
  expect((await call(other))?.result).toBeDefined();
  await other?.rpc('resources/subscribe', { uri: 'mem://up' });
  expect((await call(last))?.error?.message).toContain('all of its 2 instances are in use');
  await hearing?.rpc('resources/unsubscribe', { uri: 'mem://up' });
  expect((await call(last))?.result).toBeDefined();
});

test('a process behind a socket, which all would share, is not handed out as one’s own', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000, isolated } } });
  const mine = await session(gateway.url);
  expect((await mine.rpc('tools/call', { name: 'up__who' })).json.error?.message).toContain('cannot be had alone');
});

test('one waits, started, for the next client; it counts, and no client is refused for it', async () => {
  await using up = await httpUpstream('up');
  const warm = { maxInstances: 2, warm: 1, idleMs: 60_000 };
  const entry = { endpoints: [up.endpoint], timeoutMs: 5_000, isolated: warm };
  await using gateway = await start({ servers: { up: entry } });
  const connected = (): number => gateway.upstreams('up').filter((one) => one.connected).length;
  // The one that all share for lists is not connected before somebody lists.
  await vi.waitFor(() => expect([connected(), up.opened]).toEqual([1, 1]), 20_000);
  const [mine, other, third] = await Promise.all([session(gateway.url), session(gateway.url), session(gateway.url)]);
  const shared = up.opened;
  await mine.rpc('tools/call', { name: 'up__who' });
  // It took what waited, and another one waits in its place.
  await vi.waitFor(() => expect(up.opened).toBe(shared + 1), 20_000);
  await other.rpc('tools/call', { name: 'up__who' });
  expect(up.opened).toBe(shared + 1);
  // Two clients have all there may be: none waits, and the one that was idle the longest makes room.
  expect((await third.rpc('tools/call', { name: 'up__who' })).json.result).toBeDefined();
  expect(up.opened).toBe(shared + 2);
  const whom = () => gateway.upstreams('up').map((one) => one.for);
  expect(whom()).toEqual([undefined, 'client', 'client']);
  await raw(gateway.url, { method: 'DELETE', path: '/mcp', headers: { 'Mcp-Session-Id': third.id } });
  await vi.waitFor(() => expect(up.opened).toBe(shared + 3), 20_000);
  expect(whom()).toEqual([undefined, 'client', 'next']);
  // Another config: what waited by the old one ends.
  await gateway.swap(snapshot({ servers: { up: { ...entry, isolated: { maxInstances: 2, idleMs: 60_000 } } } }));
  await vi.waitFor(() => expect(gateway.upstreams('up')).toHaveLength(1), 20_000);
});

test('two programs of one principal are two clients', async () => {
  await using up = await httpUpstream('up');
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000, isolated } } });
  const call = (name: string, version: string) =>
    ask(gateway.url, 'tools/call', { name: 'up__who', arguments: {} }, { client: { name, version } });
  await call('editor', '1');
  const before = up.opened;
  await call('editor', '1');
  expect(up.opened).toBe(before);
  await call('editor', '2');
  await call('agent', '1');
  expect(up.opened).toBe(before + 2);
});

test('requests without a session share what their principal has, and nobody else does', async () => {
  await using up = await httpUpstream('up');
  const principals = [principal('ada', 'sesame'), principal('eve', 'thief')];
  const servers = { up: { endpoints: [up.endpoint], timeoutMs: 5_000, isolated } };
  await using gateway = await start({ servers, principals });
  const call = (token: string) => ask(gateway.url, 'tools/call', { name: 'up__who', arguments: {} }, { token });
  await call('sesame');
  const before = up.opened;
  await call('sesame');
  expect(up.opened).toBe(before);
  await call('thief');
  expect(up.opened).toBe(before + 1);
});

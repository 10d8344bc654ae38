/** A gateway that starts again: sessions outlive it, and with them what they said that is to last. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SessionMemory } from '../../gateway/sessions/memory.ts';
import { storeFile } from '../../reconciler/index.ts';
import { silent } from '../../schemas/log.ts';
import { listen, raw, session, start, type Wish } from './helpers/gateway.ts';
import { ask, follow } from './helpers/modern.ts';
import { socketUpstream, type Upstream } from './helpers/upstreams.ts';
import { tempDir } from '../helpers/temp.ts';

const uri = 'mem://up/a';
const updated = { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } };

const asked = (up: Upstream, method: string): unknown[] =>
  up.seen.flatMap((message) => ('method' in message && message.method === method ? [message.params] : []));

test('who subscribed before a restart hears of updates after it, and its level counts', async () => {
  using dir = tempDir();
  await using up = await socketUpstream('up', { all: true });
  const wish: Wish = { servers: { up: up.endpoint } };
  const file = dir.at('sessions.json');
  let id = '';
  {
    await using gateway = await start(wish, { sessions: storeFile(file) });
    const mine = await session(gateway.url);
    id = mine.id;
    await mine.rpc('resources/subscribe', { uri });
    await mine.rpc('resources/subscribe', { uri: 'mem://up/b' });
    await mine.rpc('resources/unsubscribe', { uri: 'mem://up/b' });
    await mine.rpc('logging/setLevel', { level: 'warning' });
    // It ends with its stream, and so before the gateway does.
    const modern = await follow(gateway.url, 'subscriptions/listen', {
      notifications: { resourceSubscriptions: ['mem://up/c'] },
    });
    await modern.next();
  }
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
    subscriptions: [[expect.any(String), 'up', uri, expect.any(Number)]],
  });
  up.seen.length = 0;
  await using gateway = await start(wish, { sessions: storeFile(file) });
  // Before anybody comes: there may be news already.
  await up.saw('resources/subscribe');
  expect(asked(up, 'resources/subscribe')).toEqual([{ uri }]);
  await expect.poll(() => asked(up, 'logging/setLevel')).toEqual([{ level: 'info' }]);
  const stream = await listen(gateway.url, id);
  for (const level of ['info', 'error'])
    up.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level, data: level } });
  up.say(updated);
  expect(await stream.next()).toMatchObject({ params: { level: 'error' } });
  expect(await stream.next()).toEqual(updated);
  stream.close();
});

test('a session that its client ended stays ended', async () => {
  using dir = tempDir();
  const store = () => ({ sessions: storeFile(dir.at('sessions.json')) });
  const end = (url: string, id: string, method = 'DELETE'): Promise<{ status: number }> =>
    raw(url, { method, path: '/mcp', headers: { 'Mcp-Session-Id': id, Accept: 'text/event-stream' } });
  let id = '';
  {
    await using gateway = await start({}, store());
    ({ id } = await session(gateway.url));
    expect((await end(gateway.url, id)).status).toBe(204);
  }
  await using gateway = await start({}, store());
  expect((await end(gateway.url, id, 'GET')).status).toBe(404);
});

test('what cannot be read is forgotten, and nothing else suffers', async () => {
  using dir = tempDir();
  const file = dir.at('sessions.json');
  for (const text of ['{', '{"formatVersion":2}', '[]']) {
    writeFileSync(file, text);
    const warned: string[] = [];
    await using gateway = await start(
      {},
      { sessions: storeFile(file), log: (_, message) => void warned.push(message) },
    );
    expect((await ask(gateway.url, 'tools/list')).status).toBe(200);
    expect(warned).toEqual(['what sessions want to hear of cannot be read: they have to say it again']);
  }
});

test('however slow the disk is, one document is written at a time, and the last says all', async () => {
  const written: string[] = [];
  let finish = (): void => {};
  const store = {
    read: () => undefined,
    write: (json: string) => new Promise<void>((resolve) => void (written.push(json), (finish = resolve))),
  };
  const memory = new SessionMemory({ store, log: silent, onUnused: () => {} });
  const later = Date.now() + 60_000;
  memory.subscriptions.add('s1', 'up', 'mem://0', later);
  await expect.poll(() => written.length, { timeout: 5_000 }).toBe(1);
  for (let at = 1; at <= 50; at++) memory.subscriptions.add('s1', 'up', `mem://${at}`, later);
  const closed = memory.close();
  expect(written).toHaveLength(1);
  finish();
  await expect.poll(() => written.length).toBe(2);
  finish();
  await closed;
  expect(JSON.parse(String(written[1]))).toMatchObject({ subscriptions: { length: 51 } });
});

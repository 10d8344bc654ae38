/** What the gateway listens to on a server of MCP 2026-07-28: once, whatever becomes of calls and of others' wishes. */
import { expect, test, vi } from 'vitest';
import { Listening } from '../../gateway/upstream/listening.ts';
import { listen, session, start, type Events } from './helpers/gateway.ts';
import { modernServer } from './helpers/modern-upstream.ts';

const DISCOVERED = {
  result: {
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: { listChanged: true }, resources: { subscribe: true } },
  },
};
const updated = (uri: string) => ({ method: 'notifications/resources/updated', params: { uri } });

/** The next message of that method. */
async function until(stream: Events, method: string): Promise<unknown> {
  for (;;) {
    const message = (await stream.next()) as { method?: string };
    if (message.method === method) return message;
  }
}

test('a server that is busy for a while, or speaks otherwise for a while, is listened to by one connection', async () => {
  let status = 0;
  await using up = await modernServer(({ method }) => {
    if (method === 'server/discover') return DISCOVERED;
    return method === 'tools/call' && status > 0 ? { status } : undefined;
  });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  const stream = await listen(gateway.url, mine.id);
  for (const uri of ['mem://a', 'mem://b'])
    expect((await mine.rpc('resources/subscribe', { uri })).json.result).toEqual({});
  const discovered = () => up.methods().filter((method) => method === 'server/discover').length;
  for (status of [429, 503, 500])
    expect((await mine.rpc('tools/call', { name: 'up__echo' })).json.error?.code).toBe(-32_010);
  expect(discovered()).toBe(1);
  for (status of [404, 405, 400]) {
    await mine.rpc('tools/call', { name: 'up__echo' });
    const refused = status;
    status = 0;
    expect([refused, (await mine.rpc('tools/call', { name: 'up__echo' })).json.result]).toEqual([
      refused,
      expect.anything(),
    ]);
  }
  expect(discovered()).toBe(4);
  // Those that were left have ended, and what the server says is heard once: the next thing heard is the next it says.
  await vi.waitFor(() => {
    expect(up.listeners).toBe(1);
    expect(up.wished()).toEqual(['mem://a', 'mem://b']);
  }, 20_000);
  for (const uri of ['mem://a', 'mem://b']) up.say(updated(uri));
  for (const uri of ['mem://a', 'mem://b'])
    expect(await until(stream, 'notifications/resources/updated')).toMatchObject({ params: { uri } });
  stream.close();
});

test('a wish that a server refuses takes nothing from those who listen already', async () => {
  await using up = await modernServer(({ method, params }) => {
    if (method === 'server/discover') return DISCOVERED;
    const { resourceSubscriptions: uris = [] } = (params?.['notifications'] ?? {}) as {
      resourceSubscriptions?: string[];
    };
    return uris.includes('mem://bad') ? { error: { code: -32_602, message: 'No such resource' } } : undefined;
  });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const [ann, eve] = [await session(gateway.url), await session(gateway.url)];
  const stream = await listen(gateway.url, ann.id);
  expect((await ann.rpc('resources/subscribe', { uri: 'mem://a' })).json.result).toEqual({});
  const refused = async () => (await eve.rpc('resources/subscribe', { uri: 'mem://bad' })).json.error?.code;
  for (let n = 0; n < 3; n++) expect(await refused()).toBe(-32_602);
  expect(up.wished()).toEqual(['mem://a', 'mem://bad']);
  up.say(updated('mem://a'));
  expect(await until(stream, 'notifications/resources/updated')).toMatchObject({ params: { uri: 'mem://a' } });
  // And it goes on from there.
  expect((await eve.rpc('resources/subscribe', { uri: 'mem://b' })).json.result).toEqual({});
  await expect.poll(() => up.listeners, { timeout: 20_000 }).toBe(1);
  for (const uri of ['mem://a', 'mem://b']) up.say(updated(uri));
  expect(await until(stream, 'notifications/resources/updated')).toMatchObject({ params: { uri: 'mem://a' } });
  stream.close();
});

test('who closes while it waits to be heard does not wait for the answer', () => {
  let opened: AbortSignal | undefined;
  const listening = new Listening({
    lists: { tools: { listChanged: true } },
    open: (_, signal) => {
      opened = signal;
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    onMissed: () => {},
  });
  listening.start();
  expect(opened?.aborted).toBe(false);
  listening.close();
  expect(opened?.aborted).toBe(true);
});

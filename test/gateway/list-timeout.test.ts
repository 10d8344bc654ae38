/** Lists come from those that answer within `listTimeout`; the missing are named, and there as soon as they have answered. */
import { expect, test } from 'vitest';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { eventually } from '../helpers/until.ts';
import { listen, session, start } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';
import { modernServer } from './helpers/modern-upstream.ts';
import { holdingUpstream, socketUpstream } from './helpers/upstreams.ts';

const named = (tools: unknown): string[] => (tools as { name: string }[]).map(({ name }) => name.split('__')[0] ?? '');
const late = (ms: number): string => `It did not answer within ${ms} ms.`;

test('a slow server is left out after the time that the gateway says, named in _meta and status, and is there when it has answered', async () => {
  await using slow = await holdingUpstream('slow', 'tools/list');
  await using quick = await socketUpstream('quick');
  await using gateway = await start({
    servers: { slow: { endpoints: [slow.endpoint], timeoutMs: 60_000 }, quick: quick.endpoint },
    gateway: { listTimeoutMs: 300 },
  });
  const mine = await session(gateway.url);
  const stream = await listen(gateway.url, mine.id);
  const list = async () => (await mine.rpc('tools/list')).json.result;
  const first = await list();
  expect(new Set(named(first?.['tools']))).toEqual(new Set(['quick']));
  expect(first?.['_meta']).toEqual({ 'slipway/unavailable': { slow: late(300) } });
  expect(gateway.unlisted('slow')).toEqual({ tools: late(300) });
  expect(gateway.unlisted('quick')).toEqual({});
  // Nobody waits for it again, in either era, while its answer is on its way; nor is it asked again.
  const modern = (await ask(gateway.url, 'tools/list')).json.result;
  expect(modern?.['_meta']).toMatchObject({ 'slipway/unavailable': { slow: late(300) } });
  expect(slow.seen.filter((message) => 'method' in message && message.method === 'tools/list')).toHaveLength(1);
  slow.letGo();
  expect(await stream.next()).toMatchObject({ method: 'notifications/tools/list_changed' });
  const whole = await list();
  expect(new Set(named(whole?.['tools']))).toEqual(new Set(['slow', 'quick']));
  expect(whole?.['_meta']).toBeUndefined();
  expect(gateway.unlisted('slow')).toEqual({});
  stream.close();
});

test('a server may be given another time than the gateway gives', async () => {
  await using slow = await holdingUpstream('slow', 'prompts/list');
  await using other = await holdingUpstream('other', 'prompts/list');
  await using gateway = await start({
    servers: {
      slow: { endpoints: [slow.endpoint], timeoutMs: 60_000, listTimeoutMs: 60_000 },
      other: { endpoints: [other.endpoint], timeoutMs: 60_000 },
    },
    gateway: { listTimeoutMs: 100 },
  });
  const mine = await session(gateway.url);
  const listed = mine.rpc('prompts/list');
  await eventually(() => gateway.unlisted('other')['prompts']);
  expect(gateway.unlisted('slow')).toEqual({});
  slow.letGo();
  const { result } = (await listed).json;
  expect(result?.['_meta']).toEqual({ 'slipway/unavailable': { other: late(100) } });
  other.letGo();
});

test('a list that never ends is cut, and says so', async () => {
  const page = ({ params }: RpcRequest): number => Number(params?.['cursor'] ?? 0);
  const tool = (name: string): object => ({ name, inputSchema: { type: 'object' } });
  const ended = { after: Infinity };
  await using up = await modernServer((request) => {
    if (request.method !== 'tools/list') return undefined;
    const at = page(request);
    const more = at < ended.after ? { nextCursor: String(at + 1) } : {};
    return { result: { resultType: 'complete', tools: [tool(`t${at}`)], ttlMs: 1, cacheScope: 'public', ...more } };
  });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  const list = async () => (await mine.rpc('tools/list')).json.result;
  const cut = 'It has more than 100 pages; what follows is left out.';
  const first = await list();
  expect(first?.['tools']).toHaveLength(100);
  expect(first?.['_meta']).toEqual({ 'slipway/unavailable': { up: cut } });
  expect(gateway.unlisted('up')).toEqual({ tools: cut });
  // The same hundred tools, and the end: it is another list.
  ended.after = 99;
  await eventually(async () => (await list())?.['_meta'] === undefined);
  expect((await list())?.['tools']).toHaveLength(100);
  expect(gateway.unlisted('up')).toEqual({});
});

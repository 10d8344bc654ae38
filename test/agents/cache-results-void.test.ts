/** Results that were kept: when they are void, that each call is judged all the same, and that nobody gets another's. */
import { describe, expect, test } from 'vitest';
import type { ServerEntry } from '../../schemas/snapshot.ts';
import { call as callOf, consented, Scene } from '../access/helpers/scene.ts';
import { client, principal, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { modernServer } from '../gateway/helpers/modern-upstream.ts';
import { httpUpstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';
import { keptScene, reads, RULES, textOf, type Result } from './helpers/kept-scene.ts';

const scene = await keptScene();
const { fresh, gateway, modern, up, wish } = scene;

describe('what was kept is void', () => {
  const kept = async (): Promise<void> => {
    const before = scene.calls.length;
    for (const _ of [1, 2]) await modern('up__get');
    expect(scene.calls.length - before).toBe(1);
  };

  test('once a tool of the server was called that may change something', async () => {
    await kept();
    await modern('up__save');
    await kept();
  });

  test.each(['notifications/tools/list_changed', 'notifications/resources/updated'])(
    'once the server says %s',
    async (method) => {
      await kept();
      await eventually(() => up.listeners > 0);
      const before = scene.calls.length;
      await eventually(async () => {
        up.say({ method, params: { uri: 'a:b' } });
        await modern('up__get');
        return scene.calls.length > before;
      });
    },
  );

  test('with a new version of the server', async () => {
    await kept();
    await using next = await modernServer(
      ({ method }) => (method === 'tools/call' ? { result: { content: [{ type: 'text', text: 'new' }] } } : undefined),
      () => [reads('get')],
    );
    const now = wish({}, [...RULES, { tools: [`turn-${scene.turn - 1}`] }]);
    await gateway.swap({
      ...now,
      servers: {
        ...now.servers,
        up: { ...now.servers['up'], endpoints: [{ ...next.endpoint, id: 'next' }] } as ServerEntry,
      },
    });
    expect(textOf(await modern('up__get'))).toBe('new');
  });

  test('when an operator says so', async () => {
    await kept();
    expect((await gateway.cache.stats()).results.entries).toBeGreaterThan(0);
    await gateway.cache.clear({});
    expect((await gateway.cache.stats()).results.entries).toBe(0);
    await kept();
  });
});

describe('each call is judged, whether or not the server is asked', () => {
  test('by rights', async () => {
    const rule = { pattern: 'get', action: 'deny', message: 'Not through here.', file: 'dev.yaml', line: 3 } as const;
    const { access } = wish();
    await fresh({ access: { ...access, projects: { dev: { file: 'dev.yaml', line: 1, rules: [rule] } } } });
    expect(textOf(await modern('up__get'))).toBe('get 1');
    const refused = await modern('up__get', {}, 'a', '/projects/dev/mcp');
    expect(refused.isError).toBe(true);
    expect(textOf(refused)).toContain('Not through here.');
  });

  test('by budgets, which count calls', async () => {
    const budget = {
      name: 'few',
      principals: [],
      groups: [],
      routes: [],
      per: 'all' as const,
      window: { slidingMs: 60_000 },
      calls: 2,
      prices: [],
      warnAt: 1,
      enforce: true,
    };
    await fresh({ budgets: [budget] });
    for (const _ of [1, 2]) expect(textOf(await modern('up__get'))).toBe('get 1');
    expect(textOf(await modern('up__get'))).toContain('Budget few is used up');
  });
});

test('metrics tell how often', async () => {
  const counted = async (): Promise<number> => {
    const { text } = await raw(gateway.url, { path: '/metrics', headers: { Authorization: 'Bearer a' } });
    return Number(/slipway_gateway_cached_total\{server="up"\} (\d+)/.exec(text)?.[1]);
  };
  await modern('up__get');
  const before = await counted();
  for (const _ of [1, 2, 3]) await modern('up__get');
  expect(await counted()).toBe(before + 3);
  const { text } = await raw(gateway.url, { path: '/metrics', headers: { Authorization: 'Bearer a' } });
  expect(text).toMatch(/^slipway_cache_lookups_total\{cache="results",outcome="hit"\} [1-9]/m);
});

test('a server that knows who comes is asked by each for themselves, and again when they come as somebody else', async () => {
  const theirs = await Scene.set();
  const principals = [principal('ada', 'ada-token'), principal('bob', 'bob-token')];
  const docs = await theirs.up({}, { principals });
  const rule = { tools: ['whoami'], ttlMs: 60_000, force: true };
  const entry = { ...(theirs.servers['docs'] as Partial<ServerEntry>), cache: [rule] };
  await docs.swap(snapshot({ servers: { ...theirs.servers, docs: entry }, principals }));
  await using ada = await client(`${docs.url}/servers/docs/mcp`, 'ada-token');
  await using bob = await client(`${docs.url}/servers/docs/mcp`, 'bob-token');
  await consented(ada, 'anna');
  await consented(bob, 'robert');
  const who = async (of: typeof ada): Promise<unknown[]> => {
    const { content, _meta } = await callOf(of, 'whoami');
    return [content[0]?.text, _meta?.['slipway/cached'] !== undefined];
  };
  for (const isKept of [false, true])
    expect([await who(ada), await who(bob)]).toEqual([
      ['whoami: anna', isKept],
      ['whoami: robert', isKept],
    ]);
  const headers = { Authorization: 'Bearer ada-token' };
  const forgotten = await raw(docs.url, { method: 'DELETE', path: '/api/v1/consents/docs', headers });
  expect(forgotten.status).toBe(200);
  await consented(ada, 'amy');
  expect(await who(ada)).toEqual(['whoami: amy', false]);
});

test('cross-client leak: what an instance of one’s own answered is given to nobody else', async () => {
  const cache = [{ tools: ['who'], ttlMs: 60_000, force: true }];
  const isolated = { maxInstances: 5, idleMs: 60_000 };
  await using theirs = await httpUpstream('own');
  await using own = await start({ servers: { own: { endpoints: [theirs.endpoint], isolated, cache } } });
  const sessions = await Promise.all([session(own.url), session(own.url)]);
  for (const { rpc } of sessions) {
    const { json } = await rpc('tools/call', { name: 'own__who' });
    expect((json.result as Result)._meta?.['slipway/cached']).toBeUndefined();
  }
  expect(theirs.seen.filter((message) => 'method' in message && message.method === 'tools/call')).toHaveLength(2);
});

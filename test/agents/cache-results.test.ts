/** Results of tools that are given again: to whom, for how long, and when not. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Gateway } from '../../gateway/index.ts';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Log } from '../../schemas/log.ts';
import type { ServerEntry, Snapshot } from '../../schemas/snapshot.ts';
import { call as callOf, consented, Scene } from '../access/helpers/scene.ts';
import { client, principal, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { ask } from '../gateway/helpers/modern.ts';
import { modernServer } from '../gateway/helpers/modern-upstream.ts';
import { httpUpstream, socketUpstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';

const reads = (name: string): object => ({
  name,
  inputSchema: { type: 'object' },
  annotations: { readOnlyHint: true },
});

type Result = Record<string, unknown> & { content: { text: string }[]; _meta?: Record<string, unknown> };

/** What a tool answers besides how often it was called. */
let special: Record<string, object> = {};
let calls: string[] = [];
const up = await modernServer(
  ({ method, params }) => {
    if (method !== 'tools/call') return undefined;
    const name = String(params?.['name']);
    calls.push(name);
    const { error, ...more } = { error: undefined, ...special[name] };
    if (error) return { error };
    return {
      result: { resultType: 'complete', content: [{ type: 'text', text: `${name} ${calls.length}` }], ...more },
    };
  },
  () => [
    ...['get', 'get_said', 'list', 'other'].map(reads),
    { name: 'forced', inputSchema: {} },
    { name: 'save', inputSchema: {} },
  ],
);
const old = await socketUpstream('old');
old.tools.splice(0, old.tools.length, { ...(reads('who') as { name: string }) });

const audited: AuditDraft[] = [];
const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };
const logged: string[] = [];
const log: Log = (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);

const RULES: ServerEntry['cache'] = [
  { tools: ['get*', 'save'], ttlMs: 60_000 },
  { tools: ['get_said'] },
  { tools: ['forced'], ttlMs: 60_000, force: true },
  { tools: ['who'], ttlMs: 60_000 },
];

const wish = (more: Partial<Snapshot> = {}, rules = RULES): Snapshot => ({
  ...snapshot({
    servers: {
      up: { endpoints: [up.endpoint], cache: rules },
      old: { endpoints: [old.endpoint], cache: rules },
    },
    principals: [principal('ada', 'a'), principal('bob', 'b')],
  }),
  ...more,
});

const gateway: Gateway = await start(wish(), { audit, log });
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await Promise.all([up, old].map((one) => one[Symbol.asyncDispose]()));
});

/** Each test begins with nothing kept: another config of the cache is another cache. */
let turn = 0;
const fresh = (more: Partial<Snapshot> = {}): Promise<void> =>
  gateway.swap(wish(more, [...(RULES ?? []), { tools: [`turn-${turn++}`] }]));
beforeEach(async () => {
  special = {};
  calls = [];
  audited.length = 0;
  await fresh();
});

const legacy = async (name: string, args: object = {}, token = 'a', path = '/mcp'): Promise<Result> => {
  const { rpc } = await session(gateway.url, { token, path });
  const { json } = await rpc('tools/call', { name, arguments: args });
  return (json.result ?? json.error) as Result;
};
const modern = async (name: string, args: object = {}, token = 'a', path = '/mcp'): Promise<Result> => {
  const { json } = await ask(gateway.url, 'tools/call', { name, arguments: args }, { token, path });
  return (json.result ?? json.error) as Result;
};
const textOf = ({ content }: Result): string | undefined => content?.[0]?.text;

describe.each([
  ['legacy', legacy],
  ['modern', modern],
])('a client of the %s era', (_era, call) => {
  test('gets what was said before for the same arguments, in whatever order, with its age', async () => {
    const first = await call('up__get', { a: 1, b: { c: [1, 2], d: null } });
    expect([textOf(first), first._meta?.['slipway/cached']]).toEqual(['get 1', undefined]);
    const again = await call('up__get', { b: { d: null, c: [1, 2] }, a: 1 });
    expect(textOf(again)).toBe('get 1');
    expect(again._meta?.['slipway/cached']).toEqual({ ageMs: expect.any(Number) });
    expect(textOf(await call('up__get', { a: 1, b: { c: [2, 1], d: null } }))).toBe('get 2');
    expect(calls).toEqual(['get', 'get']);
    const events = audited.filter(({ kind }) => kind === 'tool_call_trace');
    expect(events).toMatchObject([
      { server: 'up', tool: 'get', outcome: 'ok', detail: undefined },
      { server: 'up', tool: 'get', outcome: 'ok', detail: { cached: true } },
      { server: 'up', tool: 'get', outcome: 'ok', detail: undefined },
    ]);
  });

  test('from a legacy server, too', async () => {
    const asked = (): number =>
      old.seen.filter((message) => 'method' in message && message.method === 'tools/call').length;
    const before = asked();
    for (const _ of [1, 2, 3]) expect(textOf(await call('old__who', { turn }))).toBe('old');
    expect(asked() - before).toBe(1);
  });

  test('and nothing of the kind where no rule says so', async () => {
    for (const _ of [1, 2]) await call('up__other');
    expect(calls).toHaveLength(2);
  });
});

test('clients of both eras and of every route share what is the same for all', async () => {
  expect(textOf(await legacy('up__get'))).toBe('get 1');
  expect(textOf(await modern('up__get', {}, 'b'))).toBe('get 1');
  expect(textOf(await modern('get', {}, 'b', '/servers/up/mcp'))).toBe('get 1');
});

test('what a server says is for one is given to that one alone', async () => {
  special = { get: { cacheScope: 'private' } };
  expect(textOf(await modern('up__get', {}, 'a'))).toBe('get 1');
  expect(textOf(await modern('up__get', {}, 'b'))).toBe('get 2');
  expect([textOf(await legacy('up__get', {}, 'a')), textOf(await legacy('up__get', {}, 'b'))]).toEqual([
    'get 1',
    'get 2',
  ]);
});

describe('how long', () => {
  test('as long as the rule says', async () => {
    await gateway.swap(wish({}, [{ tools: ['list'], ttlMs: 100 }]));
    expect(textOf(await modern('up__list'))).toBe('list 1');
    await eventually(async () => textOf(await modern('up__list')) === 'list 2');
  });

  test('as the server says where the rule does not, and never longer than it says', async () => {
    for (const _ of [1, 2]) await modern('up__get_said');
    expect(calls).toHaveLength(2);
    special = { get_said: { ttlMs: 60_000 }, get: { ttlMs: 0 } };
    for (const _ of [1, 2, 3]) await modern('up__get_said');
    expect(calls).toHaveLength(3);
    const { ttlMs } = await modern('up__get_said');
    expect(ttlMs).toBeLessThanOrEqual(60_000);
    for (const _ of [1, 2]) await modern('up__get');
    expect(calls.filter((name) => name === 'get')).toHaveLength(2);
  });
});

describe('never kept', () => {
  test.each([
    ['a failure of the tool', { isError: true }],
    ['a refusal', { error: { code: -32_000, message: 'no' } }],
    ['a question to the client', { resultType: 'input_required', inputRequests: {}, requestState: 's' }],
    ['a result that is too large', { structuredContent: { all: 'x'.repeat(1024 * 1024) } }],
  ])('%s', async (_why, more) => {
    special = { get: more };
    for (const _ of [1, 2]) await modern('up__get');
    expect(calls).toHaveLength(2);
  });

  test('what a tool answers that does not say that it only reads, unless the rule insists', async () => {
    for (const _ of [1, 2]) await modern('up__save');
    expect(calls).toEqual(['save', 'save']);
    const told = logged.filter((line) => line.includes('"save"'));
    expect(told).toEqual([expect.stringMatching(/^warn results of a tool are not kept: .*force: true/)]);
    for (const _ of [1, 2]) await modern('up__forced');
    expect(calls).toEqual(['save', 'save', 'forced']);
  });

  test('arguments that nobody sends twice: too long, or nested too deep', async () => {
    let deep: object = {};
    for (let at = 0; at < 100; at++) deep = { deep };
    for (const args of [deep, { long: 'x'.repeat(70_000) }]) for (const _ of [1, 2]) await modern('up__get', args);
    expect(calls).toHaveLength(4);
  });
});

describe('what was kept is void', () => {
  const kept = async (): Promise<void> => {
    const before = calls.length;
    for (const _ of [1, 2]) await modern('up__get');
    expect(calls.length - before).toBe(1);
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
      const before = calls.length;
      await eventually(async () => {
        up.say({ method, params: { uri: 'a:b' } });
        await modern('up__get');
        return calls.length > before;
      });
    },
  );

  test('with a new version of the server', async () => {
    await kept();
    await using next = await modernServer(
      ({ method }) => (method === 'tools/call' ? { result: { content: [{ type: 'text', text: 'new' }] } } : undefined),
      () => [reads('get')],
    );
    const now = wish({}, [...(RULES ?? []), { tools: [`turn-${turn - 1}`] }]);
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
      projects: [],
      per: 'all',
      window: { slidingMs: 60_000 },
      calls: 2,
      prices: [],
      warnAt: 1,
      enforce: true,
    } as const;
    await fresh({ budgets: [budget as never] });
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
  const scene = await Scene.set();
  const principals = [principal('ada', 'ada-token'), principal('bob', 'bob-token')];
  const docs = await scene.up({}, { principals });
  const rule = { tools: ['whoami'], ttlMs: 60_000, force: true };
  const entry = { ...(scene.servers['docs'] as Partial<ServerEntry>), cache: [rule] };
  await docs.swap(snapshot({ servers: { ...scene.servers, docs: entry }, principals }));
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

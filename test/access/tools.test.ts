/** Which tools a caller sees and may call: the same decision on list and on call, in either era, whatever the rules are. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Access, Permissions, ToolRule } from '../../schemas/access.ts';
import { client, listen, principal, raw, session, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { ask, modernClient } from '../gateway/helpers/modern.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';

const at = { file: 'access.yaml', line: 7 };
const rule = (pattern: string, action: 'allow' | 'deny' = 'deny', more: Partial<ToolRule> = {}): ToolRule => ({
  pattern,
  action,
  ...at,
  ...more,
});
const said = (rules: ToolRule[], more: Partial<Permissions> = {}): Permissions => ({ rules, ...more, ...at });

const principals = [
  principal('reader', 'tok-reader', { roles: ['viewer'] }),
  principal('user', 'tok-user', { roles: ['member'] }),
  principal('boss', 'tok-boss', { roles: ['owner'] }),
  principal('nobody', 'tok-nobody', { roles: [] }),
  principal('web-only', 'tok-web', { roles: [] }),
  principal('looker', 'tok-looker', { roles: ['looker'] }),
  principal('runner', 'tok-runner', { roles: ['runner'] }),
];
const runner = { rules: [{ verbs: ['run'], resources: ['servers'], ...at }], operations: [], scopes: [], ...at };
const looker = { rules: [{ verbs: ['view'], resources: ['servers'], ...at }], operations: [], scopes: [], ...at };
const bindings: Access['bindings'] = [
  { name: 'web', subjects: [{ kind: 'Token', name: 'web-only' }], role: 'member', servers: ['web'], ...at },
];

async function world(access: Partial<Access> = {}) {
  const db = await socketUpstream('db', { all: true });
  const web = await socketUpstream('web', { all: true });
  // A copy: the fixtures share their tools.
  const tools = db.tools.map((tool) => (tool.name === 'who' ? { ...tool, annotations: { readOnlyHint: true } } : tool));
  db.tools.splice(0, Infinity, ...tools);
  const wish: Wish = {
    servers: { db: db.endpoint, web: web.endpoint },
    principals,
    access: { roles: { looker, runner }, bindings, ...access },
  };
  const gateway = await start(wish);
  const disposables = new AsyncDisposableStack();
  for (const one of [web, db, gateway]) disposables.use(one);
  return { gateway, db, web, wish, [Symbol.asyncDispose]: () => disposables.disposeAsync() };
}

const calls = (up: Upstream): number =>
  up.seen.filter((message) => 'method' in message && message.method === 'tools/call').length;
const namesIn = async (url: string, token: string): Promise<string[]> => {
  await using sdk = await client(`${url}/mcp`, token);
  return (await sdk.listTools()).tools.map(({ name }) => name);
};

test('each sees what it may call: a viewer what changes nothing, a member all, somebody bound to nothing a 403', async () => {
  await using w = await world();
  expect(await namesIn(w.gateway.url, 'tok-reader')).toEqual(['db__who']);
  expect(await namesIn(w.gateway.url, 'tok-user')).toHaveLength(18);
  expect(await namesIn(w.gateway.url, 'tok-boss')).toHaveLength(18);
  expect((await namesIn(w.gateway.url, 'tok-web')).every((name) => name.startsWith('web__'))).toBe(true);
  for (const method of ['tools/list', 'server/discover']) {
    const refused = await ask(w.gateway.url, method, {}, { token: 'tok-nobody' });
    expect([refused.status, refused.json.error?.data]).toEqual([
      403,
      {
        error_code: 'forbidden',
        hint: expect.stringContaining('RoleBinding') as string,
        requestId: refused.headers['x-request-id'],
      },
    ]);
  }
});

test('a blocked call: the result says so, and the server never hears of it', async () => {
  await using w = await world({ servers: { db: said([rule('echo', 'deny', { message: 'Use who.' })]) } });
  await using sdk = await client(`${w.gateway.url}/mcp`, 'tok-boss');
  const result = await sdk.callTool({ name: 'db__echo', arguments: { text: 'x' } });
  expect(result).toMatchObject({ isError: true, _meta: { 'slipway/policy': 'blocked', lazyMcpPolicy: 'blocked' } });
  const [{ text }] = result.content as [{ text: string }];
  expect(result.content).toHaveLength(1);
  expect(text).toContain('db:echo is blocked: a rule in the permissions of the server denies echo.');
  expect(text).toContain('Details: Use who.');
  expect(text).toContain('Rule: access.yaml:7, commit c0ffee.');
  expect(text).toMatch(/slipway explain denied \S+`/);
  expect(calls(w.db)).toBe(0);
  expect((await sdk.listTools()).tools.map(({ name }) => name)).not.toContain('db__echo');
  await sdk.callTool({ name: 'web__echo', arguments: { text: 'x' } });
  expect(calls(w.web)).toBe(1);

  // One who may not look at the config is not told how it is laid out.
  const other = await ask(w.gateway.url, 'tools/call', { name: 'db__echo', arguments: {} }, { token: 'tok-runner' });
  expect(other.json.result).toMatchObject({
    isError: true,
    resultType: 'complete',
    _meta: { 'slipway/policy': 'blocked' },
  });
  expect(other.text).toContain('Details: Use who.');
  expect(other.text).not.toContain('access.yaml');
  await using modern = await modernClient(`${w.gateway.url}/mcp`, { token: 'tok-user' });
  expect((await modern.listTools()).tools.map(({ name }) => name)).not.toContain('db__echo');
  expect(calls(w.db)).toBe(0);
});

test.each<[string, Partial<Access>, toMember: boolean]>([
  ['the server', { servers: { db: said([rule('echo')]) } }, true],
  ['the project', { projects: { dev: said([rule('echo')]) } }, true],
  ['the gateway', { global: said([rule('echo')]) }, false],
  ['the floor', { floor: [rule('echo')] }, false],
])('where a rule of %s stands is told to whoever may look at that', async (_, access, toMember) => {
  await using w = await world(access);
  const told = async (token: string): Promise<boolean> => {
    const params = { name: 'db__echo', arguments: {} };
    const { text } = await ask(w.gateway.url, 'tools/call', params, { token, path: '/projects/dev/mcp' });
    expect(text).toContain('db:echo is blocked');
    return text.includes('access.yaml:7');
  };
  expect([await told('tok-runner'), await told('tok-user'), await told('tok-boss')]).toEqual([false, toMember, true]);
});

test('the floor holds for everybody, the local user included', async () => {
  await using up = await socketUpstream('db');
  await using gateway = await start({
    servers: { db: up.endpoint },
    access: { floor: [rule('*')], servers: { db: said([rule('*', 'allow')]) } },
  });
  await using sdk = await client(`${gateway.url}/servers/db/mcp`);
  expect((await sdk.listTools()).tools).toEqual([]);
  expect(await sdk.callTool({ name: 'who', arguments: {} })).toMatchObject({ isError: true });
  expect(calls(up)).toBe(0);
});

test('a server that one may not see behaves as if it did not exist; one that one may only see says that it is closed', async () => {
  await using w = await world();
  const hidden = await ask(w.gateway.url, 'tools/call', { name: 'db__who', arguments: {} }, { token: 'tok-web' });
  const missing = await ask(w.gateway.url, 'tools/call', { name: 'no__who', arguments: {} }, { token: 'tok-web' });
  expect(hidden.json.error).toEqual({ ...missing.json.error, message: 'Unknown tool: db__who' });
  const paths = ['/servers/db/mcp', '/servers/no/mcp'];
  const answers = await Promise.all(
    paths.map((path) => ask(w.gateway.url, 'tools/list', {}, { token: 'tok-web', path })),
  );
  expect(answers.map(({ status }) => status)).toEqual([403, 403]);
  expect(answers[0]?.json.error?.message).toBe(answers[1]?.json.error?.message);

  const closed = await ask(w.gateway.url, 'tools/call', { name: 'db__who', arguments: {} }, { token: 'tok-looker' });
  expect(closed.json.result).toMatchObject({ isError: true, _meta: { 'slipway/policy': 'blocked' } });
  expect(closed.text).toContain('no role lets the caller use the server');
  expect(calls(w.db)).toBe(0);
  for (const method of ['tools/list', 'prompts/list', 'resources/list']) {
    const listed = await ask(w.gateway.url, method, {}, { token: 'tok-looker' });
    const items = Object.values(listed.json.result ?? {}).find(Array.isArray) ?? [];
    expect([method, items]).toEqual([method, []]);
  }
});

test('prompts, resources, templates, completion and subscriptions go by server', async () => {
  await using w = await world();
  const by = { token: 'tok-web' };
  const texts = await Promise.all(
    ['prompts/list', 'resources/list', 'resources/templates/list'].map(
      async (method) => (await ask(w.gateway.url, method, {}, by)).text,
    ),
  );
  for (const text of texts) expect([text.includes('web'), /db__|mem:\/\/db/.test(text)]).toEqual([true, false]);
  const refusals = await Promise.all([
    ask(w.gateway.url, 'prompts/get', { name: 'db__greet' }, by),
    ask(w.gateway.url, 'resources/read', { uri: 'mem://db/a' }, by),
    ask(
      w.gateway.url,
      'completion/complete',
      { ref: { type: 'ref/prompt', name: 'db__greet' }, argument: { name: 'a', value: '' } },
      by,
    ),
  ]);
  expect(refusals.map(({ json }) => json.result)).toEqual([undefined, undefined, undefined]);
  const old = await session(w.gateway.url, { token: 'tok-web' });
  await old.rpc('resources/subscribe', { uri: 'mem://db/a' });
  expect((await old.rpc('resources/subscribe', { uri: 'mem://web/a' })).json.result).toEqual({});
  const methods = w.db.seen.flatMap((message) => ('method' in message ? [message.method] : []));
  expect(methods.filter((method) => /get|read|complete|subscribe/.test(method))).toEqual([]);
  // A resource that two servers list belongs to the one that this caller may use.
  expect((await ask(w.gateway.url, 'resources/read', { uri: 'mem://shared' }, by)).text).toContain('from web');
});

test('what a server says unasked reaches those who may use it, and nobody else', async () => {
  await using w = await world();
  const insider = await session(w.gateway.url, { token: 'tok-user' });
  const outsider = await session(w.gateway.url, { token: 'tok-web' });
  for (const one of [insider, outsider]) {
    await one.rpc('tools/list');
    await one.rpc('logging/setLevel', { level: 'debug' });
  }
  const [inside, outside] = [
    await listen(w.gateway.url, insider.id, '/mcp', undefined, 'tok-user'),
    await listen(w.gateway.url, outsider.id, '/mcp', undefined, 'tok-web'),
  ];
  await insider.rpc('tools/call', { name: 'db__who', arguments: {} });
  await outsider.rpc('tools/call', { name: 'web__who', arguments: {} });
  const log = (data: string) => ({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'error', data } });
  w.db.say(log('a secret of db'));
  expect(await inside.next()).toMatchObject({ params: { data: 'a secret of db' } });
  w.db.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' });
  w.web.say(log('of web'));
  expect(await outside.next()).toMatchObject({ params: { data: 'of web' } });
  inside.close();
  outside.close();
});

test('a commit changes what is open at once: sessions go on, lists change, and whoever listens is told', async () => {
  await using w = await world();
  const user = await session(w.gateway.url, { token: 'tok-user' });
  await user.rpc('tools/list');
  const boss = await session(w.gateway.url, { token: 'tok-boss' });
  await boss.rpc('tools/list');
  const heard = await listen(w.gateway.url, user.id, '/mcp', undefined, 'tok-user');
  await w.gateway.swap(snapshot({ ...w.wish, access: { roles: { looker }, bindings, global: said([rule('wh*')]) } }));
  expect(await heard.next()).toMatchObject({ method: 'notifications/tools/list_changed' });
  expect((await user.rpc('tools/list')).text).not.toContain('db__who');
  expect((await user.rpc('tools/call', { name: 'db__who', arguments: {} })).json.result).toMatchObject({
    isError: true,
  });
  heard.close();
  // Whoever loses all roles loses the session with them.
  const without = principals.map((one) => (one.name === 'user' ? { ...one, roles: [] } : one));
  const listening = await listen(w.gateway.url, user.id, '/mcp', undefined, 'tok-user');
  const ended = new Promise((resolve) => listening.answer.once('end', resolve));
  await w.gateway.swap(snapshot({ ...w.wish, principals: without }));
  await ended;
  expect((await user.rpc('ping')).status).toBe(403);
});

test('a call that runs when its tool is closed runs to its end', async () => {
  await using w = await world();
  const user = await session(w.gateway.url, { token: 'tok-user' });
  await user.rpc('tools/list');
  const running = user.rpc('tools/call', { name: 'db__slow', arguments: { ms: 200 } });
  await w.db.saw('tools/call');
  await w.gateway.swap(snapshot({ ...w.wish, access: { roles: { looker }, bindings, floor: [rule('*')] } }));
  const later = await user.rpc('tools/call', { name: 'db__slow', arguments: {} });
  expect(later.json.result).toMatchObject({ isError: true });
  expect((await running).json.result).toEqual({ content: [{ type: 'text', text: 'db' }] });
});

const LETTERS = ['a', 'b', 'ab', 'ba', 'aab', 'bb'];
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 3 });
const rules = fc.array(
  fc
    .record({
      pattern,
      action: fc.constantFrom('allow' as const, 'deny' as const),
      server: fc.constantFrom(undefined, 'db', 'w*'),
    })
    .map(({ pattern: wish, action, server }) => rule(wish, action, server === undefined ? {} : { server })),
  { maxLength: 3 },
);
const block = fc.option(
  fc
    .record({ rules, default: fc.constantFrom(undefined, 'allow' as const, 'deny' as const), readOnly: fc.boolean() })
    .map((it) =>
      said(it.rules, {
        ...(it.default === undefined ? {} : { default: it.default }),
        ...(it.readOnly ? { readOnly: true as const } : {}),
      }),
    ),
  { nil: undefined },
);

test('whatever the rules: what is listed can be called, and what can be called is listed', async () => {
  await using db = await socketUpstream('db');
  db.tools.length = 0;
  for (const [index, name] of LETTERS.entries())
    db.tools.push({
      name,
      inputSchema: { type: 'object' },
      ...(index % 2 === 0 ? { annotations: { readOnlyHint: true } } : {}),
    });
  const wish: Wish = {
    servers: { db: db.endpoint },
    principals: [principal('t', 'tok', { roles: ['some', 'other'] })],
  };
  await using gateway = await start(wish);
  const runs = { rules: [{ verbs: ['run'], resources: ['servers'], ...at }], operations: [], scopes: [], ...at };
  const withBlock = (it: Permissions | undefined) => ({ ...runs, ...(it ? { permissions: it } : {}) });
  await fc.assert(
    fc.asyncProperty(rules, block, block, block, block, block, async (floor, server, project, one, two, global) => {
      const access: Partial<Access> = {
        floor: floor.map((it) => ({ ...it, action: 'deny' })),
        servers: server ? { db: server } : {},
        projects: project ? { dev: project } : {},
        roles: { some: withBlock(one), other: withBlock(two) },
        ...(global ? { global } : {}),
      };
      await gateway.swap(snapshot({ ...wish, access }));
      const by = { token: 'tok', path: '/projects/dev/mcp' };
      const listed = (await ask(gateway.url, 'tools/list', {}, by)).json.result?.['tools'] as { name: string }[];
      const answers = await Promise.all(
        LETTERS.map((name) => ask(gateway.url, 'tools/call', { name: `db__${name}`, arguments: {} }, by)),
      );
      const open = LETTERS.filter((_, index) => !answers[index]?.text.includes('slipway/policy'));
      expect(listed.map(({ name }) => name)).toEqual(open.map((name) => `db__${name}`));
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('many roles, each of its own: each sees its own tools, and goes on seeing them', async () => {
  const count = 220;
  const names = Array.from({ length: count }, (_, index) => `t${index}`);
  await using db = await socketUpstream('db');
  db.tools.splice(0, Infinity, ...names.map((name) => ({ name, inputSchema: { type: 'object' } })));
  const runs = { rules: [{ verbs: ['run'], resources: ['servers'], ...at }], operations: [], scopes: [], ...at };
  const roles = Object.fromEntries(
    names.map((name) => [name, { ...runs, permissions: said([rule(name, 'allow')], { default: 'deny' }) }]),
  );
  const all = names.map((name) => principal(name, `tok-${name}`, { roles: [name] }));
  await using gateway = await start({ servers: { db: db.endpoint }, principals: all, access: { roles } });
  for (const name of [...names, 't0', 't1']) {
    const { json } = await ask(gateway.url, 'tools/list', {}, { token: `tok-${name}` });
    expect(json.result).toMatchObject({ tools: [{ name: `db__${name}` }] });
  }
});

test('a question about a server that one may not use tells nothing of it', async () => {
  await using w = await world();
  const reason = async (server: string): Promise<[number, string]> => {
    const path = `/api/v1/auth/can-i?verb=call&thing=${server}/who`;
    const { status, text } = await raw(w.gateway.url, { path, headers: { Authorization: 'Bearer tok-web' } });
    return [status, text];
  };
  expect(await reason('db')).toEqual(await reason('no'));
  expect((await reason('web'))[1]).toContain('"allowed":true');
});

test('what strangers are refused pushes out nothing that was refused to somebody known', async () => {
  await using w = await world();
  const refused = await ask(w.gateway.url, 'tools/list', {}, { token: 'tok-nobody' });
  for (let times = 0; times < 250; times++)
    await raw(w.gateway.url, { path: '/mcp', headers: { Authorization: 'Bearer wrong' } });
  const told = async (id: unknown) =>
    raw(w.gateway.url, { path: `/api/v1/denied/${String(id)}`, headers: { Authorization: 'Bearer tok-boss' } });
  expect((await told(refused.headers['x-request-id'])).json).toMatchObject({
    principal: 'token:nobody',
    reason: 'forbidden',
    method: 'POST /mcp',
  });
});

/** Who is refused has used up nothing, and stands in the log as refused. */
import { expect, test } from 'vitest';
import { CODE_MODE } from '../agents/helpers/code-mode.ts';
import { budget } from './helpers/budget.ts';
import { Kept } from './helpers/kept.ts';
import { ask, follow } from '../gateway/helpers/modern.ts';
import { principal, session, start } from '../gateway/helpers/gateway.ts';
import { httpUpstream, socketUpstream } from '../gateway/helpers/upstreams.ts';

/** A token in so long that it is none. */
const NEVER = 0.001;
const rate = (burst: number) => ({ rate: { perSecond: NEVER, burst } });
const people = [principal('ada', 'tok-ada'), principal('eve', 'tok-eve')];
const echo = { name: 'up__echo', arguments: { text: 'hi' } };

test('requests beyond what one may have at once use up nothing of the rate that all share', async () => {
  await using up = await socketUpstream('up');
  const limits = { gateway: rate(8), perPrincipal: { concurrency: 1 } };
  await using gateway = await start({ servers: { up: up.endpoint }, principals: people, limits });
  const call = async (token: string): Promise<number> => (await ask(gateway.url, 'tools/call', echo, { token })).status;
  const slow = ask(gateway.url, 'tools/call', { name: 'up__slow', arguments: { ms: 800 } }, { token: 'tok-ada' });
  await up.saw('tools/call');
  for (let n = 0; n < 12; n++) expect(await call('tok-ada')).toBe(429);
  for (let n = 0; n < 5; n++) expect(await call('tok-eve')).toBe(200);
  await slow;
});

test('calls that a tool refuses use up nothing of what their caller may do elsewhere', async () => {
  await using up = await socketUpstream('up');
  const limits = { perPrincipal: rate(4), tools: { up: [{ pattern: 'echo', limits: rate(1) }] } };
  await using gateway = await start({ servers: { up: up.endpoint }, principals: people, limits });
  const call = async (name: string): Promise<number> =>
    (await ask(gateway.url, 'tools/call', { ...echo, name }, { token: 'tok-ada' })).status;
  expect(await call('up__echo')).toBe(200);
  for (let n = 0; n < 6; n++) expect(await call('up__echo')).toBe(429);
  expect([await call('up__who'), await call('up__who'), await call('up__who')]).toEqual([200, 200, 200]);
  expect(await call('up__who')).toBe(429);
});

test('a request that was served is not given back, although one of the servers that it was for refused it', async () => {
  await using one = await httpUpstream('one', { all: true });
  await using two = await httpUpstream('two', { all: true });
  const limits = { perPrincipal: rate(4), servers: { one: rate(1) } };
  const servers = { one: one.endpoint, two: two.endpoint };
  await using gateway = await start({ servers, principals: people, limits });
  const mine = await session(gateway.url, { token: 'tok-ada' });
  const statuses = [];
  for (let n = 0; n < 4; n++) statuses.push((await mine.rpc('resources/read', { uri: 'mem://two/unlisted' })).status);
  // What a session begins with takes one.
  expect(statuses).toEqual([200, 200, 200, 429]);
});

test('what nobody lists is one call, however many servers are asked for it', async () => {
  await using one = await httpUpstream('one', { all: true });
  await using two = await httpUpstream('two', { all: true });
  const audit = new Kept();
  await using gateway = await start(
    { servers: { one: one.endpoint, two: two.endpoint }, budgets: [budget({ calls: 2 })] },
    { audit },
  );
  const mine = await session(gateway.url);
  const read = async (uri: string) => (await mine.rpc('resources/read', { uri })).json;
  expect((await read('mem://two/unlisted')).result).toBeDefined();
  expect((await read('mem://none/unlisted')).error?.data).not.toMatchObject({ error_code: 'budget-exhausted' });
  expect((await read('mem://two/unlisted')).error?.data).toMatchObject({ error_code: 'budget-exhausted' });
});

test('a call of what its caller may not even know is refused on record, and looks like one of nothing', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using hush = await socketUpstream('hush', { all: true });
  const audit = new Kept();
  const at = { file: 'roles.yaml', line: 1 };
  const rules = [{ verbs: ['run', 'view'], resources: ['servers'], names: ['up'], ...at }];
  const access = { roles: { runner: { rules, operations: [], scopes: [], ...at } } };
  const principals = [principal('ada', 'tok-ada', { roles: ['runner'] })];
  const servers = { up: up.endpoint, hush: hush.endpoint };
  await using gateway = await start({ servers, principals, access }, { audit });
  const mine = await session(gateway.url, { token: 'tok-ada' });
  const words = async (method: string, name: string) => {
    const { error } = (await mine.rpc(method, { name })).json;
    return JSON.stringify(error).replaceAll(name, 'NAME');
  };
  expect(await words('tools/call', 'hush__echo')).toBe(await words('tools/call', 'none__echo'));
  expect(await words('prompts/get', 'hush__greet')).toBe(await words('prompts/get', 'none__greet'));
  const known = audit.events.filter(({ tool }) => tool === 'echo' || tool === 'greet');
  expect(known.map(({ server, allowed, outcome, deniedReason }) => [server, allowed, outcome, deniedReason])).toEqual([
    ['hush', false, 'denied', 'forbidden'],
    ['hush', false, 'denied', 'forbidden'],
  ]);
});

test('each resource that one request wants to hear of counts as one that asks for it alone', async () => {
  await using up = await socketUpstream('up', { all: true });
  const limits = { perPrincipal: rate(4) };
  await using gateway = await start({ servers: { up: up.endpoint }, principals: people, limits });
  const resourceSubscriptions = Array.from({ length: 1000 }, (_, at) => `mem://up/items/${at}`);
  const wish = { notifications: { resourceSubscriptions } };
  const stream = await follow(gateway.url, 'subscriptions/listen', wish, { token: 'tok-ada' });
  expect(await stream.next()).toMatchObject({
    params: { notifications: { resourceSubscriptions: resourceSubscriptions.slice(0, 3) } },
  });
  expect(up.seen.filter((message) => 'method' in message && message.method === 'resources/subscribe')).toHaveLength(3);
  stream.close();
});

test('what a script may not call uses up nothing of what its caller may do elsewhere', async () => {
  await using up = await socketUpstream('up');
  const path = '/projects/p/mcp';
  await using gateway = await start({
    servers: { up: up.endpoint },
    principals: people,
    routes: { [path]: { project: 'p', servers: ['up'], separator: '__', codeMode: CODE_MODE } },
    limits: { perPrincipal: rate(5), servers: { up: rate(1) } },
  });
  const by = { token: 'tok-ada', path };
  const script = 'let n = 0; for (let i = 0; i < 11; i++) try { await tools.up.who({}); n++ } catch {} return n';
  const ran = await ask(gateway.url, 'tools/call', { name: 'run_script', arguments: { script } }, by);
  expect(ran.json.result).toMatchObject({ content: [{ text: '1' }] });
  // The script itself and its one call took two.
  const statuses = [];
  for (let n = 0; n < 4; n++) statuses.push((await ask(gateway.url, 'tools/list', {}, by)).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
});

test('a Prompt that is a resource: its reader hears of budgets, and what the reader may not do is no fault of the link', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({
    servers: { up: up.endpoint },
    principals: people,
    prompts: { p1: { link: { server: 'up', uri: 'mem://up/a' }, priority: 5 } as never },
    budgets: [budget({ calls: 2, per: 'principal' })],
  });
  const mine = await session(gateway.url, { path: '/projects/dev/mcp', token: 'tok-ada' });
  const get = () => mine.rpc('prompts/get', { name: 'p1' });
  expect((await get()).text).not.toContain('slipway/budgets');
  expect((await get()).json.result).toMatchObject({ _meta: { 'slipway/budgets': [{ used: { calls: 2 } }] } });
  const over = await get();
  expect([over.status, over.json.error?.data]).toEqual([
    429,
    expect.objectContaining({ error_code: 'budget-exhausted' }),
  ]);
  expect(Number(over.headers['retry-after'])).toBeGreaterThan(0);
  expect(gateway.links().get('p1')).not.toHaveProperty('error');
});

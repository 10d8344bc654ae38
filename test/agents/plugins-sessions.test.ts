/** What sessions keep for their Plugins: each its own, in turn, bounded, for a while. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { listen, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { follow } from '../gateway/helpers/modern.ts';
import { eventually } from '../helpers/until.ts';
import { call, entry, ERAS, Plugged, saidIn } from './helpers/plugged.ts';

let plugged: Plugged;
beforeAll(async () => {
  plugged = await Plugged.start();
});
afterAll(() => plugged[Symbol.asyncDispose]());
beforeEach(() => plugged.begin());

describe.each(ERAS)('to a client of MCP %s', (era) => {
  test('instructions are changed, and a client that has come is greeted once', async () => {
    await plugged.swap({
      onSessionCreate: `ctx.state.greeted = (ctx.state.greeted ?? 0) + 1; ctx.log('hello', input.principal)`,
      onInitialize: `return { instructions: input.instructions + ' Greeted: ' + ctx.state.greeted }`,
      onToolCallBefore: `return { arguments: ctx.state }`,
    });
    expect((await plugged.greeted(era)).result?.['instructions']).toBe('Be kind. Greeted: 1');
    const client = await plugged.open(era);
    expect(saidIn(await call(client, 'echo'))).toBe('{"greeted":1}');
    expect(plugged.logged).toContainEqual(
      expect.stringMatching(/^info hello token:ada .*"plugin":"it","hook":"onSessionCreate"/),
    );
  });

  test('each principal has a state of its own, and none of it is lost to calls at the same time', async () => {
    await plugged.swap({
      onToolCallBefore: 'ctx.state.calls = (ctx.state.calls ?? 0) + 1; return { arguments: ctx.state }',
    });
    const [ada, bob] = [await plugged.open(era, 'ada'), await plugged.open(era, 'bob')];
    await Promise.all(Array.from({ length: 5 }, () => call(ada, 'echo')));
    expect(saidIn(await call(ada, 'echo'))).toBe('{"calls":6}');
    expect(saidIn(await call(bob, 'echo'))).toBe('{"calls":1}');
  });
});

test('sessions of one principal are apart; one that ends says so, parents first', async () => {
  const plugins = {
    it: entry(
      `export const onSessionDestroy = (_, { state, log }) => log('child ' + state.calls);
       export const onToolCallBefore = (_, { state }) => { state.calls = (state.calls ?? 0) + 1; return { arguments: state } }`,
      { onSessionCreate: ['base'], onSessionDestroy: ['base', 'it'], onToolCallBefore: ['it'] },
    ),
    base: entry(
      `export const onSessionDestroy = (_, { log }) => log('parent'); export const onSessionCreate = () => {};`,
      {},
    ),
  };
  await plugged.swap({}, { plugins });
  const [one, two] = [await plugged.open('2025-11-25'), await plugged.open('2025-11-25')];
  await call(one, 'echo');
  expect(saidIn(await call(one, 'echo'))).toBe('{"calls":2}');
  expect(saidIn(await call(two, 'echo'))).toBe('{"calls":1}');
  const headers = { 'Mcp-Session-Id': one.id, Authorization: 'Bearer ada' };
  expect((await raw(plugged.gateway.url, { method: 'DELETE', path: plugged.path, headers })).status).toBe(204);
  const words = (): string[] =>
    plugged.logged.filter((line) => line.includes('onSessionDestroy')).map((line) => line.split(' ', 3).join(' '));
  await eventually(() => words().length === 2);
  expect(words()).toEqual([
    `info parent {"plugin":"base","hook":"onSessionDestroy","route":"${plugged.path}"}`,
    'info child 2',
  ]);
});

test('what one principal keeps is bounded: its session of longest ago ends, and begins anew when it comes back', async () => {
  const plugin = {
    onSessionDestroy: `ctx.log('ended with', ctx.state.calls)`,
    onToolCallBefore: 'ctx.state.calls = (ctx.state.calls ?? 0) + 1; return { arguments: ctx.state }',
  };
  await plugged.swap(plugin);
  const first = await plugged.open('2025-11-25');
  const other = await plugged.open('2025-11-25', 'bob');
  for (const client of [first, first, other]) await call(client, 'echo');
  for (let at = 0; at < 100; at++) await plugged.open('2025-11-25');
  await eventually(() => plugged.logged.some((line) => line.startsWith('info ended with 2')));
  expect(saidIn(await call(first, 'echo'))).toBe('{"calls":1}');
  expect(saidIn(await call(other, 'echo'))).toBe('{"calls":2}');
});

test('a session that is not used for an hour ends; code that a commit took away does not run then', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  try {
    const said: string[] = [];
    await using own = await start(
      {},
      { log: (_, message, fields) => void said.push(`${message} ${String(fields?.['route'])}`) },
    );
    const [kept, taken] = [`${plugged.path}/kept`, `${plugged.path}/taken`].map((one) =>
      one.replace('/mcp/', '-').concat('/mcp'),
    );
    const code = { onSessionDestroy: `ctx.log('ended')` };
    const of = plugged.config(code).plugins;
    const route = { servers: [], separator: '__', plugin: 'it' };
    const routes = { [kept ?? '']: route, [taken ?? '']: route };
    await own.swap(snapshot({ plugins: of, routes }));
    for (const one of [kept, taken]) await session(own.url, { path: one ?? '' });
    await own.swap(snapshot({ plugins: of, routes: { ...routes, [taken ?? '']: { servers: [], separator: '__' } } }));
    vi.advanceTimersByTime(3_599_000);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(61_000);
    await eventually(() => said.length > 0);
    expect(said).toEqual([`ended ${kept ?? ''}`]);
  } finally {
    vi.useRealTimers();
  }
});

test('of what one session asks at once, only so much waits: the rest is refused', async () => {
  await plugged.swap({ onToolCallBefore: 'for (const end = Date.now() + 25; Date.now() < end;);' });
  const client = await plugged.open('2025-11-25');
  const texts = await Promise.all(Array.from({ length: 60 }, async () => saidIn(await call(client, 'echo'))));
  const refused = texts.filter((one) => one === 'The call was not made: the Plugin it failed (busy).');
  expect(texts.filter((one) => one === '{"a":1}')).toHaveLength(60 - refused.length);
  expect(refused.length).toBeGreaterThan(0);
  expect(plugged.ran).toHaveLength(60);
});

/** A tool comes to light when another one was called. */
const REVEALING = {
  onToolsList: `ctx.notify('prompts'); return ctx.state.open ? undefined : { tools: input.tools.filter(({ name }) => name !== 'desk__wipe') }`,
  onToolCallAfter: `ctx.state.open = true; await ctx.notify('tools');`,
};
const CHANGED = { method: 'notifications/tools/list_changed' };

test('a hook says that a list has changed: its client is told after the answer, and nobody else', async () => {
  await plugged.swap(REVEALING);
  const [mine, other] = [await plugged.open('2025-11-25'), await plugged.open('2025-11-25', 'bob')];
  const { url } = plugged.gateway;
  const stream = await listen(url, mine.id, plugged.path, undefined, 'ada');
  const foreign = await listen(url, other.id, plugged.path, undefined, 'bob');
  const listed = async (): Promise<unknown> => (await mine.rpc('tools/list'))['tools'];
  // One that is told of a list because it asks for that would ask for ever.
  expect(await listed()).toHaveLength(3);
  await call(mine, 'echo');
  expect(await stream.next()).toMatchObject(CHANGED);
  expect(await listed()).toHaveLength(4);
  await call(other, 'echo');
  expect(await foreign.next()).toMatchObject(CHANGED);
  await call(mine, 'count');
  expect(await stream.next()).toMatchObject(CHANGED);
  stream.close();
  foreign.close();
});

test('so is one that keeps no session', async () => {
  await plugged.swap(REVEALING);
  const listening = { notifications: { toolsListChanged: true } };
  const by = { path: plugged.path, token: 'ada' };
  const stream = await follow(plugged.gateway.url, 'subscriptions/listen', listening, by);
  expect(await stream.next()).toMatchObject({ method: 'notifications/subscriptions/acknowledged' });
  const client = await plugged.open('2026-07-28');
  await call(client, 'echo');
  expect(await stream.next()).toMatchObject(CHANGED);
  expect((await client.rpc('tools/list'))['tools']).toHaveLength(4);
  stream.close();
});

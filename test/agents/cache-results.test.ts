/** Results of tools that are given again: to whom, for how long, and when not. */
import { describe, expect, test } from 'vitest';
import { eventually } from '../helpers/until.ts';
import { keptScene, textOf } from './helpers/kept-scene.ts';

const scene = await keptScene();
const { audited, gateway, legacy, logged, modern, old, wish } = scene;

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
    expect(scene.calls).toEqual(['get', 'get']);
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
    for (const _ of [1, 2, 3]) expect(textOf(await call('old__who', { turn: scene.turn }))).toBe('old');
    expect(asked() - before).toBe(1);
  });

  test('and nothing of the kind where no rule says so', async () => {
    for (const _ of [1, 2]) await call('up__other');
    expect(scene.calls).toHaveLength(2);
  });
});

test('clients of both eras and of every route share what is the same for all', async () => {
  expect(textOf(await legacy('up__get'))).toBe('get 1');
  expect(textOf(await modern('up__get', {}, 'b'))).toBe('get 1');
  expect(textOf(await modern('get', {}, 'b', '/servers/up/mcp'))).toBe('get 1');
});

test('what a server says is for one is given to that one alone', async () => {
  scene.special = { get: { cacheScope: 'private' } };
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
    expect(scene.calls).toHaveLength(2);
    scene.special = { get_said: { ttlMs: 60_000 }, get: { ttlMs: 0 } };
    for (const _ of [1, 2, 3]) await modern('up__get_said');
    expect(scene.calls).toHaveLength(3);
    const { ttlMs } = await modern('up__get_said');
    expect(ttlMs).toBeLessThanOrEqual(60_000);
    for (const _ of [1, 2]) await modern('up__get');
    expect(scene.calls.filter((name) => name === 'get')).toHaveLength(2);
  });
});

describe('never kept', () => {
  test.each([
    ['a failure of the tool', { isError: true }],
    ['a refusal', { error: { code: -32_000, message: 'no' } }],
    ['a question to the client', { resultType: 'input_required', inputRequests: {}, requestState: 's' }],
    ['a result that is too large', { structuredContent: { all: 'x'.repeat(1024 * 1024) } }],
  ])('%s', async (_why, more) => {
    scene.special = { get: more };
    for (const _ of [1, 2]) await modern('up__get');
    expect(scene.calls).toHaveLength(2);
  });

  test('what a tool answers that does not say that it only reads, unless the rule insists', async () => {
    for (const _ of [1, 2]) await modern('up__save');
    expect(scene.calls).toEqual(['save', 'save']);
    const told = logged.filter((line) => line.includes('"save"'));
    expect(told).toEqual([expect.stringMatching(/^warn results of a tool are not kept: .*force: true/)]);
    for (const _ of [1, 2]) await modern('up__forced');
    expect(scene.calls).toEqual(['save', 'save', 'forced']);
  });

  test('arguments that nobody sends twice: too long, or nested too deep', async () => {
    let deep: object = {};
    for (let at = 0; at < 100; at++) deep = { deep };
    for (const args of [deep, { long: 'x'.repeat(70_000) }]) for (const _ of [1, 2]) await modern('up__get', args);
    expect(scene.calls).toHaveLength(4);
  });
});

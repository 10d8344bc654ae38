/** What tasks bring is paid for, and bounded, as what calls bring at once: a task is no way round a budget or a limit. */
import { expect, onTestFinished, test } from 'vitest';
import { textsOf } from '../../gateway/limits/tokens.ts';
import { budget } from '../access/helpers/budget.ts';
import { session, start } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';
import { modernServer } from './helpers/modern-upstream.ts';
import { begin, taskServer } from './helpers/tasks.ts';

const EXTENSION = 'io.modelcontextprotocol/tasks';

test('what a task brings is counted like what a call brings at once, and is no call of its own', async () => {
  const up = await taskServer('one');
  const agents = budget({ tokens: 5, calls: 5 });
  await using gateway = await start({ servers: { one: up.endpoint }, budgets: [agents] });
  const mine = await session(gateway.url);
  const taskId = await begin(mine, 'one__work');
  const used = () => gateway.budgets().map(({ used: { calls, tokens } }) => ({ calls, tokens }))[0];
  const before = used();
  expect((await mine.rpc('tasks/result', { taskId })).json.result).toBeDefined();
  expect(used()?.calls).toBe(before?.calls);
  expect(used()?.tokens).toBeGreaterThan(before?.tokens ?? 0);
});

test('it has the price of the tool that began it, and the room that its results have', async () => {
  const [small, large] = [await taskServer('a result of some length'), await taskServer('x'.repeat(1000))];
  const room = [{ pattern: 'work', limits: { resultBytes: 500 } }];
  await using gateway = await start({
    servers: { small: { ...small.endpoint, id: 'small' }, large: { ...large.endpoint, id: 'large' } },
    budgets: [budget({ cost: 1000, prices: [{ server: 'small', tool: 'wo*', perCall: 1, per1kTokens: 100 }] })],
    limits: { tools: { small: room, large: room } },
  });
  const mine = await session(gateway.url);
  const cheap = await begin(mine, 'small__work');
  const cost = (): number => gateway.budgets()[0]?.used.cost ?? 0;
  expect(cost()).toBe(1);
  expect((await mine.rpc('tasks/result', { taskId: cheap })).json.result).toBeDefined();
  await expect.poll(cost).toBeGreaterThan(1);
  const taskId = await begin(mine, 'large__work');
  expect((await mine.rpc('tasks/result', { taskId })).json.error?.message).toMatch(/The result has \d+ bytes/);
  expect((await mine.rpc('tasks/get', { taskId })).json.result).toMatchObject({ status: 'working' });
});

test('since 2026-07-28 a status may bring it: that is counted, and one that does not is not', async () => {
  let status = 'working';
  const up = await modernServer(({ method, params }) => {
    const capabilities = { tools: {}, extensions: { [EXTENSION]: {} } };
    if (method === 'server/discover') return { result: { supportedVersions: ['2026-07-28'], capabilities } };
    if (method === 'tools/call') return { result: { resultType: 'task', taskId: 't1', status: 'working' } };
    const result = { content: [{ type: 'text', text: 'long words '.repeat(200) }] };
    const done = status === 'completed' ? { result } : {};
    return method === 'tasks/get' ? { result: { taskId: params?.['taskId'], status, ...done } } : undefined;
  });
  onTestFinished(() => up[Symbol.asyncDispose]());
  await using gateway = await start({ servers: { up: up.endpoint }, budgets: [budget({ tokens: 100 })] });
  const by = { capabilities: { extensions: { [EXTENSION]: {} } } };
  const { result } = (await ask(gateway.url, 'tools/call', { name: 'up__echo', arguments: {} }, by)).json;
  const get = async () => (await ask(gateway.url, 'tasks/get', { taskId: result?.['taskId'] }, by)).json;
  const used = () => gateway.budgets()[0]?.used.tokens ?? 0;
  const before = used();
  await get();
  expect(used()).toBe(before);
  status = 'completed';
  expect((await get()).result).toMatchObject({ status });
  await expect.poll(used).toBeGreaterThan(400);
  expect((await get()).error?.data).toMatchObject({ error_code: 'budget-exhausted' });
});

test('a result that has an id of a task beside its text is counted as any other', () => {
  const content = [{ type: 'text', text: 'here' }];
  expect(textsOf({ taskId: 'T-1', content })).toEqual(['here']);
  expect(textsOf({ taskId: 't1', status: 'completed', result: { content } })).toEqual(['here']);
});

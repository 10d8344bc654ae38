/** Which tasks an instance has to stay for, as far as it can be told from what passes by. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import { OpenTasks } from '../../schemas/tasks.ts';

const working = { taskId: 't1', status: 'working', ttl: 60_000 };

function begun(task: object = working): OpenTasks {
  const tasks = new OpenTasks();
  tasks.answered('tools/call', { name: 'work', task: {} }, { task });
  return tasks;
}

test.each<[string, (tasks: OpenTasks) => void]>([
  ['its result was fetched', (tasks) => tasks.answered('tasks/result', { taskId: 't1' }, { content: [] })],
  ['it was cancelled', (tasks) => tasks.answered('tasks/cancel', { taskId: 't1' }, {})],
  [
    'the server does not know it',
    (tasks) => tasks.refused('tasks/get', { taskId: 't1' }, new RpcFailure({ code: -32_602, message: 'no' })),
  ],
  ['its instance has ended', (tasks) => tasks.clear()],
])('until %s', (_, end) => {
  const tasks = begun();
  let count = 0;
  const stop = tasks.whenNone(() => count++);
  expect([tasks.any, count]).toEqual([true, 0]);
  end(tasks);
  expect([tasks.any, count]).toEqual([false, 1]);
  stop();
});

test('one that is over is waited for a while, because its client does not know yet; and none longer than it is kept', async () => {
  const tasks = begun();
  tasks.told({ jsonrpc: '2.0', method: 'notifications/tasks/status', params: { ...working, status: 'completed' } });
  expect(tasks.any).toBe(true);
  // It is not asked after any more.
  let asked = 0;
  expect(await tasks.check(async () => asked++)).toBe(true);
  expect(asked).toBe(0);
  const short = begun({ ...working, ttl: 5 });
  await sleep(20);
  expect(short.any).toBe(false);
});

test('in the words of either era; what begins none and what is said of others is none', () => {
  const tasks = new OpenTasks();
  tasks.answered('tools/call', { name: 'work' }, { task: working });
  tasks.answered('tools/call', { name: 'work' }, { content: [], taskId: 't2' });
  tasks.answered('tasks/get', { taskId: 't3' }, { taskId: 't3', status: 'working' });
  tasks.told({ jsonrpc: '2.0', method: 'notifications/tasks/status', params: { taskId: 't4', status: 'working' } });
  expect(tasks.any).toBe(false);
  tasks.answered('tools/call', { name: 'work' }, { resultType: 'task', taskId: 't5', status: 'working', ttlMs: null });
  expect(tasks.any).toBe(true);
});

test('they are asked after, and a server that answers none of it says so', async () => {
  const tasks = begun({ ...working, pollInterval: 20 });
  expect(tasks.pollMs).toBe(250);
  expect(await tasks.check(() => Promise.reject(new Error('gone')))).toBe(false);
  expect(tasks.any).toBe(true);
  expect(await tasks.check(() => Promise.reject(new RpcFailure({ code: -32_602, message: 'no' })))).toBe(true);
  expect(tasks.any).toBe(false);
});

test('more than a thousand are not watched', () => {
  const tasks = new OpenTasks();
  for (let at = 0; at < 1_500; at++)
    tasks.answered('tools/call', { task: {} }, { task: { ...working, taskId: `t${at}` } });
  for (let at = 500; at < 1_500; at++) tasks.answered('tasks/cancel', { taskId: `t${at}` }, {});
  expect(tasks.any).toBe(false);
});

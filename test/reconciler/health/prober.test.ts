/** Instances that are asked again and again: who is unwell gets no calls, who is dead is restarted, who sleeps is left asleep. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Prober } from '../../../reconciler/health/prober.ts';
import { memoryDriver } from '../../../reconciler/drivers/memory.ts';
import type { Driver } from '../../../reconciler/drivers/driver.ts';
import { silent } from '../../../schemas/log.ts';
import { server } from '../../helpers/config.ts';
import { callTool } from '../../helpers/mcp.ts';
import { connected, untilState } from '../../helpers/process-driver.ts';
import { isAlive } from '../../helpers/processes.ts';
import { Rig } from '../../helpers/rig.ts';
import { workload } from '../../helpers/workload.ts';

const never = (): AbortSignal => new AbortController().signal;
const quick = { interval: '40ms', timeout: '2s', failures: 2 };
const status = { call: { tool: 'status', expect: { text: 'well' } }, ...quick };

async function tell(rig: Rig, id: string, state: string): Promise<void> {
  const connection = await connected(rig.driver, id);
  await callTool(connection, 'become', { state });
  connection.close();
}

const served = (rig: Rig): string[] => rig.snapshot.servers['well']?.endpoints.map(({ id }) => id) ?? [];

test('one that is not ready gets no calls until it is; the last one keeps them', async () => {
  await using rig = await Rig.make();
  await rig.apply({
    'a.yaml': server('well', 'well', [], { replicas: 2, lifecycle: 'always', probes: { readiness: status } }),
  });
  const both = served(rig);
  const [first = '', second = ''] = both;
  expect(both).toHaveLength(2);
  await tell(rig, first, 'sick');
  await rig.untilStatus(() => served(rig).length === 1);
  expect(served(rig)).toEqual([second]);
  const { servers } = await rig.reconciler.status();
  expect(servers[0]?.instances.find(({ name }) => name === first)?.unready).toBe(
    'The probe of the tool status answered with an error.',
  );
  expect(servers[0]?.conditions[0]?.message).toContain(`1 of 2 instances not ready: ${first}`);
  expect(await rig.condition('well')).toBe('True=Succeeded');
  await tell(rig, second, 'sick');
  await rig.told('well', 'Ready:False=Unready');
  expect(served(rig).sort()).toEqual(both.sort());
  await tell(rig, first, 'well');
  await rig.untilStatus(() => served(rig).join() === first);
  await tell(rig, second, 'well');
  await rig.untilStatus(() => served(rig).length === 2);
});

test('one that no longer answers is restarted, with the reason; calls go on', async () => {
  await using rig = await Rig.make();
  const liveness = { ping: {}, interval: '50ms', timeout: '300ms', failures: 2 };
  await rig.apply({ 'a.yaml': server('well', 'well', [], { lifecycle: 'always', probes: { liveness } }) });
  const [{ id, pid = 0 } = { id: '' }] = await rig.driver.list(never());
  await tell(rig, id, 'deaf');
  await untilState(rig.driver, id, 'crashed');
  await untilState(rig.driver, id, 'running');
  const [again] = await rig.driver.list(never());
  expect(again?.pid).not.toBe(pid);
  expect(isAlive(pid)).toBe(false);
  expect(again).toMatchObject({
    restarts: 1,
    lastError: 'its liveness probe failed: The probe ping did not answer within 0.3 s.',
  });
  expect(await rig.call('well', 'plain')).toBe('yes');
});

test('a new version that fails its liveness probe soon after it took over is replaced by the one before', async () => {
  await using rig = await Rig.make();
  const config = (version: string): string =>
    server('well', 'well', [version], {
      lifecycle: 'always',
      rollout: { monitor: '1h' },
      probes: { liveness: { ...status, failures: 1 } },
    });
  await rig.apply({ 'a.yaml': config('well') });
  await rig.reconciler.start();
  await rig.apply({ 'a.yaml': config('sick') });
  await rig.told('well', 'Ready:False=RolledBack');
  const { servers } = await rig.reconciler.status();
  expect(servers[0]?.conditions[0]?.message).toContain(
    'The new version went bad: it was restarted because The probe of the tool status answered with an error.',
  );
  expect(await rig.call('well', 'status')).toBe('all is well');
});

test('a slow start gets the time that startup gives it', async () => {
  await using rig = await Rig.make();
  const config = (failures: number): string =>
    server('slow-start', 'slow-start', [String(failures)], {
      transport: 'http',
      rollout: { timeout: '2s' },
      probes: { startup: { http: { path: '/started' }, interval: '100ms', timeout: '1s', failures } },
    });
  await rig.apply({ 'a.yaml': config(1) });
  expect(await rig.condition('slow-start')).toBe('False=NotReady');
  await rig.apply({ 'a.yaml': config(600) });
  expect(await rig.condition('slow-start')).toBe('True=Succeeded');
});

test(
  'what starts slowly after a crash gets its time again, and is not restarted for it',
  { timeout: 120_000 },
  async () => {
    await using rig = await Rig.make();
    const started = { http: { path: '/started' }, interval: '50ms', timeout: '1s' };
    const probes = { startup: { ...started, failures: 200 }, liveness: { ...started, failures: 1 } };
    await rig.apply({ 'a.yaml': server('slow-start', 'slow-start', [], { transport: 'http', probes }) });
    const [{ id, pid = 0, endpoint } = { id: '', endpoint: { address: '' } }] = await rig.driver.list(never());
    process.kill(pid, 'SIGKILL');
    await untilState(rig.driver, id, 'crashed');
    await untilState(rig.driver, id, 'running');
    const url = new URL('/started', endpoint.address);
    const answer = async (): Promise<number> => (await fetch(url).catch(() => undefined))?.status ?? 0;
    while ((await answer()) !== 200) await delay(50);
    await delay(200); // As long as it takes to ask several times.
    expect((await rig.driver.list(never()))[0]).toMatchObject({ state: 'running', restarts: 1 });
  },
);

test('who sleeps is not woken, and being asked does not keep anybody awake', async () => {
  await using rig = await Rig.make();
  const probes = { readiness: status, liveness: { ping: {}, ...quick } };
  await rig.apply({ 'a.yaml': server('well', 'well', [], { lifecycle: 'onDemand', idleTimeout: '300ms', probes }) });
  const [{ id } = { id: '' }] = await rig.driver.list(never());
  await untilState(rig.driver, id, 'sleeping');
  await delay(300); // As long as it takes to ask several times.
  expect((await rig.driver.list(never()))[0]).toMatchObject({ state: 'sleeping', restarts: 0 });
  expect(served(rig)).toEqual([id]);
  expect(await rig.call('well', 'plain')).toBe('yes');
});

test.for([
  ['stdio', 'well'],
  ['http', 'http'],
])('a hundred probes over %s, one session', { timeout: 120_000 }, async ([transport = '', name = '']) => {
  await using rig = await Rig.make();
  const liveness = { tools: {}, interval: '10ms', timeout: '5s' };
  const readiness = { call: { tool: name === 'http' ? 'asked' : 'status' }, interval: '10ms', timeout: '5s' };
  await rig.apply({
    'a.yaml': server('well', name, [], { transport, lifecycle: 'always', probes: { liveness, readiness } }),
  });
  let own = 0; // Over HTTP, each call of ours opens a session of its own.
  const count = async (): Promise<{ asked: number; initialized: number }> => {
    own += transport === 'http' ? 1 : 0;
    return JSON.parse(await rig.call('well', 'asked')) as { asked: number; initialized: number };
  };
  const first = await count();
  const before = own;
  let last = first;
  while (last.asked - first.asked - (own - before) < 100) {
    await delay(100);
    last = await count();
  }
  expect(last.initialized - first.initialized - (own - before)).toBeLessThanOrEqual(1);
});

test('fifty instances are not asked in step, nor more than a few at a time', async () => {
  await using memory = memoryDriver();
  const times: number[] = [];
  let [running, most] = [0, 0];
  const driver: Driver = {
    ...memory,
    connect(id, handlers, options) {
      const connection = memory.connect?.(id, handlers, options);
      if (!connection) return undefined;
      const request = async (method: string, params?: Record<string, unknown>): Promise<unknown> => {
        if (method === 'tools/list') times.push(performance.now());
        most = Math.max(most, ++running);
        await delay(5);
        return connection.request(method, params).finally(() => running--);
      };
      return { ...connection, inFlight: 0, request };
    },
  };
  const intervalMs = 5000;
  const check = { check: { type: 'tools' }, intervalMs, timeoutMs: 5000, failures: 3 } as const;
  const wanted = workload({ argv: ['memory'], replicas: 50 });
  const instances = await Promise.all(Array.from({ length: 50 }, (_, index) => driver.ensure(wanted, index, never())));
  const began = performance.now();
  await using prober = new Prober({ version: 'test', log: silent, onChange: () => {} });
  prober.watch(instances.map(({ id }) => ({ id, driver, probes: { liveness: check } })));
  while (times.length < 50) await delay(50);
  expect(most).toBeLessThanOrEqual(8);
  // In step, all of them would come within a moment: here no tenth of the interval has more than a third of them.
  const tenths = Map.groupBy(times.slice(0, 50), (time) => Math.floor((time - began) / (intervalMs / 10)));
  expect(Math.max(...[...tenths.values()].map((list) => list.length))).toBeLessThan(18);
});

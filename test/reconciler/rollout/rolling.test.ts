/** A new version takes the place of the old one, instance by instance, and nobody who calls notices. */
import { expect, test } from 'vitest';
import { memoryServer, server } from '../../helpers/config.ts';
import { startLoad } from '../../helpers/load.ts';
import { logged } from '../../helpers/process-driver.ts';
import { survivors } from '../../helpers/processes.ts';
import { git } from '../../helpers/repo.ts';
import { Rig } from '../../helpers/rig.ts';

const never = (): AbortSignal => new AbortController().signal;

test('four replicas, 50 calls a second, another version: not one call fails', { timeout: 120_000 }, async () => {
  await using rig = await Rig.make({ gateway: true });
  const four = (version: string): string =>
    server('tiny', 'good', [version], { replicas: 4, lifecycle: 'always', rollout: { monitor: '0s' } });
  await rig.apply({ 'a.yaml': four('v1') });
  const pids = (await rig.driver.list(never())).map(({ pid }) => pid ?? 0);
  const stop = await startLoad(rig.url, 'tiny__version', { perSecond: 50 });
  for (const version of ['v2', 'v3', 'v4']) await rig.apply({ 'a.yaml': four(version) });
  const { answers, failures } = await stop();
  expect(failures).toEqual([]);
  expect(answers.at(0)).toBe('v1');
  expect(answers.at(-1)).toBe('v4');
  expect(answers.filter((answer) => !['v1', 'v2', 'v3', 'v4'].includes(answer))).toEqual([]);
  expect(await rig.call('tiny', 'version')).toBe('v4');
  expect(await survivors(pids)).toEqual([]);
  // Each wave started one and stopped one: the numbers of instances that served, as they were published.
  const served = rig.snapshots.map(({ servers }) => servers['tiny']?.endpoints.length ?? 0);
  expect(Math.min(...served.slice(served.indexOf(4)))).toBe(4);
  expect(Math.max(...served)).toBe(4);
});

test('over HTTP too, where only the gateway knows which calls are running', { timeout: 120_000 }, async () => {
  await using rig = await Rig.make({ gateway: true });
  const two = (version: string): string =>
    server('web', 'http', [version], { transport: 'http', replicas: 2, rollout: { maxSurge: '100%', monitor: '0s' } });
  await rig.apply({ 'a.yaml': two('v1') });
  const stop = await startLoad(rig.url, 'web__version', { perSecond: 50 });
  await rig.apply({ 'a.yaml': two('v2') });
  const { answers, failures } = await stop();
  expect(failures).toEqual([]);
  expect(answers.at(-1)).toBe('v2');
  expect(answers.filter((answer) => !['v1', 'v2'].includes(answer))).toEqual([]);
  expect(await rig.call('web', 'version')).toBe('v2');
});

test('draining waits for the calls on the old instances, and for nobody else’s', async () => {
  await using rig = await Rig.make({ gateway: true });
  const waiting = (version: string): string => server('slow', 'slow', [version], { rollout: { monitor: '0s' } });
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']), 'b.yaml': waiting('v1') });
  const stop = await startLoad(rig.url, 'slow__wait', { perSecond: 20, sessions: 1, args: { tag: 'a' } });
  const slow = (await rig.driver.list(never())).find(({ address }) => address === 'Server/slow');
  await logged(rig.driver, slow?.id ?? '', 'waiting a');
  // A call that never ends runs under the old snapshot, on another server.
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v2']) });
  expect(await rig.call('tiny', 'version')).toBe('v2');
  expect((await rig.driver.list(never())).filter(({ address }) => address === 'Server/tiny')).toHaveLength(1);
  const direct = rig.driver.connect?.(slow?.id ?? '', {});
  const over = new AbortController();
  const report = stop().finally(() => over.abort());
  while (!over.signal.aborted) await direct?.request('tools/call', { name: 'release', arguments: {} });
  expect((await report).failures).toEqual([]);
});

test('one that fails in the second wave: the old version is brought back whole, and served all the time', async () => {
  const made: string[] = [];
  await using rig = await Rig.make({
    memory: {
      onEnsure({ run }, index) {
        const version = run.program.type === 'command' ? (run.program.argv[1] ?? '') : '';
        made.push(`${version}.${index}`);
        if (version === 'v2' && index === 1) throw new Error('no');
      },
    },
  });
  const three = (version: string): string => memoryServer('tiny', version, { replicas: 3 });
  await rig.apply({ 'a.yaml': three('v1') });
  const before = rig.snapshots.length;
  const old = rig.snapshot.servers['tiny']?.endpoints.map(({ id }) => id);
  await rig.apply({ 'a.yaml': three('v2') });
  expect(rig.snapshot.servers['tiny']?.endpoints.map(({ id }) => id).sort()).toEqual(old?.sort());
  expect(made).toEqual(['v1.0', 'v1.1', 'v1.2', 'v2.0', 'v2.1', 'v1.0']);
  for (const { servers } of rig.snapshots.slice(before)) expect(servers['tiny']?.endpoints.length).toBeGreaterThan(2);
  expect(await rig.memory.list(never())).toHaveLength(3);
  expect(await rig.condition('tiny')).toBe('False=RolledBack');
});

test('a newer commit in the middle of the waves: they end where they are, and go on to the newer version', async () => {
  const third = Promise.withResolvers<void>();
  await using rig = await Rig.make({
    memory: {
      async onEnsure({ run }, index, signal) {
        const version = run.program.type === 'command' ? run.program.argv[1] : '';
        if (version !== 'v2' || index !== 2) return;
        third.resolve();
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      },
    },
  });
  const four = (version: string): string => memoryServer('tiny', version, { replicas: 4 });
  await rig.apply({ 'a.yaml': four('v1') });
  const started = rig.snapshots.length;
  rig.repo.push({ 'a.yaml': four('v2') });
  const superseded = rig.reconciler.sync().catch((error: unknown) => error);
  await third.promise;
  await rig.apply({ 'a.yaml': four('v3') });
  expect(await superseded).toMatchObject({ code: 'superseded' });
  const running = await rig.memory.list(never());
  expect(running).toHaveLength(4);
  expect(new Set(running.map(({ hash }) => hash)).size).toBe(1);
  for (const { servers } of rig.snapshots.slice(started))
    expect(servers['tiny']?.endpoints.length).toBeGreaterThanOrEqual(4);
  expect(await rig.condition('tiny')).toBe('True=Succeeded');
});

test('recreate stops all before it starts any; a failure brings the old version back', async () => {
  const alive: string[] = [];
  await using rig = await Rig.make({
    memory: {
      async onEnsure({ run, name }) {
        const running = (await rig.memory.list(never())).filter(({ address }) => address === `Server/${name}`);
        const version = run.program.type === 'command' ? (run.program.argv[1] ?? '') : '';
        alive.push(`${version} beside ${running.length}`);
        if (version === 'bad') throw new Error('no');
      },
    },
  });
  const one = (version: string): string => memoryServer('tiny', version, { rollout: { strategy: 'recreate' } });
  for (const version of ['v1', 'v2', 'bad']) await rig.apply({ 'a.yaml': one(version) });
  expect(alive).toEqual(['v1 beside 0', 'v2 beside 0', 'bad beside 0', 'v2 beside 0']);
  expect(await rig.call('tiny', 'echo', { message: 'hi' })).toContain('hi');
});

test('a version that lost a tool or changed one says so: in its status, its outcome and its record', async () => {
  await using rig = await Rig.make({ record: true });
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']) });
  await rig.apply({ 'a.yaml': server('tiny', 'slow', ['v2']) });
  const { servers } = await rig.reconciler.status();
  const ready = servers[0]?.conditions.find(({ type }) => type === 'Ready');
  expect(ready).toMatchObject({ status: 'True', reason: 'Succeeded' });
  expect(ready?.message).toContain('lost echo, version, pid');
  await rig.reconciler.world.recorder.flush();
  const record = git(rig.repo.remote, 'log', '--patch', 'slipway/audit');
  expect(record.replaceAll(/[\s+]/g, '')).toContain('"lost":["echo","version","pid"]');
  // The next one has them again: nothing is lost, and nothing is said.
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v3']) });
  expect((await rig.reconciler.status()).servers[0]?.conditions[0]?.message).not.toContain('lost echo');
});

test('a server that moves here from elsewhere is served from there until it is ready here, and if it never is', async () => {
  await using rig = await Rig.make();
  const url = 'https://example.com/mcp';
  await rig.apply({
    'a.yaml': JSON.stringify({ apiVersion: 'slipway/v1', kind: 'Server', metadata: { name: 'tiny' }, spec: { url } }),
  });
  await rig.apply({ 'a.yaml': server('tiny', 'crash-at-start') });
  expect(rig.snapshot.servers['tiny']?.endpoints).toMatchObject([{ id: 'tiny', transport: 'http', address: url }]);
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']) });
  expect(rig.snapshots.every(({ servers }) => !servers['tiny'] || servers['tiny'].endpoints.length === 1)).toBe(true);
  expect(await rig.call('tiny', 'version')).toBe('v1');
});

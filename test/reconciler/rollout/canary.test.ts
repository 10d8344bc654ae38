/** First a share of the sessions uses the new version; only if that goes well, all of them do. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { memoryServer, server } from '../../helpers/config.ts';
import { startLoad } from '../../helpers/load.ts';
import { Rig } from '../../helpers/rig.ts';
import { goodVersion, instancesOf } from './helpers.ts';

const never = (): AbortSignal => new AbortController().signal;

const steps = (...pauses: string[]) => pauses.map((pause, index) => ({ weight: 20 + 30 * index, pause }));

const config = (version: string, program: string, pauses: string[], more = {}): string =>
  server('tiny', program, [version], {
    replicas: 2,
    lifecycle: 'always',
    rollout: { monitor: '0s', canary: { steps: steps(...pauses), minCalls: 5, ...more } },
  });

function goodArguments(rig: Rig): readonly string[] {
  const { program } = rig.reconciler.world.applied.good['Server/tiny']?.run ?? {};
  return program?.type === 'command' ? program.argv : [];
}

test(
  'a good version gets more and more of the sessions, then all of them, and no call fails',
  { timeout: 120_000 },
  async () => {
    await using rig = await Rig.make({ gateway: true });
    await rig.apply({ 'a.yaml': config('v1', 'good', ['1s']) });
    await rig.reconciler.start();
    const stop = await startLoad(rig.url, 'tiny__version', { perSecond: 50, sessions: 40 });
    await rig.apply({ 'a.yaml': config('v2', 'good', ['700ms', '700ms']) });
    const canary = (): number | undefined => rig.snapshot.servers['tiny']?.canary?.weight;
    const good = new Set<string>();
    await rig.untilStatus(() => {
      if (canary() !== undefined) for (const argument of goodArguments(rig)) good.add(argument);
      return canary() === undefined;
    });
    // The old one is the good one until the end.
    expect(good).not.toContain('v2');
    // What was told and published meanwhile, however fast it went.
    const weights = rig.snapshots.map(({ servers }) => servers['tiny']?.canary?.weight ?? 0);
    expect(weights.filter((weight, index) => weight !== weights[index - 1])).toEqual([0, 20, 50, 0]);
    const told = rig.statuses.flatMap(({ servers }) => servers.flatMap(({ conditions }) => conditions));
    expect(told.map(({ message }) => message).join()).toContain(
      'step 1 of 2: 20 % of the sessions use the new version',
    );
    const { answers, failures } = await stop();
    expect(failures).toEqual([]);
    expect(new Set(answers)).toEqual(new Set(['v1', 'v2']));
    await rig.reconciler.sync();
    expect(await rig.call('tiny', 'version')).toBe('v2');
    expect(await rig.driver.list(never())).toHaveLength(2);
    expect(await rig.condition('tiny', 'Reconciling')).toBeUndefined();
    expect(goodArguments(rig)).toContain('v2');
  },
);

test(
  'one whose calls fail too often goes, long before its time is over, and is remembered',
  { timeout: 120_000 },
  async () => {
    await using rig = await Rig.make({ gateway: true });
    await rig.apply({ 'a.yaml': config('v1', 'good', ['1h']) });
    await rig.reconciler.start();
    const stop = await startLoad(rig.url, 'tiny__version', { perSecond: 50, sessions: 40 });
    await rig.apply({ 'a.yaml': config('v2', 'failing', ['1h']) });
    await rig.told('tiny', 'Ready:False=RolledBack');
    const { answers, failures } = await stop();
    expect(await rig.call('tiny', 'version')).toBe('v1');
    expect(failures.filter((failure) => !failure.includes('no luck'))).toEqual([]);
    expect(failures.length).toBeGreaterThanOrEqual(5);
    expect(failures.length).toBeLessThan(answers.length / 2);
    expect(rig.reconciler.world.applied.failures['Server/tiny']).toMatchObject({ code: 'rolled-back' });
    expect(rig.snapshot.servers['tiny']?.canary).toBeUndefined();
    expect(await rig.driver.list(never())).toHaveLength(2);
    await rig.reconciler.sync();
    expect(rig.snapshot.servers['tiny']?.canary).toBeUndefined();
  },
);

test('fewer calls than minCalls are no verdict', async () => {
  await using rig = await Rig.make({ gateway: true });
  await rig.apply({ 'a.yaml': config('v1', 'good', ['1h'], { minCalls: 1000 }) });
  await rig.apply({ 'a.yaml': config('v2', 'failing', ['1h'], { minCalls: 1000 }) });
  await rig.reconciler.start();
  const stop = await startLoad(rig.url, 'tiny__version', { perSecond: 50, sessions: 60 });
  await stop.answered(60);
  await delay(1200); // Longer than it takes to look twice.
  const { failures } = await stop();
  expect(failures.length).toBeGreaterThan(0);
  expect(rig.snapshot.servers['tiny']?.canary?.weight).toBe(20);
});

test('a newer commit ends a canary; a step does not end because something else was pushed', async () => {
  await using rig = await Rig.make();
  const canary = (version: string): string =>
    memoryServer('tiny', version, { replicas: 2, rollout: { canary: { steps: steps('1h') } } });
  await rig.apply({ 'a.yaml': canary('v1') });
  await rig.apply({ 'a.yaml': canary('v2') });
  const [trial] = rig.snapshot.servers['tiny']?.canary?.endpoints ?? [];
  expect(rig.snapshot.servers['tiny']?.endpoints.map(({ id }) => id)).toContain(trial);
  await rig.apply({ 'b.yaml': memoryServer('other') });
  expect(rig.snapshot.servers['tiny']?.canary?.endpoints).toEqual([trial]);
  await rig.apply({ 'a.yaml': canary('v3') });
  const after = rig.snapshot.servers['tiny']?.canary?.endpoints;
  expect(after).toHaveLength(1);
  expect(after).not.toEqual([trial]);
  await rig.apply({ 'a.yaml': canary('v1') });
  expect(rig.snapshot.servers['tiny']?.canary).toBeUndefined();
  const running = (await rig.memory.list(never())).filter(({ address }) => address === 'Server/tiny');
  expect(new Set(running.map(({ hash }) => hash)).size).toBe(1);
  expect(running).toHaveLength(2);
});

test('a canary of one replica that went well is what serves, with all that it showed', async () => {
  await using rig = await Rig.make();
  const canary = (version: string): string =>
    memoryServer('tiny', version, { rollout: { monitor: '0s', canary: { steps: steps('1ms') } } });
  await rig.apply({ 'a.yaml': canary('v1') });
  await rig.apply({ 'a.yaml': canary('v2') });
  await delay(5); // The pause of its only step.
  await rig.reconciler.sync();
  const { compiled, canaries, served } = rig.reconciler.world;
  expect(canaries.size).toBe(0);
  expect(served.get('Server/tiny')?.readiness.hash).toBe(compiled.workloads[0]?.hash);
  expect(goodVersion(rig)).toBe('v2');
});

test('a newer canary stands beside the good version, not beside the canary before', async () => {
  await using rig = await Rig.make();
  const canary = (version: string): string =>
    memoryServer('tiny', version, { replicas: 2, rollout: { canary: { steps: steps('1h') } } });
  await rig.apply({ 'a.yaml': canary('v1') });
  const good = await instancesOf(rig);
  await rig.apply({ 'a.yaml': canary('v2') });
  await rig.apply({ 'a.yaml': canary('v3') });
  const { endpoints = [], canary: newest } = rig.snapshot.servers['tiny'] ?? {};
  const rest = endpoints.map(({ id }) => id).filter((id) => !newest?.endpoints.includes(id));
  expect(rest).toHaveLength(1);
  expect(good).toEqual(expect.arrayContaining(rest));
});

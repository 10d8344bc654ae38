/** A commit comes while a version is on trial: the trial goes on for as long as that version serves. */
import { expect, test } from 'vitest';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Workload } from '../../../reconciler/workload.ts';
import { memoryServer } from '../../helpers/config.ts';
import { TestRepo } from '../../helpers/repo.ts';
import { Rig } from '../../helpers/rig.ts';
import { tempDir } from '../../helpers/temp.ts';
import { failCalls, goodVersion, trialsOf, versionOf } from './helpers.ts';

const watched = (version: string, more = {}): string =>
  memoryServer('tiny', version, { rollout: { monitor: '1h' }, ...more });

/** What of `broken` is to be started cannot be. */
function brokenly(broken: ReadonlyMap<string, string>) {
  return {
    onEnsure: (workload: Workload) => {
      const why = broken.get(versionOf(workload) ?? '');
      if (why === 'away') throw new SlipwayError('engine-unreachable');
      if (why !== undefined) throw new Error(why);
    },
  };
}

test('the next version does not start: the one on trial is still watched, and the one before it comes back', async () => {
  await using rig = await Rig.make({ memory: brokenly(new Map([['v3', 'no']])) });
  await rig.apply({ 'a.yaml': watched('v1') });
  await rig.apply({ 'a.yaml': watched('v2') });
  await rig.apply({ 'a.yaml': watched('v3') });
  expect(goodVersion(rig)).toBe('v2');
  expect(trialsOf(rig)).toEqual(['Server/tiny']);
  await rig.reconciler.start();
  await failCalls(rig);
  await rig.untilStatus(() => goodVersion(rig) === 'v1');
  await rig.told('tiny', 'Ready:False=RolledBack');
  const told = JSON.stringify(rig.statuses.map(({ servers }) => servers));
  expect(told).toContain('The version that served in its place was given up too: The new version went bad');
  expect(trialsOf(rig)).toEqual([]);
  // Neither comes back by itself.
  await rig.reconciler.sync();
  expect(goodVersion(rig)).toBe('v1');
  expect(rig.reconciler.world.applied.failures['Server/tiny']).toMatchObject({ code: 'start-failed' });
});

test('… and so it is after a restart, where the one before could not be brought back at first', async () => {
  using dir = tempDir();
  using repo = new TestRepo();
  const stateDir = dir.at('state');
  const broken = new Map([['v3', 'no']]);
  {
    await using rig = await Rig.make({ repo, stateDir, memory: brokenly(broken) });
    for (const version of ['v1', 'v2', 'v3']) await rig.apply({ 'a.yaml': watched(version) });
    await rig.reconciler.start();
    broken.set('v1', 'away');
    await failCalls(rig);
    await rig.untilStatus(() => rig.reconciler.world.applied.trials['Server/tiny']?.verdict !== undefined);
  }
  broken.delete('v1');
  await using rig = await Rig.make({ repo, stateDir, memory: brokenly(broken) });
  await rig.reconciler.start();
  await rig.untilStatus(() => goodVersion(rig) === 'v1' && trialsOf(rig).length === 0);
});

test('the next version is in a canary: beside the one on trial, and when that goes bad, beside the one before', async () => {
  await using rig = await Rig.make();
  const canary = { rollout: { monitor: '1h', canary: { steps: [{ weight: 20, pause: '1h' }] } }, replicas: 2 };
  await rig.apply({ 'a.yaml': watched('v1', { replicas: 2 }) });
  await rig.apply({ 'a.yaml': watched('v2', { replicas: 2 }) });
  await rig.apply({ 'a.yaml': watched('v3', canary) });
  expect(trialsOf(rig)).toEqual(['Server/tiny']);
  await rig.reconciler.start();
  const [canaryId = ''] = rig.snapshot.servers['tiny']?.canary?.endpoints ?? [];
  // Calls go to the two in turn: those to the version on trial fail, those to the canary do not.
  for (let failed = 0; failed < 44 && goodVersion(rig) === 'v2';) {
    const answered = await rig.call('tiny', 'echo');
    if (!answered.startsWith(canaryId)) await rig.call('tiny', 'echo');
    else
      failed += await rig.call('tiny', 'nope').then(
        () => 0,
        () => 1,
      );
  }
  await rig.untilStatus(() => goodVersion(rig) === 'v1' && rig.snapshot.servers['tiny']?.canary !== undefined);
  const { endpoints = [], canary: newest } = rig.snapshot.servers['tiny'] ?? {};
  expect(newest?.endpoints).toEqual([canaryId]);
  expect(endpoints).toHaveLength(2);
  expect(trialsOf(rig)).toEqual([]);
});

test('git and the engine are away when a version goes bad: once the engine is back, the version before is too', async () => {
  const repo = new TestRepo();
  const broken = new Map<string, string>();
  await using rig = await Rig.make({ repo, memory: brokenly(broken) });
  await rig.apply({ 'a.yaml': watched('v1') });
  await rig.apply({ 'a.yaml': watched('v2') });
  await rig.reconciler.start();
  repo[Symbol.dispose]();
  broken.set('v1', 'away');
  await failCalls(rig);
  await rig.told('tiny', 'Ready:False=EngineUnreachable');
  broken.delete('v1');
  await rig.untilStatus(() => goodVersion(rig) === 'v1');
});

test('a version goes bad although what it depends on serves nothing: the one before it comes back', async () => {
  const broken = new Map<string, string>();
  await using rig = await Rig.make({ memory: brokenly(broken) });
  const base = (version: string): string => memoryServer('base', version, { rollout: { strategy: 'recreate' } });
  const dependent = (version: string): string => watched(version, { dependsOn: ['base'] });
  await rig.apply({ 'b.yaml': base('b1'), 'a.yaml': dependent('v1') });
  await rig.apply({ 'a.yaml': dependent('v2') });
  for (const version of ['b1', 'b2']) broken.set(version, 'no');
  await rig.apply({ 'b.yaml': base('b2') });
  expect(rig.snapshot.servers['base']?.endpoints).toEqual([]);
  expect(await rig.condition('tiny')).toBe('False=DependencyNotReady');
  await rig.reconciler.start();
  await failCalls(rig);
  await rig.untilStatus(() => goodVersion(rig) === 'v1');
});

test('the next step of a canary is due, but what it depends on serves nothing: that is tried with growing pauses', async () => {
  const broken = new Map<string, string>();
  await using rig = await Rig.make({ memory: brokenly(broken) });
  const base = (version: string): string => memoryServer('base', version, { rollout: { strategy: 'recreate' } });
  const steps = [{ weight: 20, pause: '1ms' }];
  const dependent = (version: string): string =>
    memoryServer('tiny', version, { dependsOn: ['base'], rollout: { canary: { steps } } });
  await rig.apply({ 'b.yaml': base('b1'), 'a.yaml': dependent('v1') });
  await rig.apply({ 'a.yaml': dependent('v2') });
  for (const version of ['b1', 'b2']) broken.set(version, 'no');
  await rig.apply({ 'b.yaml': base('b2') });
  expect(rig.snapshot.servers['tiny']?.canary?.weight).toBe(20);
  const looks = (): number => rig.logs.filter((line) => line.includes('It depends on Server/base')).length;
  await rig.reconciler.start();
  const [began, before] = [performance.now(), looks()];
  await rig.untilStatus(() => looks() >= before + 2);
  // Twice a second would be a loop; the pauses are a second and two, more or less.
  expect(performance.now() - began).toBeGreaterThan(2_000);
  expect(rig.snapshot.servers['tiny']?.canary?.weight).toBe(20);
});

test('what the gateway refuses is nothing to go on from', async () => {
  const refuse = ({ gateway }: { gateway: { listen: string } }): void => {
    if (gateway.listen.endsWith(':7')) throw new SlipwayError('listen-failed');
  };
  await using rig = await Rig.make({ refuse });
  const gateway = (listen: string): string =>
    JSON.stringify({ apiVersion: 'slipway/v1', kind: 'Gateway', metadata: { name: 'g' }, spec: { listen } });
  await rig.apply({ 'a.yaml': watched('v1'), 'g.yaml': gateway('127.0.0.1:0') });
  await rig.apply({ 'a.yaml': watched('v2') });
  rig.repo.push({ 'a.yaml': watched('v3'), 'g.yaml': gateway('127.0.0.1:7') });
  await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'listen-failed' });
  expect(rig.reconciler.world.compiled.workloads.map(versionOf)).toEqual(['v2']);
  await rig.reconciler.start();
  await failCalls(rig);
  await rig.untilStatus(() => goodVersion(rig) === 'v1');
  expect((await rig.memory.list(new AbortController().signal)).map(({ address }) => address)).toEqual(['Server/tiny']);
});

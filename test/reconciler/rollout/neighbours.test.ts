/** A server that fails is no reason to hold back, to blame or to forget another one. */
import { expect, test } from 'vitest';
import { SlipwayError } from '../../../schemas/errors.ts';
import { memoryServer } from '../../helpers/config.ts';
import { Rig } from '../../helpers/rig.ts';
import { failCalls, goodVersion, instancesOf, versionOf } from './helpers.ts';
import type { Workload } from '../../../reconciler/workload.ts';

const refuses = (...versions: string[]) => ({
  onEnsure: (workload: Workload) => {
    if (versions.includes(versionOf(workload) ?? '')) throw new Error('no');
  },
});
const dependent = (version: string, rollout = {}): string =>
  memoryServer('tiny', version, { replicas: 2, dependsOn: ['dep'], rollout: { monitor: '0s', ...rollout } });

test('a canary goes on although a new version of what it depends on failed', async () => {
  await using rig = await Rig.make({ memory: refuses('bad') });
  const pauses = ['300ms', '1h'];
  const canary = { canary: { steps: pauses.map((pause, index) => ({ weight: 20 + 30 * index, pause })) } };
  await rig.apply({ 'a.yaml': dependent('v1'), 'b.yaml': memoryServer('dep') });
  await rig.apply({ 'a.yaml': dependent('v2', canary) });
  await rig.apply({ 'b.yaml': memoryServer('dep', 'bad') });
  await rig.reconciler.start();
  await rig.untilStatus(() => rig.snapshot.servers['tiny']?.canary?.weight === 50);
});

test('a version that goes bad is replaced although a new version of what it depends on failed', async () => {
  await using rig = await Rig.make({ memory: refuses('bad') });
  await rig.apply({ 'a.yaml': dependent('v1'), 'b.yaml': memoryServer('dep') });
  await rig.apply({ 'a.yaml': dependent('v2', { monitor: '1h' }) });
  await rig.apply({ 'b.yaml': memoryServer('dep', 'bad') });
  await rig.reconciler.start();
  await failCalls(rig);
  await rig.untilStatus(() => goodVersion(rig) === 'v1');
});

test('what nobody changed is not blamed for what it depends on, and is healed', async () => {
  await using rig = await Rig.make({ memory: refuses('bad') });
  await rig.apply({ 'a.yaml': dependent('v1'), 'b.yaml': memoryServer('dep') });
  await rig.apply({ 'b.yaml': memoryServer('dep', 'bad') });
  expect(await rig.condition('tiny')).toBe('True=Succeeded');
  const [first] = await instancesOf(rig);
  rig.memory.kill(first ?? '');
  await rig.reconciler.sync();
  expect(await instancesOf(rig)).toHaveLength(2);
});

test('a failure stays known while something else keeps it from being tried', async () => {
  await using rig = await Rig.make({ memory: refuses('bad', 'v2') });
  const { world } = rig.reconciler;
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1') });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v2') });
  const known = world.applied.failures['Server/tiny'];
  expect(known).toBeDefined();
  await rig.apply({
    'a.yaml': memoryServer('tiny', 'v2', { dependsOn: ['dep'] }),
    'b.yaml': memoryServer('dep', 'bad'),
  });
  expect(world.applied.failures['Server/tiny']).toEqual(known);
});

test('one that comes back from its trial does not hide what another one waits for', async () => {
  let opened = false;
  await using rig = await Rig.make({
    memory: {
      onEnsure: (workload) => {
        if (!opened && versionOf(workload) === 'locked') throw new SlipwayError('secret-unavailable');
      },
    },
  });
  const watched = (version: string): string => memoryServer('tiny', version, { rollout: { monitor: '1h' } });
  await rig.apply({ 'a.yaml': watched('v1'), 'b.yaml': memoryServer('other', 'v1') });
  await rig.apply({ 'a.yaml': watched('v2') });
  await rig.reconciler.start();
  await rig.apply({ 'b.yaml': memoryServer('other', 'locked') });
  await failCalls(rig);
  await rig.told('tiny', 'Ready:False=RolledBack');
  expect(await rig.condition('other')).toBe('False=RolledBack');
  opened = true;
  await rig.untilStatus(() => goodVersion(rig, 'other') === 'locked');
});

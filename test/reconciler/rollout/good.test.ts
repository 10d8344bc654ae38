/** The good version is known to work: trouble with one of its instances is no verdict on it. */
import { expect, test } from 'vitest';
import { memoryServer } from '../../helpers/config.ts';
import { TestRepo } from '../../helpers/repo.ts';
import { Rig } from '../../helpers/rig.ts';
import { tempDir } from '../../helpers/temp.ts';
import type { Workload } from '../../../reconciler/workload.ts';
import { goodVersion, instancesOf, versionOf } from './helpers.ts';

/** The second instance cannot be started, the first few times. */
function hiccups(times: number) {
  let left = times;
  return {
    onEnsure: (_: unknown, index: number) => {
      if (index === 1 && left-- > 0) throw new Error('hiccup');
    },
  };
}

test('a start that fails when the good version is scaled up holds nothing back, and is tried again', async () => {
  await using rig = await Rig.make({ memory: hiccups(1) });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1') });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1', { replicas: 2 }) });
  expect(rig.reconciler.world.applied.failures).toEqual({});
  expect(rig.snapshot.servers['tiny']?.endpoints).toHaveLength(1);
  await rig.untilStatus(() => rig.snapshot.servers['tiny']?.endpoints.length === 2);
  expect(await instancesOf(rig)).toHaveLength(2);
});

test('… nor does one that fails when Slipway is back: the others serve', async () => {
  using dir = tempDir();
  using repo = new TestRepo();
  const stateDir = dir.at('state');
  {
    await using rig = await Rig.make({ repo, stateDir });
    await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1', { replicas: 2 }) });
  }
  await using rig = await Rig.make({ repo, stateDir, memory: hiccups(2) });
  await rig.reconciler.start();
  expect(rig.snapshot.servers['tiny']?.endpoints).toHaveLength(1);
  await rig.untilStatus(() => rig.snapshot.servers['tiny']?.endpoints.length === 2);
  expect(goodVersion(rig)).toBe('v1');
});

test('a request to try again that is blocked forgets no failure', async () => {
  const onEnsure = (workload: Workload) => {
    if (versionOf(workload) === 'v2') throw new Error('no');
  };
  await using rig = await Rig.make({ memory: { onEnsure } });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1') });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v2') });
  const { failures } = rig.reconciler.world.applied;
  expect(Object.keys(failures)).toEqual(['Server/tiny']);
  const privileged = memoryServer('other', 'v1', { isolation: { privileged: true } });
  await expect(rig.apply({ 'b.yaml': privileged }, { retry: true })).rejects.toMatchObject({ code: 'blocked' });
  expect(rig.reconciler.world.applied.failures).toEqual(failures);
});

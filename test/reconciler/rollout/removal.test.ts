/** An instance that cannot be removed gets no calls, and condemns nothing: its removal is tried again. */
import { expect, test } from 'vitest';
import { memoryServer } from '../../helpers/config.ts';
import { Rig } from '../../helpers/rig.ts';
import { goodVersion, instancesOf } from './helpers.ts';

/** Removals fail until `works` is called. */
function stuck({ memory }: Rig): { readonly works: () => void } {
  const { remove } = memory;
  memory.remove = () => Promise.reject(new Error('device or resource busy'));
  return { works: () => void (memory.remove = remove) };
}

test('the version before cannot be removed: the new one serves, and is good', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1') });
  const [first] = await instancesOf(rig);
  const removal = stuck(rig);
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v2') });
  expect(goodVersion(rig)).toBe('v2');
  expect(rig.reconciler.world.applied.failures).toEqual({});
  expect(await rig.condition('tiny')).toBe('True=Succeeded');
  expect(rig.snapshot.servers['tiny']?.endpoints.map(({ id }) => id)).not.toContain(first);
  expect(await instancesOf(rig)).toContain(first);
  removal.works();
  await expect.poll(() => instancesOf(rig), { timeout: 20_000 }).not.toContain(first);
  expect(goodVersion(rig)).toBe('v2');
});

test('a server that is gone from the config cannot be removed: that is told until it is', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1'), 'b.yaml': memoryServer('other') });
  const removal = stuck(rig);
  await rig.apply({ 'a.yaml': null });
  expect(rig.reconciler.world.errors.get('Server/tiny')).toMatchObject({ code: 'remove-failed' });
  expect(await rig.overall()).toBe('False=RolloutFailed');
  expect(rig.snapshot.servers['tiny']).toBeUndefined();
  removal.works();
  await expect.poll(() => instancesOf(rig), { timeout: 20_000 }).toEqual([]);
  await rig.untilStatus(() => rig.statuses.at(-1)?.conditions[0]?.status === 'True');
  expect(await rig.overall()).toBe('True=Succeeded');
});

test('there is no room beside an old instance that cannot be removed: it serves on, that is told, and tried again', async () => {
  await using rig = await Rig.make();
  const roomless = (version: string): string =>
    memoryServer('tiny', version, { rollout: { maxSurge: 0, maxUnavailable: 1, monitor: '0s' } });
  await rig.apply({ 'a.yaml': roomless('v1') });
  const [first] = await instancesOf(rig);
  const removal = stuck(rig);
  await rig.apply({ 'a.yaml': roomless('v2') });
  expect(await rig.condition('tiny')).toBe('False=RolledBack');
  expect(rig.reconciler.world.errors.get('Server/tiny')?.message).toContain(
    'There is no room for a new instance beside an old one.',
  );
  expect(rig.snapshot.servers['tiny']?.endpoints.map(({ id }) => id)).toEqual([first]);
  expect(await instancesOf(rig)).toEqual([first]);
  removal.works();
  await rig.untilStatus(() => goodVersion(rig) === 'v2');
  expect(await instancesOf(rig)).toHaveLength(1);
});

test('fewer instances of the same version: it was scaled, not replaced', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1', { replicas: 3 }) });
  rig.repo.push({ 'a.yaml': memoryServer('tiny', 'v1', { replicas: 1 }) });
  expect((await rig.reconciler.sync()).outcomes).toMatchObject([{ address: 'Server/tiny', result: 'scaled' }]);
  expect(await instancesOf(rig)).toHaveLength(1);
  rig.repo.push({ 'a.yaml': memoryServer('tiny', 'v2', { replicas: 1 }) });
  expect((await rig.reconciler.sync()).outcomes).toMatchObject([{ address: 'Server/tiny', result: 'replaced' }]);
});

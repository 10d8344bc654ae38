/** A newer commit cuts a rollout short: what was found out, and what took over already, holds all the same. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { memoryServer } from '../../helpers/config.ts';
import { Rig } from '../../helpers/rig.ts';
import type { Workload } from '../../../reconciler/workload.ts';
import { failCalls, goodVersion, hang, instancesOf, trialsOf, versionOf } from './helpers.ts';

/** A rig in which what `matches` says hangs when it is started, as long as `on`. */
async function slowRig(matches: (workload: Workload, index: number) => boolean) {
  const slow = { on: false, hanging: Promise.withResolvers<void>() };
  const onEnsure = (workload: Workload, index: number, signal: AbortSignal): Promise<void> | undefined => {
    if (!slow.on || !matches(workload, index)) return undefined;
    slow.hanging.resolve();
    return hang(signal);
  };
  return { slow, rig: await Rig.make({ memory: { onEnsure } }) };
}

/** Applies `files`, and something else as soon as that hangs. */
async function interrupt(
  { rig, slow }: Awaited<ReturnType<typeof slowRig>>,
  files: Parameters<Rig['apply']>[0],
  until = (): boolean => true,
): Promise<void> {
  slow.on = true;
  const first = rig.apply(files).catch(() => {});
  await slow.hanging.promise;
  await rig.untilStatus(until);
  slow.on = false;
  await rig.apply({ 'b.yaml': memoryServer('other') });
  await first;
}

const watched = (version: string, rollout = {}): string =>
  memoryServer('tiny', version, { rollout: { monitor: '1h', ...rollout } });

test('a version that took over in a pass that was cut short is on trial', async () => {
  const story = await slowRig(({ name }) => name === 'slow');
  await using rig = story.rig;
  await rig.apply({ 'a.yaml': watched('v1') });
  await interrupt(story, { 'a.yaml': watched('v2'), 's.yaml': memoryServer('slow') }, () => {
    const { served, compiled } = rig.reconciler.world;
    const wanted = compiled.workloads.find(({ name }) => name === 'tiny');
    return served.get('Server/tiny')?.readiness.hash === wanted?.hash;
  });
  expect(goodVersion(rig)).toBe('v2');
  expect(trialsOf(rig)).toEqual(['Server/tiny']);
});

test('… also where the one before was stopped first', async () => {
  const story = await slowRig((workload) => versionOf(workload) === 'v2');
  await using rig = story.rig;
  await rig.apply({ 'a.yaml': watched('v1', { strategy: 'recreate' }) });
  await interrupt(story, { 'a.yaml': watched('v2', { strategy: 'recreate' }) });
  expect(goodVersion(rig)).toBe('v2');
  expect(trialsOf(rig)).toEqual(['Server/tiny']);
});

test('a return to the version before that was cut short goes on, although what told of the bad one is gone', async () => {
  const story = await slowRig((workload, index) => versionOf(workload) === 'v1' && index === 1);
  await using rig = story.rig;
  const { slow } = story;
  const two = (version: string): string => memoryServer('tiny', version, { replicas: 2, rollout: { monitor: '1h' } });
  await rig.apply({ 'a.yaml': two('v1') });
  const good = await instancesOf(rig);
  await rig.apply({ 'a.yaml': two('v2') });
  await rig.reconciler.start();
  slow.on = true;
  await failCalls(rig);
  await slow.hanging.promise;
  slow.on = false;
  await rig.apply({ 'b.yaml': memoryServer('other') });
  expect((await instancesOf(rig)).sort()).toEqual(good.sort());
  expect(goodVersion(rig)).toBe('v1');
  expect(trialsOf(rig)).toEqual([]);
});

test('a canary whose last wave was cut short does not begin again', async () => {
  const story = await slowRig((workload) => versionOf(workload) === 'v2');
  await using rig = story.rig;
  const steps = [20, 50].map((weight) => ({ weight, pause: '1ms' }));
  const canary = (version: string): string =>
    memoryServer('tiny', version, { replicas: 4, rollout: { monitor: '0s', canary: { steps } } });
  const weight = (): number | undefined => rig.snapshot.servers['tiny']?.canary?.weight;
  await rig.apply({ 'a.yaml': canary('v1') });
  await rig.apply({ 'a.yaml': canary('v2') });
  await delay(5); // The pause of each step.
  await rig.reconciler.sync();
  expect(weight()).toBe(50);
  await delay(5);
  await interrupt(story, {});
  expect(weight()).toBeUndefined();
  expect(goodVersion(rig)).toBe('v2');
});

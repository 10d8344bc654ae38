/** A newer commit cuts a rollout short: what was found out, and what took over already, holds all the same. */
import { expect, test } from 'vitest';
import { memoryServer } from '../../helpers/config.ts';
import { Rig } from '../../helpers/rig.ts';
import type { Workload } from '../../../reconciler/workload.ts';
import { goodVersion, hang, trialsOf, versionOf } from './helpers.ts';

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

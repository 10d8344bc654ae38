/** The version before cannot be brought back, for the moment: it is tried until it serves, and the bad one gets no good name. */
import { expect, test } from 'vitest';
import { SlipwayError } from '../../../schemas/errors.ts';
import { memoryServer, resource } from '../../helpers/config.ts';
import { Rig } from '../../helpers/rig.ts';
import { failCalls, goodVersion, trialsOf, versionOf } from './helpers.ts';

/** A rig in which v1 cannot be started while its engine is `away`. */
async function awayRig() {
  const engine = { away: false };
  const rig = await Rig.make({
    memory: {
      onEnsure: (workload) => {
        if (engine.away && versionOf(workload) === 'v1') throw new SlipwayError('engine-unreachable');
      },
    },
  });
  return { rig, engine };
}

test('a version on trial that went bad stays on trial until the one before is back', async () => {
  const { rig: made, engine } = await awayRig();
  await using rig = made;
  const watched = (version: string): string => memoryServer('tiny', version, { rollout: { monitor: '1h' } });
  await rig.apply({ 'a.yaml': watched('v1') });
  await rig.apply({ 'a.yaml': watched('v2') });
  await rig.reconciler.start();
  engine.away = true;
  await failCalls(rig);
  await rig.told('tiny', 'Ready:False=EngineUnreachable');
  expect(trialsOf(rig)).toEqual(['Server/tiny']);
  expect(rig.reconciler.world.applied.failures['Server/tiny']).toMatchObject({ code: 'rolled-back' });
  engine.away = false;
  await rig.untilStatus(() => goodVersion(rig) === 'v1');
  expect(await rig.condition('tiny')).toBe('False=RolledBack');
  expect(trialsOf(rig)).toEqual([]);
});

test('a canary that went bad gets no more sessions, although what it replaced is not whole', async () => {
  const { rig: made, engine } = await awayRig();
  await using rig = made;
  const canary = (version: string): string =>
    memoryServer('tiny', version, {
      replicas: 2,
      rollout: { monitor: '0s', canary: { steps: [{ weight: 20, pause: '1h' }] } },
    });
  await rig.apply({ 'a.yaml': canary('v1') });
  await rig.apply({ 'a.yaml': canary('v2') });
  await rig.reconciler.start();
  engine.away = true;
  await failCalls(rig);
  await rig.told('tiny', 'Ready:False=RolledBack');
  expect(rig.snapshot.servers['tiny']?.canary).toBeUndefined();
  expect(rig.snapshot.servers['tiny']?.endpoints).toHaveLength(1);
  engine.away = false;
  await rig.untilStatus(() => rig.snapshot.servers['tiny']?.endpoints.length === 2);
  expect(goodVersion(rig)).toBe('v1');
});

test('a version that the config of today would not allow is not brought back', async () => {
  await using rig = await Rig.make();
  const watched = (version: string, more = {}): string =>
    memoryServer('tiny', version, { rollout: { monitor: '1h' }, ...more });
  const mounts = [{ host: '/srv', path: '/srv', readOnly: true }];
  const policy = resource('Policy', 'default', { allow: [{ servers: ['tiny'], features: ['mounts'] }] });
  await rig.apply({ 'a.yaml': watched('v1', { isolation: { mounts } }), 'p.yaml': policy });
  expect(goodVersion(rig)).toBe('v1');
  await rig.apply({ 'a.yaml': watched('v2'), 'p.yaml': null });
  await rig.reconciler.start();
  await failCalls(rig);
  await rig.told('tiny', 'Ready:False=RolledBack');
  expect(rig.logs.join('\n')).toContain('no Policy allows /srv of the host any more');
  expect(goodVersion(rig)).toBe('v2');
});

/** After a new version took over it is watched: one that goes bad is replaced by the one before, and remembered. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readApplied } from '../../../reconciler/applied.ts';
import { memoryServer, server } from '../../helpers/config.ts';
import { startLoad } from '../../helpers/load.ts';
import { git, TestRepo } from '../../helpers/repo.ts';
import { Rig } from '../../helpers/rig.ts';
import { tempDir } from '../../helpers/temp.ts';

const never = (): AbortSignal => new AbortController().signal;
const watched = (version: string, program = 'good', more = {}): string =>
  server('tiny', program, [version], { lifecycle: 'always', rollout: { monitor: '1m' }, ...more });

/** The message of a server's Ready condition. */
async function message(rig: Rig, name = 'tiny'): Promise<string> {
  const { servers } = await rig.reconciler.status();
  const found = servers.find((entry) => entry.name === name);
  return found?.conditions.find(({ type }) => type === 'Ready')?.message ?? '';
}

test('a version that crashes soon after it took over: the old one comes back, and the reason is told', async () => {
  await using rig = await Rig.make({ record: true });
  await rig.apply({ 'a.yaml': watched('v1') });
  await rig.apply({ 'a.yaml': watched('v2', 'crash-on-call'), 'b.yaml': server('other', 'good') });
  await rig.reconciler.start();
  const other = await rig.call('other', 'pid');
  await rig.call('tiny', 'crash').catch(() => {});
  await rig.told('tiny', 'Ready:False=RolledBack');
  expect(await rig.call('tiny', 'version')).toBe('v1');
  expect(await message(rig)).toMatch(
    /^The new version went bad: it crashed: it exited with code 7\. Its last lines: “out of memory” The previous version keeps serving\.$/,
  );
  expect(rig.reconciler.world.applied.failures['Server/tiny']).toMatchObject({ code: 'rolled-back' });
  expect(await rig.call('other', 'pid')).toBe(other);
  // It is not tried again by itself, but the next version and a request for it are.
  await rig.reconciler.sync();
  expect(await rig.call('tiny', 'version')).toBe('v1');
  await rig.reconciler.sync({ retry: true });
  expect(await rig.call('tiny', 'version')).toBe('crash-on-call');
  await rig.apply({ 'a.yaml': watched('v3') });
  expect(await rig.call('tiny', 'version')).toBe('v3');
  expect(await rig.condition('tiny')).toBe('True=Succeeded');
  await rig.reconciler.world.recorder.flush();
  expect(git(rig.repo.remote, 'log', '--patch', 'slipway/audit')).toContain('rolledBack');
});

test('git may be away when a version goes bad', async () => {
  const repo = new TestRepo();
  await using rig = await Rig.make({ repo });
  await rig.apply({ 'a.yaml': watched('v1') });
  await rig.apply({ 'a.yaml': watched('v2', 'crash-on-call') });
  await rig.reconciler.start();
  repo[Symbol.dispose]();
  await rig.call('tiny', 'crash').catch(() => {});
  await rig.told('tiny', 'Ready:False=RolledBack');
  expect(await rig.call('tiny', 'version')).toBe('v1');
});

test(
  'a version whose calls fail for the most part is replaced, under load, without a gap',
  { timeout: 120_000 },
  async () => {
    await using rig = await Rig.make({ gateway: true });
    await rig.apply({ 'a.yaml': watched('v1') });
    await rig.reconciler.start();
    const stop = await startLoad(rig.url, 'tiny__version', { perSecond: 50 });
    await rig.apply({ 'a.yaml': watched('v2', 'failing') });
    await rig.told('tiny', 'Ready:False=RolledBack');
    const { answers, failures } = await stop();
    expect(await message(rig)).toMatch(/went bad: \d+ of \d+ calls failed/);
    // Nothing but the new version's own answers failed.
    expect(failures.filter((failure) => !failure.includes('no luck'))).toEqual([]);
    expect(answers).toContain('v1');
    expect(await rig.call('tiny', 'version')).toBe('v1');
  },
);

test('a version that stays well for as long as it is watched is the good one: crashes after that are mere crashes', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': watched('v1') });
  const brief = { rollout: { monitor: '200ms' } };
  await rig.apply({ 'a.yaml': watched('v2', 'crash-on-call', brief) });
  const trials = (): object => readApplied(rig.state.paths.applied).trials;
  expect(Object.keys(trials())).toEqual(['Server/tiny']);
  await rig.reconciler.start();
  while (Object.keys(trials()).length > 0) await delay(20);
  await rig.call('tiny', 'crash').catch(() => {});
  await rig.reconciler.sync();
  expect(await rig.call('tiny', 'version')).toBe('crash-on-call');
  expect(rig.reconciler.world.applied.failures).toEqual({});
});

test('0s: not watched at all', async () => {
  await using rig = await Rig.make();
  const off = { rollout: { monitor: '0s' } };
  await rig.apply({ 'a.yaml': watched('v1', 'good', off) });
  await rig.apply({ 'a.yaml': watched('v2', 'crash-on-call', off) });
  expect(rig.reconciler.world.applied.trials).toEqual({});
});

test('what is watched keeps nothing waiting, and a revert needs no trial', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1', { rollout: { monitor: '1h' } }) });
  const began = performance.now();
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v2', { rollout: { monitor: '1h' } }) });
  await rig.apply({ 'b.yaml': memoryServer('other', 'v1') });
  expect(performance.now() - began).toBeLessThan(30_000);
  expect(rig.reconciler.world.applied.trials['Server/tiny']).toMatchObject({
    previous: { run: { program: { argv: ['memory', 'v1'] } } },
  });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v3', { rollout: { monitor: '1h' } }) });
  expect(rig.reconciler.world.applied.trials['Server/tiny']).toMatchObject({
    previous: { run: { program: { argv: ['memory', 'v1'] } } },
  });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1', { rollout: { monitor: '1h' } }) });
  expect(rig.reconciler.world.applied.trials).toEqual({});
});

test('a Slipway that ends while a version is watched watches it again when it is back', async () => {
  using dir = tempDir();
  using repo = new TestRepo();
  const stateDir = dir.at('state');
  {
    await using rig = await Rig.make({ repo, stateDir });
    await rig.apply({ 'a.yaml': watched('v1') });
    await rig.apply({ 'a.yaml': watched('v2', 'crash-on-call') });
  }
  await using rig = await Rig.make({ repo, stateDir });
  await rig.reconciler.start();
  await rig.reconciler.sync();
  expect(await rig.call('tiny', 'version')).toBe('crash-on-call');
  await rig.call('tiny', 'crash').catch(() => {});
  await rig.told('tiny', 'Ready:False=RolledBack');
  expect(await rig.call('tiny', 'version')).toBe('v1');
  expect((await rig.driver.list(never())).map(({ hash }) => hash)).toHaveLength(1);
});

test('… and for no longer than it is to be watched', async () => {
  using dir = tempDir();
  using repo = new TestRepo();
  const stateDir = dir.at('state');
  const brief = { rollout: { monitor: '300ms' } };
  {
    await using rig = await Rig.make({ repo, stateDir });
    await rig.apply({ 'a.yaml': watched('v1') });
    await rig.apply({ 'a.yaml': watched('v2', 'good', brief) });
    expect(Object.keys(rig.reconciler.world.applied.trials)).toEqual(['Server/tiny']);
  }
  await using rig = await Rig.make({ repo, stateDir });
  await rig.reconciler.start();
  while (Object.keys(readApplied(rig.state.paths.applied).trials).length > 0) await delay(20);
  expect(await rig.call('tiny', 'version')).toBe('v2');
});

/** What operators ask for: what runs costs, and what other Slipways left behind. */
import { expect, test } from 'vitest';
import { processStats } from '../../reconciler/drivers/process/stats.ts';
import { orphansOf, prune, usageOf } from '../../reconciler/operate.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { OrphanRow, PruneRequest } from '../../schemas/operate.ts';
import { memoryServer, server } from '../helpers/config.ts';
import { holder } from '../helpers/held.ts';
import { callTool } from '../helpers/mcp.ts';
import { connected } from '../helpers/process-driver.ts';
import { isAlive, marked, survivors } from '../helpers/processes.ts';
import { Rig } from '../helpers/rig.ts';

const never = (): AbortSignal => new AbortController().signal;
const ALL: PruneRequest = { ids: [], dryRun: false };

test('an instance is measured with all that it started; one that sleeps, or that nobody can measure, is not', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'f.yaml': server('family', 'family'), 'm.yaml': memoryServer('mem') });
  const before = await usageOf(rig.reconciler.world, never());
  expect(before.instances.map(({ address }) => address).sort()).toEqual(['Server/family', 'Server/mem']);
  const [instance] = await rig.driver.list(never());
  const pids = JSON.parse(await callTool(await connected(rig.driver, instance?.id ?? ''), 'pids')) as number[];
  const after = await usageOf(rig.reconciler.world, never());
  const family = after.instances.find(({ address }) => address === 'Server/family');
  expect(after.at).toBeGreaterThan(before.at);
  expect(family).toMatchObject({ state: 'running', restarts: 0 });
  // Two Node programs: each has more than one thread and more than ten megabytes.
  expect(pids.every(isAlive)).toBe(true);
  expect(family?.stats?.pids).toBeGreaterThan(4);
  expect(family?.stats?.memoryBytes).toBeGreaterThan(40e6);
  expect(family?.stats?.memoryBytes).toBeLessThan(1e9);
  expect(family?.stats?.cpuSeconds).toBeGreaterThan(0);
  const [alone] = processStats(new Map([['child', pids[1] ?? 0]]));
  expect(alone?.memoryBytes).toBeLessThan(family?.stats?.memoryBytes ?? 0);
  expect(after.instances.find(({ address }) => address === 'Server/mem')).not.toHaveProperty('stats');
});

test('a driver that cannot be asked does not keep back what the others can tell', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1'], { lifecycle: 'always' }) });
  const away = (): Promise<never> => Promise.reject(new SlipwayError('engine-unreachable'));
  const { world } = rig.reconciler;
  const drivers = new Map([...world.drivers, ['away', { ...rig.memory, name: 'away', stats: away, orphans: away }]]);
  const { instances } = await usageOf({ ...world, drivers }, never());
  expect(instances[0]?.stats?.pids).toBeGreaterThan(1);
  await expect(orphansOf({ ...world, drivers }, never())).resolves.toBeInstanceOf(Array);
  expect(rig.logs.join()).toContain('the driver away could not be asked');
});

test('what another Slipway holds is its own; once that is dead, it is an orphan that can be removed', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1'], { lifecycle: 'always' }) });
  const { world } = rig.reconciler;
  const own = marked(`SLIPWAY_OWNER=${rig.state.owner}`);
  await using other = await holder('stubborn');
  const found = async (): Promise<OrphanRow | undefined> =>
    (await orphansOf(world, never())).find(({ owner }) => owner === other.owner);

  const living = await found();
  expect(living).toMatchObject({ driver: 'process', kind: 'instance', server: 'tiny', dead: false });
  expect(living?.id).toBe(`${other.id}@${other.owner.slice(0, 8)}`);
  expect(Date.now() - Date.parse(living?.createdAt ?? '')).toBeLessThan(60_000);
  const id = living?.id ?? '';
  // Neither named, nor with everything else, does something alive go.
  expect(await prune(world, { ...ALL, ids: [id] }, never())).toMatchObject({
    removed: [],
    kept: [{ id, reason: expect.stringContaining(`--owner ${other.owner}`) as string }],
  });
  expect((await prune(world, { ...ALL, dryRun: true }, never())).removed).not.toContain(id);

  const left = marked(`SLIPWAY_OWNER=${other.owner}`);
  await other.kill();
  expect(await found()).toMatchObject({ dead: true });
  expect(await prune(world, { ...ALL, ids: [id], dryRun: true }, never())).toEqual({ removed: [id], kept: [] });
  expect(left.filter(isAlive)).toEqual(left);
  expect(await prune(world, { ...ALL, ids: [id] }, never())).toEqual({ removed: [id], kept: [] });
  expect(await survivors(left)).toEqual([]);
  await expect(prune(world, { ...ALL, ids: [id] }, never())).rejects.toMatchObject({ code: 'not-found' });

  expect((await orphansOf(world, never())).map(({ owner }) => owner)).not.toContain(rig.state.owner);
  expect(own.length).toBeGreaterThan(0);
  expect(own.filter(isAlive)).toEqual(own);
});

test('what is alive goes where its owner is named, and nothing of another owner', async () => {
  await using rig = await Rig.make();
  const { world } = rig.reconciler;
  await using one = await holder('stubborn');
  await using two = await holder('stubborn');
  const { removed } = await prune(world, { ...ALL, owner: one.owner }, never());
  expect(removed).toEqual([`${one.id}@${one.owner.slice(0, 8)}`]);
  expect(marked(`SLIPWAY_OWNER=${one.owner}`)).toEqual([]);
  expect(marked(`SLIPWAY_OWNER=${two.owner}`).length).toBeGreaterThan(0);
  await prune(world, { ...ALL, owner: two.owner }, never());
});

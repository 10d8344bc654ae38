/** What happens to instances that somebody changes by hand: healed, told about, or neither. */
import { expect, test } from 'vitest';
import type { Instance } from '../../reconciler/drivers/driver.ts';
import { driftOf, plan } from '../../reconciler/plan.ts';
import { observe } from '../../reconciler/world.ts';
import { exitCodeOf } from '../../schemas/plan.ts';
import { memoryServer } from '../helpers/config.ts';
import { Rig } from '../helpers/rig.ts';

const never = (): AbortSignal => new AbortController().signal;

/** A server of two instances, and how often instances were made. */
async function driftRig(drift: string | undefined) {
  const made: string[] = [];
  const rig = await Rig.make({ memory: { onEnsure: ({ name }, index) => void made.push(`${name}-${index}`) } });
  await rig.apply({ 'a.yaml': memoryServer('a', 'v1', { replicas: 2, ...(drift === undefined ? {} : { drift }) }) });
  const ids = (await rig.memory.list(never())).map(({ id }) => id);
  made.length = 0;
  const exit = async (): Promise<number> =>
    exitCodeOf(plan(rig.reconciler.world.compiled, await observe(rig.reconciler.world, never())));
  return { rig, made, ids, exit, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

const altered = (instances: readonly Instance[]): string[] =>
  instances.filter(({ drift }) => drift !== undefined).map(({ id }) => id);

test('enforce, the default: what was changed is replaced while the others serve; what was removed is made again', async () => {
  await using it = await driftRig(undefined);
  const { rig, made, ids } = it;
  const [first = '', second = ''] = ids;
  const snapshots = rig.snapshots.length;
  rig.memory.alter(first, 'its image is another');
  await rig.reconciler.sync();
  expect(altered(await rig.memory.list(never()))).toEqual([]);
  expect(made).toEqual(['a-0']);
  const endpoints = rig.snapshots.slice(snapshots).map(({ servers }) => servers['a']?.endpoints.map(({ id }) => id));
  expect(endpoints).toContainEqual([second]);
  expect(endpoints.at(-1)).toEqual([first, second]);
  expect(endpoints.every((list) => (list?.length ?? 0) > 0)).toBe(true);
  rig.memory.kill(second);
  await rig.reconciler.sync();
  expect(made).toEqual(['a-0', 'a-1']);
  expect(await it.exit()).toBe(0);
});

test('enforce does not wait for the next tick where the driver tells of the change', async () => {
  await using it = await driftRig('enforce');
  await it.rig.reconciler.start();
  it.rig.memory.alter(it.ids[0] ?? '', 'its memory limit is another');
  await it.rig.untilStatus(() => it.made.length > 0);
  expect(it.made).toEqual(['a-0']);
});

test('detect: it is told in plan and status, and nothing is touched, also when something else changes', async () => {
  await using it = await driftRig('detect');
  const { rig, made, ids } = it;
  rig.memory.alter(ids[0] ?? '', 'its image is another');
  rig.memory.kill(ids[1] ?? '');
  await rig.apply({ 'b.yaml': memoryServer('b') });
  await rig.reconciler.sync();
  expect(made).toEqual(['b-0']);
  expect(altered(await rig.memory.list(never()))).toEqual([ids[0]]);
  expect(await it.exit()).toBe(2);
  expect(await rig.condition('a', 'Drifted')).toBe('True=ChangedByHand');
  expect(await rig.condition('a')).toBe('True=Succeeded');
  const [server] = (await rig.reconciler.status()).servers;
  const message = server?.conditions.find(({ type }) => type === 'Drifted')?.message;
  expect(message).toContain(`${ids[1]}: it is not there`);
  expect(message).toContain(`${ids[0]}: its image is another`);
  expect(server?.instances[0]?.drift).toEqual(['its image is another']);
});

test('detect: a commit replaces what drifted as it replaces anything', async () => {
  await using it = await driftRig('detect');
  const { rig, ids } = it;
  rig.memory.alter(ids[0] ?? '', 'its image is another');
  await rig.apply({ 'a.yaml': memoryServer('a', 'v2', { replicas: 2, drift: 'detect' }) });
  expect(altered(await rig.memory.list(never()))).toEqual([]);
  expect(await rig.condition('a', 'Drifted')).toBeUndefined();
  expect(await it.exit()).toBe(0);
});

test('off: nothing is told, and nothing is touched', async () => {
  await using it = await driftRig('off');
  const { rig, made, ids } = it;
  rig.memory.alter(ids[0] ?? '', 'its image is another');
  rig.memory.kill(ids[1] ?? '');
  await rig.reconciler.sync();
  expect(made).toEqual([]);
  expect(await it.exit()).toBe(0);
  expect(await rig.condition('a', 'Drifted')).toBeUndefined();
});

test('detect: what could not be started is no drift, and is tried again', async () => {
  let broken = true;
  await using rig = await Rig.make({
    memory: {
      onEnsure: () => {
        if (broken) throw new Error('not now');
      },
    },
  });
  await rig.apply({ 'a.yaml': memoryServer('a', 'v1', { drift: 'detect' }) });
  expect(await rig.condition('a')).toMatch(/^False=/);
  broken = false;
  await rig.reconciler.sync({ retry: true });
  expect(await rig.condition('a')).toBe('True=Succeeded');
});

test('what a commit is about to replace is no drift, although the files or secrets that changed stand in no resource', async () => {
  await using it = await driftRig(undefined);
  const { rig } = it;
  const [workload] = rig.reconciler.world.compiled.workloads;
  if (!workload) throw new Error('There is no workload.');
  const instances = await rig.memory.list(never());
  expect(driftOf(workload, instances)).toEqual([]);
  // Another version of it: what it is made of changed, and its resource did not.
  expect(driftOf({ ...workload, hash: 'another' }, instances)).toEqual([]);
  expect(driftOf(workload, instances.slice(1)).map(({ reason }) => reason)).toEqual(['it is not there']);
  expect(driftOf(workload, []).map(({ reason }) => reason)).toEqual(['it is not there', 'it is not there']);
});

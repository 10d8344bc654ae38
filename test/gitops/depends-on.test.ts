/** Servers that need others: who is started and removed first, what is told meanwhile, and what a failure stops. */
import { expect, test } from 'vitest';
import { dependenciesOf } from '../../reconciler/rollout/order.ts';
import { memoryServer } from '../helpers/config.ts';
import { Rig } from '../helpers/rig.ts';

const never = (): AbortSignal => new AbortController().signal;
const needs = (name: string, ...others: string[]): string => memoryServer(name, 'v1', { dependsOn: others });

test('a server starts as soon as those it names are ready, and says meanwhile whom it waits for', async () => {
  const gate = Promise.withResolvers<void>();
  await using rig = await Rig.make({
    memory: { onEnsure: ({ name }) => (name === 'base' ? gate.promise : undefined) },
  });
  const applying = rig.apply({
    'a.yaml': needs('app', 'base'),
    'b.yaml': memoryServer('base'),
  });
  await rig.told('app', 'Ready:Unknown=DependencyNotReady');
  const app = rig.statuses.at(-1)?.servers.find(({ name }) => name === 'app');
  expect(app?.conditions).toContainEqual(
    expect.objectContaining({
      type: 'Reconciling',
      reason: 'DependencyNotReady',
      message: 'it waits for Server/base to be ready',
    }),
  );
  gate.resolve();
  await applying;
  expect(await rig.condition('app')).toBe('True=Succeeded');
  expect(await rig.condition('app', 'Reconciling')).toBeUndefined();
});

test('one that fails stops only those that need it, and they start by themselves once it is ready', async () => {
  let isBroken = true;
  await using rig = await Rig.make({
    memory: {
      onEnsure: ({ name }) => {
        if (name === 'base' && isBroken) throw new Error('no');
      },
    },
  });
  const files = {
    'a.yaml': needs('app', 'middle'),
    'b.yaml': needs('middle', 'base'),
    'c.yaml': memoryServer('base'),
    'd.yaml': needs('free'),
  };
  await rig.apply(files);
  expect(await rig.condition('app')).toBe('False=DependencyNotReady');
  expect(await rig.condition('middle')).toBe('False=DependencyNotReady');
  expect(await rig.condition('free')).toBe('True=Succeeded');
  isBroken = false;
  await rig.apply({ 'c.yaml': memoryServer('base', 'v2') });
  for (const name of ['base', 'middle', 'app']) expect(await rig.condition(name), name).toBe('True=Succeeded');
});

test('what depends on something is removed before it', async () => {
  await using rig = await Rig.make();
  const gone: string[] = [];
  await rig.apply({
    'a.yaml': needs('base'),
    'b.yaml': needs('middle', 'base'),
    'c.yaml': needs('app', 'middle'),
    'd.yaml': needs('keep'),
  });
  const names = new Map((await rig.memory.list(never())).map(({ id, address }) => [id, address]));
  using _ = rig.memory.watch?.((id) => void gone.push(names.get(id) ?? id)) ?? { [Symbol.dispose]: () => {} };
  await rig.apply({ 'a.yaml': null, 'b.yaml': null, 'c.yaml': null });
  expect(gone).toEqual(['Server/app', 'Server/middle', 'Server/base']);
});

test('a circle is refused, and shown as a path', async () => {
  await using rig = await Rig.make();
  const files = { 'a.yaml': needs('a', 'b'), 'b.yaml': needs('b', 'c'), 'c.yaml': needs('c', 'a') };
  await expect(rig.apply(files)).rejects.toMatchObject({ code: 'invalid-config' });
  const { issues } = await rig.reconciler.status();
  expect(issues).toMatchObject([{ code: 'reference-cycle', message: 'Server/a → Server/b → Server/c → Server/a.' }]);
});

test('versions of different commits that wait for each other do not wait for ever', () => {
  const circle = [
    { address: 'a', dependsOn: ['b', 'gone'] },
    { address: 'b', dependsOn: ['c'] },
    { address: 'c', dependsOn: ['a', 'c'] },
  ];
  expect([...dependenciesOf(circle)].sort()).toEqual([
    ['a', ['b']],
    ['b', ['c']],
    ['c', []],
  ]);
});

/** Servers of a group return together. */
import { expect, test } from 'vitest';
import { memoryServer } from '../helpers/config.ts';
import { TestRepo } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';
import { failCalls, goodVersion, trialsOf } from '../reconciler/rollout/helpers.ts';
import type { Workload } from '../../reconciler/workload.ts';

const member = (name: string, version: string, more = {}): string =>
  memoryServer(name, version, { rolloutGroup: 'shop', rollout: { monitor: '1h' }, ...more });

/** What is called `bad` does not start. */
const memory = {
  onEnsure: ({ run: { program } }: Workload) => {
    if (program.type === 'command' && program.argv[1] === 'bad') throw new Error('no');
  },
};

const versions = (rig: Rig): (string | undefined)[] => ['web', 'cart', 'alone'].map((name) => goodVersion(rig, name));
const files = (web: string, cart: string, alone: string) => ({
  'web.yaml': member('web', web),
  'cart.yaml': member('cart', cart),
  'alone.yaml': memoryServer('alone', alone),
});

test('a version that does not start takes back what changed with it, and nothing else', async () => {
  await using rig = await Rig.make({ memory });
  await rig.apply(files('v1', 'v1', 'v1'));
  await rig.apply(files('bad', 'v2', 'v2'));
  expect(versions(rig)).toEqual(['v1', 'v1', 'v2']);
  expect(await rig.condition('cart')).toBe('False=RolledBack');
  const cart = (await rig.reconciler.status()).servers.find(({ name }) => name === 'cart');
  expect(cart?.conditions[0]?.message).toContain('Server/web, of its rollout group shop, failed: ');
  expect(await rig.condition('alone')).toBe('True=Succeeded');
  // It is not tried again while the one at fault is the same …
  await rig.reconciler.sync();
  await rig.apply({ 'alone.yaml': memoryServer('alone', 'v3') });
  expect(versions(rig)).toEqual(['v1', 'v1', 'v3']);
  // … and is, once that is another, although nothing of its own changed.
  await rig.apply({ 'web.yaml': member('web', 'v3') });
  expect(versions(rig)).toEqual(['v3', 'v2', 'v3']);
  expect(await rig.condition('cart')).toBe('True=Succeeded');
});

test('a version that goes bad on trial takes back what is on trial with it', async () => {
  await using rig = await Rig.make({ memory });
  await rig.apply(files('v1', 'v1', 'v1'));
  await rig.apply(files('v2', 'v2', 'v2'));
  await rig.reconciler.start();
  await failCalls(rig, 'web');
  await rig.told('cart', 'Ready:False=RolledBack');
  expect(versions(rig)).toEqual(['v1', 'v1', 'v2']);
  expect(trialsOf(rig).sort()).toEqual(['Server/alone']);
});

test('what changed in another commit stays', async () => {
  await using rig = await Rig.make({ memory });
  await rig.apply(files('v1', 'v1', 'v1'));
  await rig.apply(files('v1', 'v2', 'v1'));
  await rig.apply(files('bad', 'v2', 'v1'));
  expect(versions(rig)).toEqual(['v1', 'v2', 'v1']);
  expect(await rig.condition('cart')).toBe('True=Succeeded');
});

test('after a restart of Slipway the group still goes back together', async () => {
  using dir = tempDir();
  using repo = new TestRepo();
  const stateDir = dir.at('state');
  {
    await using rig = await Rig.make({ repo, stateDir, memory });
    await rig.apply(files('v1', 'v1', 'v1'));
    await rig.apply(files('v2', 'v2', 'v1'));
  }
  await using rig = await Rig.make({ repo, stateDir, memory });
  await rig.reconciler.start();
  await rig.told('web', 'Ready:True=Succeeded');
  await failCalls(rig, 'cart');
  await rig.told('web', 'Ready:False=RolledBack');
  expect(versions(rig)).toEqual(['v1', 'v1', 'v1']);
});

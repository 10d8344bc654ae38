/** Two Slipways on one engine, with the same config: each has its own, and what one leaves the other can remove when it is dead. */
import { readdirSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { OrphanRow } from '../../schemas/operate.ts';
import { orphansOf, prune } from '../../reconciler/operate.ts';
import { imageServer, resource } from '../helpers/config.ts';
import { describeEngine } from '../helpers/engine.ts';
import { serverImage } from '../helpers/images.ts';
import { TestRepo } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';

const never = (): AbortSignal => new AbortController().signal;

describeEngine('two Slipways on one engine', async (engine) => {
  const image = await serverImage(engine);

  test('neither touches what is the other’s; it is an orphan, but dead only when its state directory is gone', async () => {
    using repo = new TestRepo();
    using home = tempDir();
    process.env['TWO_KEY'] = 'open sesame';
    const secretFiles = [{ name: 'key', valueFrom: { secretRef: { name: 'key', key: 'key' } } }];
    repo.push({
      'a.yaml': imageServer('tiny', image, ['version=v1']),
      'b.yaml': imageServer('web', image, ['http'], { transport: 'http', secretFiles }),
      'c.yaml': resource('Secret', 'key', { data: { key: { env: 'TWO_KEY' } } }),
    });
    await using one = await Rig.make({ repo, engine });
    await one.reconciler.sync();
    await one.call('tiny', 'eat', { bytes: 1 });
    const theirs = (orphans: readonly OrphanRow[]) => orphans.filter(({ owner }) => owner === other.state.owner);
    const two = await Rig.make({ repo, engine, stateDir: home.at('state') });
    const other = { state: { owner: two.state.owner } };
    try {
      await two.reconciler.sync();
      await two.call('tiny', 'eat', { bytes: 2 });
      const names = (await engine.docker.listContainers({ filters: { label: ['slipway.managed=true'] } }))
        .filter(({ Labels }) => [one.state.owner, other.state.owner].includes(Labels['slipway.owner'] ?? ''))
        .map(({ Names }) => Names[0]);
      expect(new Set(names).size).toBe(4);
      expect(await one.docker.list(never())).toHaveLength(2);

      // One follows a commit and takes everything down; the other does not look.
      repo.push({ 'a.yaml': null, 'b.yaml': imageServer('web', image, ['http', 'version=v2'], { transport: 'http' }) });
      await one.reconciler.sync();
      expect(await one.call('web', 'version')).toBe('v2');
      expect(await two.call('tiny', 'eat', { bytes: 0 })).toBe('2');
      expect(await two.call('web', 'read', { path: '/run/secrets/key' })).toBe('open sesame');

      const alive = theirs(await orphansOf(one.reconciler.world, never()));
      expect(alive.map(({ kind }) => kind).toSorted()).toEqual(['instance', 'instance', 'network']);
      expect(alive.map(({ dead }) => dead)).toEqual([false, false, false]);
      const kept = await prune(one.reconciler.world, { ids: alive.map(({ id }) => id), dryRun: false }, never());
      expect(kept.removed).toEqual([]);
      expect(kept.kept).toHaveLength(3);
      expect(await two.call('tiny', 'eat', { bytes: 0 })).toBe('2');
    } finally {
      await two.docker[Symbol.asyncDispose]();
    }

    // Its host was told to forget it: nobody comes back for the containers.
    rmSync(home.at('state'), { recursive: true });
    const dead = theirs(await orphansOf(one.reconciler.world, never()));
    expect(dead.map((orphan) => orphan.dead)).toEqual([true, true, true]);
    const { removed } = await prune(one.reconciler.world, { ids: dead.map(({ id }) => id), dryRun: false }, never());
    expect(removed.toSorted()).toEqual(dead.map(({ id }) => id).toSorted());
    expect(theirs(await orphansOf(one.reconciler.world, never()))).toEqual([]);
    expect(readdirSync('/dev/shm')).not.toContain(`slipway-${other.state.owner.slice(0, 8)}`);
    expect(await one.call('web', 'version')).toBe('v2');
    await two[Symbol.asyncDispose]().catch(() => {});
  });
});

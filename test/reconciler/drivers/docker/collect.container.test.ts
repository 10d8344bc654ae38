/** Images that nobody needs any more go; those of others, and those in use, stay. */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ifThere } from '../../../../reconciler/drivers/docker/answers.ts';
import type { Engine } from '../../../../reconciler/drivers/docker/engine.ts';
import type { Workload } from '../../../../reconciler/workload.ts';
import { describeEngine } from '../../../helpers/engine.ts';
import { containerWorkload, freshImage, imagesRig, imageWorkload } from '../../../helpers/images-rig.ts';
import { busyboxImage, image } from '../../../helpers/images.ts';
import { testRegistry, type Registry } from '../../../helpers/registry.ts';

const signal = AbortSignal.timeout(600_000);
const NOW = { graceMs: 0 };

describeEngine('collecting images', (engine) => {
  const { docker } = engine;
  let registry: Registry;
  let busybox = '';
  beforeAll(async () => {
    busybox = await busyboxImage(engine);
    registry = await testRegistry();
  });
  afterAll(() => registry?.[Symbol.asyncDispose]());

  const isThere = async (name: string): Promise<boolean> =>
    (await ifThere(docker.getImage(name).inspect())) !== undefined;
  /** @returns its name in the registry; the engine does not have it */
  async function publish(name: string): Promise<string> {
    const tag = await freshImage(engine, busybox);
    const { reference } = await registry.push(engine, tag, name);
    await docker.getImage(tag).remove();
    return reference;
  }

  test('a pulled image goes once no workload and no container needs it, and not before the grace period', async () => {
    await using rig = imagesRig(engine);
    const reference = await publish('acme/pulled:1');
    const workload = imageWorkload(reference);
    const { id } = await rig.images.ensure(engine, workload, { signal });
    const now = rig.again(NOW);
    expect(await now.collect(engine, [workload], signal)).toEqual([]);
    const container = await docker.createContainer({ Image: id, Cmd: ['sh'] });
    expect(await now.collect(engine, [], signal)).toEqual([]);
    await container.remove();
    expect(await rig.images.collect(engine, [], signal)).toEqual([]);
    expect(await isThere(id)).toBe(true);
    expect(await rig.again(NOW).collect(engine, [], signal)).toEqual([reference]);
    expect(await isThere(id)).toBe(false);
    expect(await now.collect(engine, [], signal)).toEqual([]);
  });

  test('the grace period begins anew when somebody needed it meanwhile, and goes on over a restart', async () => {
    await using rig = imagesRig(engine);
    const reference = await publish('acme/grace:1');
    const workload = imageWorkload(reference);
    await rig.images.ensure(engine, workload, { signal });
    const at = async (hours: number, wanted: readonly Workload[]): Promise<string[]> => {
      vi.setSystemTime(began + hours * 3_600_000);
      return await rig.again({ graceMs: 24 * 3_600_000 }).collect(engine, wanted, signal);
    };
    const began = Date.now();
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      expect(await at(0, [])).toEqual([]);
      expect(await at(23, [workload])).toEqual([]);
      expect(await at(25, [])).toEqual([]);
      expect(await at(48, [])).toEqual([]);
      expect(await at(49, [])).toEqual([reference]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('what was there before is never removed, nor what another Slipway pulled, nor what somebody gave a name', async () => {
    await using rig = imagesRig(engine);
    await using other = imagesRig(engine);
    const reference = await publish('acme/others:1');
    await other.images.ensure(engine, imageWorkload(reference), { signal });
    await rig.images.ensure(engine, imageWorkload(reference, { policy: 'always' }), { signal });
    await rig.images.ensure(engine, imageWorkload(busybox), { signal });
    expect(await rig.again(NOW).collect(engine, [], signal)).toEqual([]);
    await docker.getImage(reference).tag({ repo: 'slipway-test/kept', tag: rig.owner });
    expect(await other.again(NOW).collect(engine, [], signal)).toEqual([reference]);
    expect(await isThere(reference)).toBe(false);
    expect(await isThere(`slipway-test/kept:${rig.owner}`)).toBe(true);
    await docker.getImage(`slipway-test/kept:${rig.owner}`).remove();
  });

  test('of a tag that moved, the old image goes', async () => {
    await using rig = imagesRig(engine);
    const reference = await publish('acme/superseded:1');
    const always = imageWorkload(reference, { policy: 'always' });
    const old = await rig.images.ensure(engine, always, { signal });
    await publish('acme/superseded:1');
    const next = await rig.images.ensure(engine, always, { signal });
    const removed = await rig.again(NOW).collect(engine, [always], signal);
    expect(removed).toEqual([`${reference} (${old.id.slice(7, 19)})`]);
    expect([await isThere(old.id), await isThere(next.id)]).toEqual([false, true]);
    expect(await rig.again(NOW).collect(engine, [], signal)).toEqual([reference]);
  });

  test('an image that was built for a package goes with the package, what a broken build left goes too, another owner’s stays', async () => {
    await using rig = imagesRig(engine);
    await using other = imagesRig(engine);
    const built = await builtBy(engine, rig.owner, 'mine');
    const foreign = await builtBy(engine, other.owner, 'theirs');
    const workload = containerWorkload({ type: 'package', ecosystem: 'npm', name: 'gone', version: '1.0.0', args: [] });
    expect(await rig.again(NOW).collect(engine, [workload], signal)).toEqual([built]);
    expect([await isThere(built), await isThere(foreign)]).toEqual([false, true]);
    const left = await builtBy(engine, rig.owner, 'left');
    const { Id } = await docker.getImage(left).inspect();
    await docker.getImage(busybox).tag({ repo: 'slipway/run-npm', tag: `left-${rig.owner}` }); // Takes its name away.
    await docker.getImage(left).remove();
    expect(await rig.again(NOW).collect(engine, [], signal)).toEqual([`image (${Id.slice(7, 19)})`]);
  });

  test('notes that cannot be read harm nobody', async () => {
    await using rig = imagesRig(engine);
    await rig.images.ensure(engine, imageWorkload(busybox), { signal });
    writeFileSync(rig.notes, '{"half":');
    expect(await rig.again(NOW).collect(engine, [], signal)).toEqual([]);
  });
});

/** An image with an owner's marks, as a build leaves it. */
async function builtBy(engine: Engine, owner: string, name: string): Promise<string> {
  const dockerfile = `FROM scratch\nLABEL slipway.managed=true slipway.owner=${owner}\nCOPY Dockerfile /${name}\nCMD ["/x"]\n`;
  const tag = await image(engine, 'built', [dockerfile], { Dockerfile: dockerfile });
  const runner = `slipway/run-npm:${name}-${owner}`;
  const [repo = '', version = ''] = runner.split(':');
  await engine.docker.getImage(tag).tag({ repo, tag: version });
  await engine.docker.getImage(tag).remove();
  return runner;
}

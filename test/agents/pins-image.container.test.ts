/** Another image under the same tag, with a real engine: `slipway lock --check` tells, and where nobody can tell it says that. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { locked, type Locked } from '../../cli/write/locking.ts';
import { ifThere } from '../../reconciler/drivers/docker/answers.ts';
import { toolsPlan } from '../../reconciler/pins/tools-plan.ts';
import type { Lock } from '../../schemas/lock/lock.ts';
import type { Offered } from '../../schemas/lock/offer.ts';
import { describeEngine } from '../helpers/engine.ts';
import { freshImage, imagesRig, imageWorkload } from '../helpers/images-rig.ts';
import { busyboxImage } from '../helpers/images.ts';
import { testRegistry, type Registry } from '../helpers/registry.ts';

const signal = AbortSignal.timeout(600_000);

describeEngine('the image of a server in the lock file', (engine) => {
  const { docker } = engine;
  let registry: Registry;
  let busybox = '';
  const pulled: string[] = [];
  beforeAll(async () => {
    busybox = await busyboxImage(engine);
    registry = await testRegistry();
  });
  afterAll(async () => {
    for (const reference of pulled) await ifThere(docker.getImage(reference).remove()).catch(() => {});
    await registry?.[Symbol.asyncDispose]();
  });

  async function publish(name: string): ReturnType<Registry['push']> {
    const tag = await freshImage(engine, busybox);
    const published = await registry.push(engine, tag, name);
    await docker.getImage(tag).remove();
    pulled.push(published.reference);
    return published;
  }

  function lockWith(artifact: Offered['artifact'], before?: Lock): Promise<Locked> {
    const offers = [{ server: 'mail', tools: [], ...(artifact ? { artifact } : {}) }];
    return locked({ before, offers, names: [], isThere: () => true });
  }

  test('is its digest; another one under the same tag is a difference, and one that is not there is not known', async () => {
    await using rig = imagesRig(engine);
    const first = await publish('acme/mail:1');
    const workload = imageWorkload(first.reference);
    const artifact = () => rig.images.artifact(engine, workload);
    await expect(artifact()).rejects.toMatchObject({ code: 'image-missing' });
    expect((await lockWith('unknown')).untold).toEqual(['mail']);

    await rig.images.ensure(engine, workload, { signal });
    const { lock, untold } = await lockWith(await artifact());
    expect([lock.servers['mail']?.artifact, untold]).toEqual([{ image: first.reference, digest: first.digest }, []]);

    const second = await publish('acme/mail:1');
    await rig.images.ensure(engine, imageWorkload(first.reference, { policy: 'always' }), { signal });
    const now = await lockWith(await artifact(), lock);
    expect(toolsPlan({ lock, routes: {} }, { lock: now.lock, routes: {} })?.artifacts).toEqual([
      {
        server: 'mail',
        before: `${first.reference} ${first.digest}`,
        after: `${first.reference} ${second.digest}`,
      },
    ]);
  });
});

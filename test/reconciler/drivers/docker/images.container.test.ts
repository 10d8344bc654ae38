/** Images from registries: what is pulled when, and how each way of failing is told. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ifThere } from '../../../../reconciler/drivers/docker/answers.ts';
import type { Engine } from '../../../../reconciler/drivers/docker/engine.ts';
import type { Pull, SecretUse } from '../../../../reconciler/workload.ts';
import type { SlipwayError } from '../../../../schemas/errors.ts';
import { testDaemon } from '../../../helpers/dockerd.ts';
import { describeEngine } from '../../../helpers/engine.ts';
import { freshImage, imagesRig, imageWorkload } from '../../../helpers/images-rig.ts';
import { busyboxImage } from '../../../helpers/images.ts';
import { REGISTRY_USER, testRegistry, type Registry } from '../../../helpers/registry.ts';

const signal = AbortSignal.timeout(600_000);
const failure = (work: Promise<unknown>): Promise<SlipwayError> =>
  work.then(
    () => expect.fail('it succeeded'),
    (error: SlipwayError) => error,
  );

/** A Secret whose values stand in variables of this process. */
function credentials(values: { username: string; password: string }): NonNullable<Pull['credentials']> {
  const use = (key: 'username' | 'password'): SecretUse => {
    const variable = `TEST_${randomBytes(6).toString('hex').toUpperCase()}`;
    process.env[variable] = values[key];
    return { secret: 'registry', key, from: { env: variable } };
  };
  return { username: use('username'), password: use('password') };
}

/** How often the engine pulled it since then. */
async function pulls({ docker }: Engine, reference: string, since: number): Promise<number> {
  const filters = JSON.stringify({ type: ['image'], event: ['pull'], image: [reference] });
  const stream = await docker.getEvents({ since: since / 1000, until: Date.now() / 1000, filters });
  return (await text(stream as Readable)).split('\n').filter((line) => line.trim() !== '').length;
}

describeEngine('images from a registry', (engine) => {
  const { docker } = engine;
  let open: Registry;
  let closed: Registry;
  let busybox = '';
  const pulled: string[] = [];
  beforeAll(async () => {
    busybox = await busyboxImage(engine);
    open = await testRegistry();
    closed = await testRegistry({ private: true });
  });
  afterAll(async () => {
    for (const reference of pulled) await ifThere(docker.getImage(reference).remove()).catch(() => {});
    await open?.[Symbol.asyncDispose]();
    await closed?.[Symbol.asyncDispose]();
  });

  /** Puts an image that the engine does not have into a registry. */
  async function publish(registry: Registry, name: string, bytes?: number): ReturnType<Registry['push']> {
    const tag = await freshImage(engine, busybox, bytes);
    const published = await registry.push(engine, tag, name);
    await docker.getImage(tag).remove();
    pulled.push(published.reference);
    return published;
  }

  test('a public image is pulled once, with its digest, and is there from then on', async () => {
    await using rig = imagesRig(engine);
    const { reference, digest } = await publish(open, 'acme/public:1');
    const before = Date.now();
    const ready = await rig.images.ensure(engine, imageWorkload(reference), { signal });
    expect(ready).toMatchObject({ reference, digest, id: (await docker.getImage(reference).inspect()).Id });
    expect(rig.logs.join('\n')).toMatch(new RegExp(`info pulled ${reference} .*"seconds"`));
    expect(await rig.images.ensure(engine, imageWorkload(reference), { signal })).toEqual(ready);
    await open.stop();
    expect(await rig.images.ensure(engine, imageWorkload(reference), { signal })).toEqual(ready);
    await open.start();
    expect(await pulls(engine, reference, before)).toBe(1);
  });

  test('of two that want the same image at once, one pulls', async () => {
    await using rig = imagesRig(engine);
    const { reference } = await publish(open, 'acme/twice:1');
    const before = Date.now();
    const both = [1, 2].map(() => rig.images.ensure(engine, imageWorkload(reference), { signal }));
    const [one, other] = await Promise.all(both);
    expect(one).toEqual(other);
    expect(await pulls(engine, reference, before)).toBe(1);
  });

  test('who gives up leaves the pull to the other', async () => {
    await using rig = imagesRig(engine);
    const { reference } = await publish(open, 'acme/left:1');
    const impatient = new AbortController();
    const first = failure(rig.images.ensure(engine, imageWorkload(reference), { signal: impatient.signal }));
    const second = rig.images.ensure(engine, imageWorkload(reference), { signal });
    impatient.abort(new Error('had enough'));
    expect((await first).message).toBe('had enough');
    expect(await second).toMatchObject({ reference });
  });

  test('by digest, what is under the tag does not matter', async () => {
    await using rig = imagesRig(engine);
    const first = await publish(open, 'acme/pinned:1');
    const second = await publish(open, 'acme/pinned:1');
    expect(second.digest).not.toBe(first.digest);
    const pinned = `${first.reference}@${first.digest}`;
    pulled.push(`${open.host}/acme/pinned@${first.digest}`);
    const ready = await rig.images.ensure(engine, imageWorkload(pinned), { signal });
    expect(ready.digest).toBe(first.digest);
    const always = imageWorkload(pinned, { policy: 'always' });
    expect(await rig.images.ensure(engine, always, { signal })).toEqual(ready);
    expect(rig.images.moved(engine, always, ready.id)).toBeUndefined();
  });

  test('a digest that the registry does not have', async () => {
    await using rig = imagesRig(engine);
    const { reference } = await publish(open, 'acme/other:1');
    const error = await failure(
      rig.images.ensure(engine, imageWorkload(`${reference}@sha256:${'a'.repeat(64)}`), { signal }),
    );
    expect(error).toMatchObject({ code: 'image-missing', row: { next: 'fix' } });
  });

  test('never: it is there or it is not', async () => {
    await using rig = imagesRig(engine);
    const { reference } = await publish(open, 'acme/never:1');
    const workload = imageWorkload(reference, { policy: 'never' });
    const error = await failure(rig.images.ensure(engine, workload, { signal }));
    expect(error).toMatchObject({ code: 'image-missing', hint: expect.stringContaining('pull.policy') });
    expect(await rig.images.ensure(engine, imageWorkload(busybox, { policy: 'never' }), { signal })).toMatchObject({
      reference: busybox,
    });
  });

  test('a private image: with its Secret, without, and with a wrong password', async () => {
    await using rig = imagesRig(engine);
    const { reference, digest } = await publish(closed, 'acme/private:1');
    const without = await failure(rig.images.ensure(engine, imageWorkload(reference), { signal }));
    expect(without).toMatchObject({ code: 'image-missing', hint: expect.stringContaining('pull.credentials') });
    const wrong = credentials({ ...REGISTRY_USER, password: 'wrong-battery' });
    const refused = await failure(
      rig.images.ensure(engine, imageWorkload(reference, { policy: 'always', credentials: wrong }), { signal }),
    );
    expect(refused).toMatchObject({ code: 'image-missing', row: { next: 'fix' } });
    expect(refused.hint).toContain('Secret registry');
    const right = { policy: 'always', credentials: credentials(REGISTRY_USER) } as const;
    expect(await rig.images.ensure(engine, imageWorkload(reference, right), { signal })).toMatchObject({ digest });
    const told = [...rig.logs, refused.message, refused.hint].join('\n');
    expect(told).not.toContain('wrong-battery');
    expect(told).not.toContain(REGISTRY_USER.password);
  });

  test('a Secret that cannot be opened is named', async () => {
    await using rig = imagesRig(engine);
    const use = (key: string): SecretUse => ({ secret: 'registry', key, from: { env: 'TEST_NOT_SET' } });
    const pull: Pull = { policy: 'always', credentials: { username: use('username'), password: use('password') } };
    const error = await failure(rig.images.ensure(engine, imageWorkload(`${closed.host}/acme/x:1`, pull), { signal }));
    expect(error).toMatchObject({ code: 'secret-unavailable', message: expect.stringContaining('Secret registry') });
  });

  test('missing: the tag, the image, the host', async () => {
    await using rig = imagesRig(engine);
    const { reference } = await publish(open, 'acme/there:1');
    for (const missing of [`${reference}2`, `${open.host}/acme/nothing:1`]) {
      const error = await failure(rig.images.ensure(engine, imageWorkload(missing), { signal }));
      expect(error).toMatchObject({ code: 'image-missing', message: expect.stringContaining(missing) });
    }
    const nowhere = imageWorkload('registry.invalid/acme/nothing:1');
    expect(await failure(rig.images.ensure(engine, nowhere, { signal }))).toMatchObject({
      code: 'registry-unreachable',
      row: { next: 'retry' },
    });
  });

  test('a registry that is down: retried where the image is missing, and no harm where it is there', async () => {
    await using rig = imagesRig(engine);
    const { reference } = await publish(open, 'acme/down:1');
    const always = imageWorkload(reference, { policy: 'always' });
    await open.stop();
    expect(await failure(rig.images.ensure(engine, always, { signal }))).toMatchObject({
      code: 'registry-unreachable',
      row: { next: 'retry' },
    });
    await open.start();
    const ready = await rig.images.ensure(engine, always, { signal });
    await open.stop();
    expect(await rig.images.ensure(engine, always, { signal })).toEqual(ready);
    expect(rig.logs.join('\n')).toContain(`warn ${reference} is used as it is on the engine`);
    await open.start();
  });

  test('what goes wrong in the middle of a pull is noticed: a layer that is not what its digest says', async () => {
    await using rig = imagesRig(engine);
    const { reference, digest } = await publish(open, 'acme/broken:1');
    await breakLastLayer(open, 'acme/broken', digest);
    const error = await failure(rig.images.ensure(engine, imageWorkload(reference), { signal }));
    expect(error).toMatchObject({ code: 'registry-unreachable', row: { next: 'retry' } });
    expect(await ifThere(docker.getImage(reference).inspect())).toBeUndefined();
  });

  test('a registry that sends another image than its digest says is not believed', async () => {
    await using rig = imagesRig(engine);
    const { reference, digest } = await publish(open, 'acme/forged:1');
    const { digest: other } = await publish(open, 'acme/forged:1');
    copyFileSync(blob(open, other), blob(open, digest));
    const error = await failure(rig.images.ensure(engine, imageWorkload(`${reference}@${digest}`), { signal }));
    expect(error).toMatchObject({ code: 'registry-unreachable', message: expect.stringContaining('verification') });
    expect(await ifThere(docker.getImage(`${open.host}/acme/forged@${digest}`).inspect())).toBeUndefined();
  });

  test('a tag that moved is noticed without a pull, and always brings what it names now', async () => {
    const { promise: told, resolve: changed } = Promise.withResolvers<void>();
    await using rig = imagesRig(engine, { lookEveryMs: 1, changed });
    await publish(open, 'acme/moving:1');
    const reference = `${open.host}/acme/moving:1`;
    const always = imageWorkload(reference, { policy: 'always' });
    const old = await rig.images.ensure(engine, always, { signal });
    const before = Date.now();
    const { digest } = await publish(open, 'acme/moving:1');
    const moved = (): string | undefined => rig.images.moved(engine, always, old.id);
    expect(moved()).toBeUndefined();
    const looking = setInterval(moved, 5);
    await told.finally(() => clearInterval(looking));
    expect(moved()).toBe(
      `${reference} is ${digest.slice(0, 19)} in its registry now; this runs ${old.digest?.slice(0, 19)}`,
    );
    expect(rig.images.moved(engine, { ...always, drift: 'off' }, old.id)).toBeUndefined();
    expect(await pulls(engine, reference, before)).toBe(0);
    const next = await rig.images.ensure(engine, always, { signal });
    expect(next.digest).toBe(digest);
    expect(rig.images.moved(engine, imageWorkload(reference), old.id)).toBeUndefined();
    pulled.push(old.id);
  });

  test('an engine whose disk is full says so, and goes on when there is room', async () => {
    await using daemon = await testDaemon({ dataBytes: 6_000_000 });
    using small = await daemon.engine();
    await using rig = imagesRig(small);
    const { reference } = await publish(open, 'acme/large:1', 8_000_000);
    expect(await failure(rig.images.ensure(small, imageWorkload(reference), { signal }))).toMatchObject({
      code: 'engine-disk-full',
      row: { next: 'retry' },
    });
    const box = await open.push(engine, busybox, 'acme/small:1');
    expect(await rig.images.ensure(small, imageWorkload(box.reference), { signal })).toMatchObject({
      digest: box.digest,
    });
  });

  test('an engine that is away is not the registry’s fault', async () => {
    await using daemon = await testDaemon();
    using own = await daemon.engine();
    const rig = imagesRig(own);
    await daemon.kill();
    const error = await failure(rig.images.ensure(own, imageWorkload(`${open.host}/acme/x:1`), { signal }));
    expect(error).toMatchObject({ code: 'engine-unreachable', row: { next: 'retry' } });
    await daemon.start();
    await rig[Symbol.asyncDispose]();
  });
});

/** Puts zeros in place of the last layer of an image. */
async function breakLastLayer(registry: Registry, name: string, digest: string): Promise<void> {
  const answer = await fetch(`http://${registry.host}/v2/${name}/manifests/${digest}`, {
    headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
  });
  const { layers } = (await answer.json()) as { layers: { digest: string; size: number }[] };
  const { digest: layer = '', size = 0 } = layers.at(-1) ?? {};
  writeFileSync(blob(registry, layer), Buffer.alloc(size));
}

/** Where a registry keeps it. */
function blob({ storage }: Registry, digest: string): string {
  const hex = digest.slice('sha256:'.length);
  return join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
}

/** Images on Podman, whose API is the same and whose words are others. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Engine } from '../../../../reconciler/drivers/docker/engine.ts';
import type { SlipwayError } from '../../../../schemas/errors.ts';
import { containerWorkload, freshImage, imagesRig, imageWorkload } from '../../../helpers/images-rig.ts';
import { busyboxImage, npmImage } from '../../../helpers/images.ts';
import { packageRegistry } from '../../../helpers/packages.ts';
import { describePodman, testPodman, type Podman } from '../../../helpers/podman.ts';
import { printed } from '../../../helpers/printed.ts';
import { testRegistry, type Registry } from '../../../helpers/registry.ts';

const signal = AbortSignal.timeout(600_000);
const failure = (work: Promise<unknown>): Promise<SlipwayError> =>
  work.then(
    () => expect.fail('it succeeded'),
    (error: SlipwayError) => error,
  );

describePodman('images on Podman', (machine) => {
  let podman: Podman;
  let engine: Engine;
  let open: Registry;
  let closed: Registry;
  beforeAll(async () => {
    open = await testRegistry();
    closed = await testRegistry({ private: true });
    podman = await testPodman([open.host, closed.host]);
    engine = await podman.engine();
  });
  afterAll(async () => {
    engine?.[Symbol.dispose]();
    await podman?.[Symbol.asyncDispose]();
    await open?.[Symbol.asyncDispose]();
    await closed?.[Symbol.asyncDispose]();
  });

  test('pulled, collected, and each refusal told as on Docker', async () => {
    await using rig = imagesRig(engine);
    const tag = await freshImage(machine, await busyboxImage(machine));
    const { reference, digest } = await open.push(machine, tag, 'acme/box:1');
    const secret = await closed.push(machine, tag, 'acme/box:1');
    await machine.docker.getImage(tag).remove();
    const ready = await rig.images.ensure(engine, imageWorkload(reference), { signal });
    expect(ready).toMatchObject({ reference, digest });
    expect(ready.id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await printed(engine, { Image: ready.id, Cmd: ['wc', '-c', '/salt'] })).toBe('16 /salt');
    const missing = await failure(rig.images.ensure(engine, imageWorkload(`${reference}2`), { signal }));
    expect(missing).toMatchObject({ code: 'image-missing' });
    const refused = await failure(rig.images.ensure(engine, imageWorkload(secret.reference), { signal }));
    expect(refused).toMatchObject({ code: 'image-missing', hint: expect.stringContaining('pull.credentials') });
    await open.stop();
    const away = await failure(rig.images.ensure(engine, imageWorkload(`${open.host}/acme/x:1`), { signal }));
    expect(away).toMatchObject({ code: 'registry-unreachable' });
    await open.start();
    expect(await rig.again({ graceMs: 0 }).collect(engine, [], signal)).toEqual([reference]);
    expect(await engine.docker.listImages()).toEqual([]);
  });

  test('an image for an npm package', async () => {
    await engine.docker.loadImage(await machine.docker.getImage(await npmImage(machine)).get());
    const loaded = (await engine.docker.listImages()).flatMap(({ RepoTags }) => RepoTags ?? []);
    const base = loaded.find((name) => name.includes('/npm:')) ?? '';
    const runner = { ...engine, runners: { npm: base } };
    await using registry = await packageRegistry(machine);
    registry.addNpm('tiny', '1.0.0', { bin: 'cli.js' }, { 'cli.js': 'console.log(process.argv.slice(2).join());' });
    vi.stubEnv('npm_config_registry', registry.npm);
    await using rig = imagesRig(runner);
    const workload = containerWorkload({ type: 'package', ecosystem: 'npm', name: 'tiny', version: '1.0.0', args: [] });
    const ready = await rig.images.ensure(runner, workload, { signal });
    expect(await rig.images.ensure(runner, workload, { signal })).toEqual(ready);
    expect(await printed(engine, { Image: ready.id, Cmd: ['--one', 'two'], User: '65534:65534' })).toBe('--one,two');
    const broken = containerWorkload({ type: 'package', ecosystem: 'npm', name: 'none', version: '1.0.0', args: [] });
    const error = await failure(rig.images.ensure(runner, broken, { signal }));
    expect(error).toMatchObject({ code: 'image-build-failed' });
    expect(error.message).toContain('npm error');
    const owned = await engine.docker.listImages({ filters: { label: [`slipway.owner=${rig.owner}`] } });
    expect(owned.map(({ Id }) => `sha256:${Id}`.slice(-64))).toEqual([ready.id.slice(-64)]);
    vi.unstubAllEnvs();
  });
});

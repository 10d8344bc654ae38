/**
 * Whatever is wrong with a new version, the one before goes on answering, from the same container and in the same session,
 * and status says what is wrong, with the program's last words.
 */
import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerCreateOptions } from 'dockerode';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { compile } from '../../reconciler/compile.ts';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { instanceName } from '../../reconciler/workload.ts';
import type { ErrorCode } from '../../schemas/errors.ts';
import { desired, imageServer, resource } from '../helpers/config.ts';
import { testDaemon } from '../helpers/dockerd.ts';
import { describeEngine } from '../helpers/engine.ts';
import { busyboxImage, serverImage } from '../helpers/images.ts';
import { freshImage } from '../helpers/images-rig.ts';
import { copyImage } from '../helpers/podman.ts';
import { REGISTRY_USER, testRegistry, type Registry } from '../helpers/registry.ts';
import { Rig } from '../helpers/rig.ts';

interface Fault {
  readonly what: string;
  readonly args?: readonly string[];
  /** More of the bad version's spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly code: ErrorCode;
  readonly says: readonly (string | RegExp)[];
}

const hangingProbe = {
  readiness: { call: { tool: 'sleep', arguments: { ms: 600_000 } }, timeout: '500ms', interval: '500ms', failures: 2 },
};

const FAULTS: readonly Fault[] = [
  {
    what: 'an entrypoint that is not in the image',
    spec: { entrypoint: ['/bin/nosuch'] },
    code: 'not-ready',
    says: ['its program could not be executed (exit code 127)', '/bin/nosuch failed: No such file or directory'],
  },
  {
    what: 'an entrypoint that is a folder',
    spec: { entrypoint: ['/tmp'] },
    code: 'not-ready',
    says: ['its program could not be executed (exit code 126)', 'Permission denied'],
  },
  { what: 'an exit at once', args: ['exit=3'], code: 'not-ready', says: ['it exited with code 3', '“going away”'] },
  {
    what: 'an exit at once, over HTTP',
    args: ['http', 'exit=3'],
    spec: { transport: 'http' },
    code: 'start-failed',
    says: ['it exited with code 3', '“going away”'],
  },
  {
    what: 'no answer',
    args: ['mute'],
    spec: { rollout: { timeout: '2s' } },
    code: 'not-ready',
    says: [/within 2 s/],
  },
  {
    what: 'no answer, over HTTP',
    args: ['http', 'mute'],
    spec: { transport: 'http', rollout: { timeout: '2s' } },
    code: 'not-ready',
    says: [/within 2 s/],
  },
  {
    what: 'an input that it closes',
    args: ['deaf'],
    spec: { rollout: { timeout: '3s' } },
    code: 'not-ready',
    says: [/within 3 s/, '“closed its ears”'],
  },
  {
    what: 'more memory than its limit',
    args: ['eat=400000000'],
    spec: { resources: { memory: '96Mi' } },
    code: 'not-ready',
    says: ['it used more memory than its limit of 96 MiB'],
  },
  {
    what: 'a readiness probe that hangs',
    spec: { probes: hangingProbe, args: ['version=hangs'] },
    code: 'not-ready',
    says: [/within 0\.5 s/],
  },
  {
    what: 'a crash soon after it took over',
    args: ['die=1500'],
    spec: { lifecycle: 'always', rollout: { monitor: '1m' } },
    code: 'rolled-back',
    says: ['it exited with code 7', '“fell over”'],
  },
];

describeEngine('a new version with', async (engine) => {
  const image = await serverImage(engine);
  const good = imageServer('tiny', image, ['version=good']);
  let rig: Rig;
  let registry: Registry;

  beforeAll(async () => {
    rig = await Rig.make({ engine });
    registry = await testRegistry({ private: true });
    await rig.reconciler.start();
    await rig.apply({ 'a.yaml': good });
    await rig.call('tiny', 'eat', { bytes: 1000 });
  });
  beforeEach(async () => {
    await rig.apply({ 'a.yaml': good });
    expect(await rig.condition('tiny')).toBe('True=Succeeded');
  });
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  /** The new version fails so, and the old one is as it was. */
  async function fails(bad: string, { code, says }: Pick<Fault, 'code' | 'says'>, more: Record<string, string> = {}) {
    const told = rig.told('tiny', 'Ready:False=RolledBack');
    await rig.apply({ 'a.yaml': bad, ...more });
    await told;
    const { servers } = await rig.reconciler.status();
    const ready = servers.find(({ name }) => name === 'tiny')?.conditions.find(({ type }) => type === 'Ready');
    for (const part of says) expect(ready?.message).toMatch(part);
    expect(ready?.message).toContain('The previous version keeps serving.');
    expect(rig.reconciler.world.errors.get('Server/tiny')).toMatchObject({ code });
    expect(await rig.call('tiny', 'version')).toBe('good');
  }

  /** Nobody restarted what serves. */
  const untouched = async (): Promise<void> => {
    expect(await rig.call('tiny', 'eat', { bytes: 0 })).toBe('1000');
    expect(await rig.call('tiny', 'sessions')).toBe('1');
  };

  const replaced = 'a crash soon after it took over';
  test.each(FAULTS)('$what', async ({ what, args = [], spec = {}, ...expected }) => {
    await fails(imageServer('tiny', image, args, spec), expected);
    // One that took over has ended the one before, which then came back.
    if (what === replaced) await rig.call('tiny', 'eat', { bytes: 1000 });
    else await untouched();
    expect(await rig.docker.list(new AbortController().signal)).toHaveLength(1);
  });

  test('an image that does not exist', async () => {
    const missing = `${registry.host}/acme/nosuch:1`;
    const bad = imageServer('tiny', missing, [], { pull: { credentials: 'registry' } });
    await fails(bad, { code: 'image-missing', says: [`There is no image ${missing}`] }, login(REGISTRY_USER.password));
    await untouched();
  });

  test('an image that may not be fetched with these credentials', async () => {
    const { reference } = await registry.push(engine, await freshImage(engine, await busyboxImage(engine)), 'acme/a:1');
    const bad = imageServer('tiny', reference, [], { pull: { credentials: 'registry' } });
    await fails(bad, { code: 'image-missing', says: [`The registry refused ${reference}`] }, login('wrong'));
    expect(JSON.stringify(rig.statuses) + rig.logs.join('\n')).not.toContain('wrong horse');
    await untouched();
  });

  test('an image in a registry that is down', async () => {
    await registry.stop();
    const bad = imageServer('tiny', `${registry.host}/acme/a:2`, [], { pull: { credentials: 'registry' } });
    const says = [/connection refused/];
    await fails(bad, { code: 'registry-unreachable', says }, login(REGISTRY_USER.password));
    await untouched();
    await registry.start();
  });

  const login = (password: string): Record<string, string> => {
    process.env['FAULTS_USER'] = REGISTRY_USER.username;
    process.env['FAULTS_PASSWORD'] = password === 'wrong' ? 'wrong horse' : password;
    const data = { username: { env: 'FAULTS_USER' }, password: { env: 'FAULTS_PASSWORD' } };
    return { 'registry.yaml': resource('Secret', 'registry', { data }) };
  };
});

describeEngine('servers go on serving', async (engine) => {
  const image = await serverImage(engine);
  const v1 = imageServer('tiny', image, ['version=v1']);

  test('when a new version prints text where messages belong, and answers with 50 MB', async () => {
    await using rig = await Rig.make({ engine });
    await rig.apply({ 'a.yaml': v1, 'b.yaml': imageServer('other', image) });
    await rig.apply({ 'a.yaml': imageServer('tiny', image, ['version=v2', 'banner']) });
    expect(await rig.condition('tiny')).toBe('True=Succeeded');
    const big = rig.call('tiny', 'big', { bytes: 50_000_000 });
    expect(await rig.call('other', 'echo', { message: 'beside it' })).toBe('beside it');
    expect(await big).toHaveLength(50_000_000);
    await rig.call('tiny', 'garbage', { message: '{"jsonrpc": "2.0", "id": 1, "resu' });
    expect(await rig.call('tiny', 'version')).toBe('v2');
  });

  test('when somebody else’s container has the name of a new one', async () => {
    await using rig = await Rig.make({ engine });
    const bad = imageServer('tiny', image, ['version=v2']);
    const [next] = compile(desired({ 'a.yaml': bad })).workloads;
    await rig.apply({ 'a.yaml': v1 });
    const name = next && instanceName(next, 0);
    const foreign = await engine.docker.createContainer({ name, Image: image } as ContainerCreateOptions);
    try {
      await rig.apply({ 'a.yaml': bad });
      expect(await rig.condition('tiny')).toBe('True=Succeeded');
      expect(await rig.call('tiny', 'version')).toBe('v2');
      await rig.apply({ 'a.yaml': v1 });
      expect((await foreign.inspect()).Name).toBe(`/${name}`);
    } finally {
      await foreign.remove({ force: true });
    }
  });

  test.each([
    ['a day ahead', 86_400_000],
    ['a day back', -86_400_000],
  ])('when the clock jumps %s: a rollout, a crash and a removal by hand are noticed as always', async (_, jump) => {
    onTestFinished(() => void vi.useRealTimers());
    await using rig = await Rig.make({ engine });
    await rig.reconciler.start();
    const version = (name: string): string =>
      imageServer('tiny', image, [`version=${name}`], { lifecycle: 'always', rollout: { monitor: '0s' } });
    await rig.apply({ 'a.yaml': version('v1') });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jump, shouldAdvanceTime: true });
    await rig.apply({ 'a.yaml': version('v2') });
    expect(await rig.call('tiny', 'version')).toBe('v2');
    for (const end of ['kill', 'remove'] as const) {
      const [found] = await ours(engine, rig);
      const again = rig.told('tiny', 'Ready:False=Crashed');
      await engine.docker.getContainer(found?.Id ?? '')[end]({ force: true });
      await again;
      await rig.told('tiny', 'Ready:True=Succeeded');
      expect(await rig.call('tiny', 'version')).toBe('v2');
    }
    expect(await ours(engine, rig)).toHaveLength(1);
  });

  test('when the engine’s disk is full while a new image is pulled', async () => {
    await using registry = await testRegistry();
    await using daemon = await testDaemon({ dataBytes: 420_000_000 });
    using small = await daemon.engine();
    await copyImage(engine, small, image);
    const tag = await freshImage(engine, await busyboxImage(engine));
    const { reference } = await registry.push(engine, tag, 'acme/box:1');
    await engine.docker.getImage(tag).remove();
    await using rig = await Rig.make({ engine: small });
    const place = { engine: 'small' };
    const placed = { 'e.yaml': resource('Engine', 'small', { host: daemon.host }) };
    await rig.apply({ ...placed, 'a.yaml': imageServer('tiny', image, ['version=v1'], place) });
    await rig.call('tiny', 'eat', { bytes: 1000 });
    const { bavail: blocks, bsize: size } = statfsSync(daemon.data);
    writeFileSync(join(daemon.data, 'fill'), Buffer.alloc((blocks - 100) * size));
    await rig.apply({ 'a.yaml': imageServer('tiny', reference, [], place) });
    expect(rig.reconciler.world.errors.get('Server/tiny')).toMatchObject({ code: 'engine-disk-full' });
    expect(await rig.condition('tiny')).toBe('False=RolledBack');
    expect(await rig.call('tiny', 'eat', { bytes: 0 })).toBe('1000');
  });
});

async function ours({ docker }: Engine, { state }: Rig) {
  return docker.listContainers({ all: true, filters: { label: [`slipway.owner=${state.owner}`] } });
}

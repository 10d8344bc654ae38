/** An engine that is down, goes down, hangs, or of which nothing is heard: others serve on, and nothing is lost. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { imageServer, resource, server } from '../helpers/config.ts';
import { testDaemon } from '../helpers/dockerd.ts';
import { describeEngine } from '../helpers/engine.ts';
import { serverImage } from '../helpers/images.ts';
import { lineCutter } from '../helpers/line-cutter.ts';
import { copyImage } from '../helpers/podman.ts';
import { TestRepo } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';
import { eventually } from '../helpers/until.ts';

const never = (): AbortSignal => new AbortController().signal;
const LIVE_RESTORE = ['--live-restore'];

describeEngine('an engine', async (machine) => {
  const image = await serverImage(machine);
  const onOwn = (name: string, args: string[] = [], more = {}): string =>
    imageServer(name, image, args, { engine: 'own', ...more });
  const at = (host: string): string => resource('Engine', 'own', { host });

  test('that is down at Slipway’s start: others serve; once it is back, what runs is taken over and the rest removed', async () => {
    await using daemon = await testDaemon({ args: LIVE_RESTORE });
    using engine = await daemon.engine();
    await copyImage(machine, engine, image);
    using repo = new TestRepo();
    using dir = tempDir();
    const stateDir = dir.at('state');
    {
      await using rig = await Rig.make({ repo, stateDir });
      await rig.apply({ 'e.yaml': at(daemon.host), 'keeper.yaml': onOwn('keeper'), 'gone.yaml': onOwn('gone') });
      await rig.call('keeper', 'eat', { bytes: 1000 });
    }
    await daemon.stop();
    await using rig = await Rig.make({ repo, stateDir });
    repo.push({ 'gone.yaml': null, 'other.yaml': server('other', 'good', ['v1']) });
    await rig.reconciler.start();
    expect(await eventually(() => rig.call('other', 'version').catch(() => undefined))).toBe('v1');
    await rig.told('keeper', 'Ready:False=EngineUnreachable');
    const back = performance.now();
    await daemon.start();
    await rig.told('keeper', 'Ready:True=Succeeded');
    expect(await rig.call('keeper', 'eat', { bytes: 0 })).toBe('1000');
    if (process.env['SHOW'])
      console.log(`taken over ${Math.round(performance.now() - back)} ms after dockerd was started again`);
    await eventually(async () => (await serversOn(engine, rig)).join() === 'keeper');
  });

  test.each([
    ['its containers live on', LIVE_RESTORE],
    ['its containers end with it', []],
  ])('that is restarted during a rollout (%s): the rollout goes on by itself', async (_, args) => {
    await using daemon = await testDaemon({ args });
    using engine = await daemon.engine();
    await copyImage(machine, engine, image);
    await using rig = await Rig.make();
    await rig.reconciler.start();
    await rig.apply({ 'e.yaml': at(daemon.host), 'a.yaml': onOwn('tiny', ['version=v1']) });
    await rig.call('tiny', 'eat', { bytes: 1000 });
    rig.repo.push({ 'a.yaml': onOwn('tiny', ['version=v2', 'delay=1500'], { lifecycle: 'always' }) });
    const synced = rig.reconciler.sync().catch(() => {});
    await eventually(async () => (await engine.docker.listContainers()).length === 2);
    await daemon.stop();
    await delay(500);
    await daemon.start();
    if (args === LIVE_RESTORE) expect(await rig.call('tiny', 'eat', { bytes: 0 })).toMatch(/^(1000|0)$/);
    await synced;
    await eventually(async () => (await rig.call('tiny', 'version').catch(() => '')) === 'v2', 60_000);
    await eventually(async () => (await rig.condition('tiny')) === 'True=Succeeded');
    expect(rig.reconciler.world.applied.failures).toEqual({});
    await eventually(async () => (await serversOn(engine, rig)).join() === 'tiny');
  });

  test('that is killed: a call that runs is answered when it is back, and the session goes on', async () => {
    await using daemon = await testDaemon({ args: LIVE_RESTORE });
    using engine = await daemon.engine();
    await copyImage(machine, engine, image);
    await using rig = await Rig.make();
    await rig.apply({ 'e.yaml': at(daemon.host), 'a.yaml': onOwn('tiny') });
    await rig.call('tiny', 'eat', { bytes: 1000 });
    const slow = rig.call('tiny', 'sleep', { ms: 1000 });
    await rig.call('tiny', 'echo', { message: 'the slow call has arrived' });
    await daemon.kill();
    await delay(1500);
    await daemon.start();
    expect(await slow).toBe('slept 1000 ms');
    expect(await rig.call('tiny', 'eat', { bytes: 0 })).toBe('1000');
    expect(await rig.call('tiny', 'sessions')).toBe('1');
    expect((await rig.docker.list(never()))[0]).toMatchObject({ restarts: 0 });
  });

  test('that is away for a while, and its containers with it: they are back with it, and have not crashed', async () => {
    await using daemon = await testDaemon();
    using engine = await daemon.engine();
    await copyImage(machine, engine, image);
    await using rig = await Rig.make();
    await rig.reconciler.start();
    const more = { lifecycle: 'always', rollout: { monitor: '1m' } };
    await rig.apply({ 'e.yaml': at(daemon.host), 'a.yaml': onOwn('tiny', ['version=v1'], more) });
    await rig.apply({ 'a.yaml': onOwn('tiny', ['version=v2'], more) });
    await daemon.stop();
    await delay(4000); // Long enough that the pauses between starts have grown.
    const back = performance.now();
    await daemon.start();
    const started = performance.now();
    await eventually(async () => (await rig.docker.list(never()))[0]?.state === 'running');
    if (process.env['SHOW'])
      console.log(
        `back ${Math.round(performance.now() - started)} ms after dockerd (${Math.round(started - back)} ms)`,
      );
    expect(await rig.call('tiny', 'version')).toBe('v2'); // It is on trial, and has done nothing wrong.
    expect((await rig.docker.list(never()))[0]).toMatchObject({ restarts: 0 });
    expect(await rig.condition('tiny')).toBe('True=Succeeded');
  });

  test.each(['kill', 'remove'] as const)(
    'whose events are lost while a container goes (%s): noticed afterwards',
    async (end) => {
      await using cutter = await lineCutter(machine.request.socketPath ?? '');
      await using rig = await Rig.make({ engine: machine });
      await rig.reconciler.start();
      await rig.apply({
        'e.yaml': at(cutter.host),
        'heals.yaml': onOwn('heals', [], { lifecycle: 'always' }),
        'tells.yaml': onOwn('tells', ['http'], { transport: 'http', drift: 'detect' }),
      });
      await rig.told('tells', 'Ready:True=Succeeded');
      const containers = await containersOf(machine, rig);
      cutter.cut();
      for (const { Id } of containers) await machine.docker.getContainer(Id)[end]({ force: true });
      cutter.mend();
      await rig.told('heals', 'Ready:False=Crashed');
      await rig.told('heals', 'Ready:True=Succeeded');
      expect(await rig.call('heals', 'version')).toBe('v1');
      if (end === 'remove') await rig.told('tells', 'Drifted:True=ChangedByHand');
      else await rig.told('tells', 'Ready:True=Succeeded');
    },
  );

  test('that hangs holds up nobody else, and is used again when it answers', async () => {
    await using cutter = await lineCutter(machine.request.socketPath ?? '');
    await using rig = await Rig.make({ engine: machine });
    await rig.reconciler.start();
    await rig.apply({ 'e.yaml': at(cutter.host), 'a.yaml': onOwn('tiny', ['version=v1']), 'b.yaml': good('v1') });
    cutter.freeze();
    rig.repo.push({ 'a.yaml': onOwn('tiny', ['version=v2']), 'b.yaml': good('v2') });
    const first = rig.reconciler.sync();
    await eventually(async () => (await rig.call('other', 'version').catch(() => '')) === 'v2');
    // Nor does it hold up later commits for ever.
    await first.catch(() => {});
    expect(rig.reconciler.world.errors.get('Server/tiny')).toMatchObject({ code: 'engine-unreachable' });
    await rig.apply({ 'b.yaml': good('v3') });
    expect(await rig.call('other', 'version')).toBe('v3');
    cutter.mend();
    await eventually(async () => (await rig.call('tiny', 'version').catch(() => '')) === 'v2', 60_000);
    await eventually(async () => (await serversOn(machine, rig)).join() === 'tiny');
  });

  test('that hangs from the start holds up nobody else either', async () => {
    await using cutter = await lineCutter(machine.request.socketPath ?? '');
    cutter.freeze();
    await using rig = await Rig.make({ engine: machine });
    rig.repo.push({ 'e.yaml': at(cutter.host), 'a.yaml': onOwn('tiny', ['version=v1']), 'b.yaml': good('v1') });
    await rig.reconciler.start();
    expect(await eventually(() => rig.call('other', 'version').catch(() => undefined))).toBe('v1');
    await rig.told('tiny', 'Ready:False=EngineUnreachable');
    cutter.mend();
    await eventually(async () => (await rig.call('tiny', 'version').catch(() => '')) === 'v1', 60_000);
  });

  const good = (version: string): string => server('other', 'good', [version]);
});

async function containersOf({ docker }: Engine, { state }: Rig) {
  return docker.listContainers({ all: true, filters: { label: [`slipway.owner=${state.owner}`] } });
}

async function serversOn(engine: Engine, rig: Rig): Promise<string[]> {
  return (await containersOf(engine, rig)).map(({ Labels }) => Labels['slipway.server'] ?? '').toSorted();
}

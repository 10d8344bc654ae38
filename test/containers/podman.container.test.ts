/** Where Podman is not like Docker: no daemon, other words for events, and a connection that ends ends stdin with it. */
import { afterAll, expect, test } from 'vitest';
import { connectHttp } from '../../reconciler/health/http.ts';
import type { Instance } from '../../reconciler/drivers/driver.ts';
import { dockerRig, httpWorkload, imageWorkload, type DockerRig } from '../helpers/docker-driver.ts';
import { serverImage } from '../helpers/images.ts';
import { callTool } from '../helpers/mcp.ts';
import { copyImage, describePodman, testPodman } from '../helpers/podman.ts';
import { connected, untilState } from '../helpers/process-driver.ts';
import { eventually } from '../helpers/until.ts';

const never = (): AbortSignal => new AbortController().signal;

describePodman('on Podman', async (docker) => {
  const image = await serverImage(docker);
  const podman = await testPodman();
  const engine = await podman.engine();
  afterAll(async () => {
    engine[Symbol.dispose]();
    await podman[Symbol.asyncDispose]();
  });
  const { spec: place } = podman;
  await copyImage(docker, engine, image);
  const http = (more = {}) => httpWorkload(image, { place, ...more });
  const containerOf = async ({ state }: DockerRig) => {
    const filters = { label: [`slipway.owner=${state.owner}`] };
    const [found] = await engine.docker.listContainers({ all: true, filters });
    if (!found) throw new Error('no container');
    return engine.docker.getContainer(found.Id);
  };

  test('an HTTP server outlives Slipway: the same process is taken over, its memory kept', async () => {
    await using rig = await dockerRig(engine);
    const { id, endpoint, pid } = await rig.driver.ensure(http(), 0, never());
    expect(await call(endpoint, 'eat', { bytes: 1000 })).toBe('1000');
    const driver = await rig.restart();
    expect(await driver.list(never())).toMatchObject([{ id, state: 'running' }]);
    const again = await driver.ensure(http(), 0, never());
    expect(again).toMatchObject({ pid, endpoint });
    expect(await call(again.endpoint, 'eat', { bytes: 1 })).toBe('1001');
  });

  test('a stdio server does not: its input ends with the connection, so the next start begins a new session', async () => {
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image, { place });
    const { id } = await rig.driver.ensure(wanted, 0, never());
    expect(await callTool(await connected(rig.driver, id), 'eat', { bytes: 1000 })).toBe('1000');
    const driver = await rig.restart();
    await driver.ensure(wanted, 0, never());
    const connection = await connected(driver, id);
    expect(await callTool(connection, 'eat', { bytes: 1 })).toBe('1');
    expect(await callTool(connection, 'sessions')).toBe('1');
    expect(await driver.list(never())).toMatchObject([{ id, state: 'running' }]);
  });

  test('killed from outside, a server is back by itself, and says what happened', async () => {
    await using rig = await dockerRig(engine);
    const { id, pid } = await rig.driver.ensure(http(), 0, never());
    await (await containerOf(rig)).kill();
    await untilState(rig.driver, id, 'crashed');
    const again = await untilState(rig.driver, id, 'running');
    expect(again).toMatchObject({ restarts: 1, lastError: 'it was ended by SIGKILL' });
    expect(again.pid).not.toBe(pid);
    expect(await call(again.endpoint, 'echo', { message: 'back' })).toBe('back');
  });

  test('removed by hand, a server is made anew; with drift: detect it is only told', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await rig.driver.ensure(http(), 0, never());
    await (await containerOf(rig)).remove({ force: true });
    await untilState(rig.driver, id, 'crashed');
    const { endpoint } = await untilState(rig.driver, id, 'running');
    expect(await call(endpoint, 'echo', { message: 'anew' })).toBe('anew');
    await rig.driver.ensure(http({ drift: 'detect' }), 0, never());
    await (await containerOf(rig)).remove({ force: true });
    const drift = async () => (await rig.driver.list(never()))[0]?.drift;
    // Forced, it is stopped first.
    await eventually(async () => (await drift())?.join() === 'its container was removed by hand');
  });

  test('its API service may end and come back: servers do not notice, and what died meanwhile is noticed', async () => {
    await using rig = await dockerRig(engine);
    const [lives, dies] = await Promise.all([
      rig.driver.ensure(http({ name: 'lives' }), 0, never()),
      rig.driver.ensure(http({ name: 'dies' }), 0, never()),
    ]);
    expect(await call(dies.endpoint, 'echo', { message: 'here' })).toBe('here');
    await podman.stop();
    expect(await call(lives.endpoint, 'eat', { bytes: 1 })).toBe('1');
    process.kill(dies.pid ?? 0, 'SIGKILL');
    await podman.start();
    await untilState(rig.driver, dies.id, 'crashed');
    const { endpoint } = await untilState(rig.driver, dies.id, 'running');
    expect(await call(endpoint, 'echo', { message: 'back' })).toBe('back');
    const instance = (await rig.driver.list(never())).find(({ id }) => id === lives.id);
    expect(instance).toMatchObject({ pid: lives.pid, restarts: 0, state: 'running' });
    expect(await call(lives.endpoint, 'eat', { bytes: 1 })).toBe('2');
  });
});

/** Once it listens; there is no event for that. */
async function call(endpoint: Instance['endpoint'], tool: string, args: Record<string, unknown>): Promise<string> {
  const dial = () => connectHttp(endpoint, 'test', AbortSignal.timeout(5000)).catch(() => undefined);
  const connection = await eventually(dial);
  try {
    return await callTool(connection, tool, args);
  } finally {
    connection.close();
  }
}

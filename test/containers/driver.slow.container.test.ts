/** What the docker driver promises beyond the contract of all drivers: containers that outlive Slipway, and come back. */
import { expect, test } from 'vitest';
import { attach } from '../../reconciler/drivers/docker/attach.ts';
import type { Driver, Instance } from '../../reconciler/drivers/driver.ts';
import type { Connection } from '../../schemas/peer.ts';
import { dockerRig, imageWorkload, type DockerRig } from '../helpers/docker-driver.ts';
import { describeEngine } from '../helpers/engine.ts';
import { busyboxImage, serverImage } from '../helpers/images.ts';
import { lineCutter } from '../helpers/line-cutter.ts';
import { callTool, initialize } from '../helpers/mcp.ts';
import { connected, logged, logOf, untilState } from '../helpers/process-driver.ts';
import { until } from '../helpers/until.ts';

const never = (): AbortSignal => new AbortController().signal;

describeEngine('containers', async (engine) => {
  const image = await serverImage(engine);
  const containerOf = async ({ state }: DockerRig) => {
    const filters = { label: [`slipway.owner=${state.owner}`] };
    const [found] = await engine.docker.listContainers({ all: true, filters });
    if (!found) throw new Error('no container');
    return engine.docker.getContainer(found.Id);
  };

  test('labels and names are a contract', async () => {
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image, { project: 'dev' });
    await rig.driver.ensure(wanted, 2, never());
    const info = await (await containerOf(rig)).inspect();
    expect(info.Name).toMatch(new RegExp(`^/slipway-tiny-${wanted.hash.slice(0, 8)}-2(-|$)`));
    expect(info.Config.Labels).toMatchObject({
      'slipway.managed': 'true',
      'slipway.owner': rig.state.owner,
      'slipway.server': 'tiny',
      'slipway.project': 'dev',
      'slipway.spec-hash': wanted.hash,
      'slipway.replica': '2',
      'slipway.commit': wanted.commit,
    });
  });

  test('the next start takes a running container over: the same process, the same session, its memory kept', async () => {
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image);
    const { id, pid } = await started(rig.driver, await rig.driver.ensure(wanted, 0, never()));
    await callTool(await connected(rig.driver, id), 'eat', { bytes: 1000 });
    const driver = await rig.restart();
    expect(await driver.list(never())).toMatchObject([{ id, hash: wanted.hash, state: 'running' }]);
    await driver.ensure(wanted, 0, never());
    expect(await untilState(driver, id, 'running')).toMatchObject({ pid });
    const connection = await connected(driver, id);
    expect(await callTool(connection, 'eat', { bytes: 1 })).toBe('1001');
    expect(await callTool(connection, 'sessions')).toBe('1');
  });

  test('half a line that an end left behind does not swallow the first message of the next start', async () => {
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image);
    const { id } = await started(rig.driver, await rig.driver.ensure(wanted, 0, never()));
    const cut = await attach(engine, (await containerOf(rig)).id, { stdout: () => {}, stderr: () => {} });
    await new Promise((written) => cut.write('{"jsonrpc":"2.0","id":', written));
    cut.destroy();
    const driver = await rig.restart();
    await driver.ensure(wanted, 0, never());
    expect(await callTool(await connected(driver, id), 'echo', { message: 'still understood' })).toBe(
      'still understood',
    );
  });

  test('what nobody wants any more after a restart is listed, and can be removed', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await rig.driver.ensure(imageWorkload(image), 0, never());
    const driver = await rig.restart();
    expect((await driver.list(never())).map((instance) => instance.id)).toEqual([id]);
    await driver.remove(id, never());
    expect(await driver.list(never())).toEqual([]);
    await expect(containerOf(rig)).rejects.toThrow('no container');
  });

  test('the connection to the engine breaks during a call: the call is answered, and nobody shakes hands again', async () => {
    await using cutter = await lineCutter(engine.request.socketPath ?? '');
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image, { place: { name: 'frail', host: cutter.host, runners: {} } });
    const { id } = await started(rig.driver, await rig.driver.ensure(wanted, 0, never()));
    const connection = await connected(rig.driver, id);
    const slow = callTool(connection, 'sleep', { ms: 700 });
    await callTool(connection, 'echo', { message: 'the slow call has arrived' });
    cutter.cut();
    setTimeout(cutter.mend, 1000);
    expect(await slow).toBe('slept 700 ms');
    expect(await callTool(connection, 'sessions')).toBe('1');
    expect((await rig.driver.list(never()))[0]).toMatchObject({ restarts: 0 });
  });

  test('a call that is made while the engine is away waits for it', async () => {
    await using cutter = await lineCutter(engine.request.socketPath ?? '');
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image, { place: { name: 'frail', host: cutter.host, runners: {} } });
    const { id } = await started(rig.driver, await rig.driver.ensure(wanted, 0, never()));
    const connection = await connected(rig.driver, id);
    cutter.cut();
    const answer = callTool(connection, 'echo', { message: 'patience' });
    setTimeout(cutter.mend, 300);
    expect(await answer).toBe('patience');
  });

  test('a server falls idle while the engine is away: it stays as it is, and is there for the next call', async () => {
    await using cutter = await lineCutter(engine.request.socketPath ?? '');
    await using rig = await dockerRig(engine);
    const place = { name: 'frail', host: cutter.host, runners: {} };
    const { id } = await rig.driver.ensure(imageWorkload(image, { place, idleTimeoutMs: 500 }), 0, never());
    const connection = await connected(rig.driver, id);
    await untilState(rig.driver, id, 'running');
    cutter.cut();
    await logged(rig.driver, id, 'the server could not be stopped');
    cutter.mend();
    expect(await callTool(connection, 'sessions')).toBe('1');
  });

  test('a removal that the engine does not hear of leaves what the next one removes', async () => {
    await using cutter = await lineCutter(engine.request.socketPath ?? '');
    await using rig = await dockerRig(engine);
    const place = { name: 'frail', host: cutter.host, runners: {} };
    const { id } = await started(rig.driver, await rig.driver.ensure(imageWorkload(image, { place }), 0, never()));
    cutter.cut();
    await expect(rig.driver.remove(id, never())).rejects.toThrow();
    cutter.mend();
    expect((await rig.driver.list(never())).map((instance) => instance.id)).toEqual([id]);
    expect(rig.driver.connect?.(id, {})).toBeUndefined();
    await rig.driver.remove(id, never());
    await expect(containerOf(rig)).rejects.toThrow('no container');
  });

  test('a volume that an image declares is room in memory, not on the disk of the host', async () => {
    await using rig = await dockerRig(engine);
    const bare = await engine.docker.createContainer({ Image: image });
    const { Id } = (await bare.commit({ changes: 'VOLUME /data' })) as { Id: string };
    try {
      const [repo, tag] = ['slipway-test/volume', rig.state.owner.slice(0, 8)];
      await engine.docker.getImage(Id).tag({ repo, tag });
      const { id } = await rig.driver.ensure(imageWorkload(`${repo}:${tag}`), 0, never());
      const who = await callTool(await connected(rig.driver, id), 'whoami', { paths: ['/data', '/etc'] });
      expect(JSON.parse(who)).toMatchObject({ writable: ['/data'] });
      const { Mounts, HostConfig } = await (await containerOf(rig)).inspect();
      expect(Mounts).toEqual([]);
      expect(HostConfig.Tmpfs?.['/data']).toContain('size=');
      await rig.driver.remove(id, never());
    } finally {
      await bare.remove({ force: true });
      await engine.docker.getImage(Id).remove({ force: true });
    }
  });

  test('a program that a probe left running is not joined by another', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await started(rig.driver, await rig.driver.ensure(imageWorkload(image), 0, never()));
    expect(await rig.driver.exec?.(id, ['echo', 'well'], never())).toEqual({ code: 0, output: 'well\n' });
    const hung = rig.driver.exec?.(id, ['sleep', '60'], AbortSignal.timeout(500));
    await expect(hung).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect(rig.driver.exec?.(id, ['echo', 'well'], never())).rejects.toThrow('what was run before still runs');
  });

  test('killed from outside, it is back by itself, and says what happened', async () => {
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image, { lifecycle: 'always' });
    const { id, pid } = await started(rig.driver, await rig.driver.ensure(wanted, 0, never()));
    await (await containerOf(rig)).kill();
    await untilState(rig.driver, id, 'crashed');
    const again = await untilState(rig.driver, id, 'running');
    expect(again).toMatchObject({ restarts: 1, lastError: 'it was ended by SIGKILL' });
    expect(again.pid).not.toBe(pid);
    const connection = await connected(rig.driver, id);
    expect(await callTool(connection, 'sessions')).toBe('1'); // Of the new process.
  });

  test('removed by hand, it is made anew', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await started(rig.driver, await rig.driver.ensure(imageWorkload(image), 0, never()));
    const before = await containerOf(rig);
    await before.remove({ force: true });
    await untilState(rig.driver, id, 'crashed');
    expect(await callTool(await connected(rig.driver, id), 'echo', { message: 'anew' })).toBe('anew');
    expect((await containerOf(rig)).id).not.toBe(before.id);
  });

  test('a container of somebody else may have the name: ours gets another', async () => {
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image, { name: 'taken' });
    const name = `slipway-taken-${wanted.hash.slice(0, 8)}-0`;
    const foreign = await engine.docker.createContainer({ name, Image: image });
    try {
      const { id } = await rig.driver.ensure(wanted, 0, never());
      expect(await callTool(await connected(rig.driver, id), 'echo', { message: 'mine' })).toBe('mine');
      await rig.driver.remove(id, never());
      expect((await foreign.inspect()).Name).toBe(`/${name}`);
    } finally {
      await foreign.remove({ force: true });
    }
  });

  test('a program that is not in the image is named', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await rig.driver.ensure(
      imageWorkload(await busyboxImage(engine), { args: ['/bin/nosuch'] }),
      0,
      never(),
    );
    await expect(connected(rig.driver, id)).rejects.toThrow('its program could not be executed (exit code 127)');
    expect(await logOf(rig.driver, id)).toContain('/bin/nosuch failed: No such file or directory');
  });

  test('a program that ends at once says with which code, and its last words are in the log', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await rig.driver.ensure(imageWorkload(image, { args: ['stdio', 'exit=3'] }), 0, never());
    await expect(connected(rig.driver, id)).rejects.toThrow('it exited with code 3');
    expect(await logOf(rig.driver, id)).toContain('going away');
  });

  test('text where messages belong goes to the log', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await rig.driver.ensure(imageWorkload(image, { args: ['stdio', 'banner'] }), 0, never());
    expect(await callTool(await connected(rig.driver, id), 'echo', { message: 'fine' })).toBe('fine');
    expect(await logOf(rig.driver, id)).toContain('*** Welcome to my server! ***');
  });

  test('a result of 50 MB comes whole, and a message of 12 MB goes whole', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await rig.driver.ensure(imageWorkload(image), 0, never());
    const connection = await connected(rig.driver, id);
    expect(await callTool(connection, 'big', { bytes: 50_000_000 })).toHaveLength(50_000_000);
    const message = 'ä'.repeat(6_000_000);
    expect((await callTool(connection, 'echo', { message })) === message).toBe(true);
  });

  test('a server that floods its log neither stops nor stops others', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await rig.driver.ensure(imageWorkload(image), 0, never());
    const connection = await connected(rig.driver, id);
    for (let turn = 0; turn < 8; turn++) await callTool(connection, 'stderr', { message: 'x'.repeat(1_000_000) });
    expect(await callTool(connection, 'echo', { message: 'alive' })).toBe('alive');
  });

  test('over HTTP it is reached at its own address, and followed to a new one', async () => {
    await using rig = await dockerRig(engine);
    const wanted = imageWorkload(image, { args: ['http'], transport: 'http', http: { port: 8080, path: '/mcp' } });
    const { id, endpoint } = await rig.driver.ensure(wanted, 0, never());
    await until(
      (listener) => rig.driver.watch?.(listener) ?? { [Symbol.dispose]() {} },
      () => endpoint.address.startsWith('http://'),
    );
    expect(await whenListening(endpoint.address)).toBe(200);
    await (await containerOf(rig)).kill();
    await untilState(rig.driver, id, 'crashed');
    const again = await untilState(rig.driver, id, 'running');
    expect(await whenListening(again.endpoint.address)).toBe(200);
    expect(await logged(rig.driver, id, 'it was ended by SIGKILL')).toBeTruthy();
  });
});

/** The instance once its program runs. */
async function started(driver: Driver, { id }: Instance): Promise<Instance> {
  const connection: Connection | undefined = driver.connect?.(id, {});
  if (!connection) throw new Error(`no connection to ${id}`);
  await initialize(connection);
  connection.close();
  return untilState(driver, id, 'running');
}

/** The status of a ping, once somebody listens; there is no event for that. */
async function whenListening(url: string): Promise<number> {
  for (const deadline = Date.now() + 60_000; ;) {
    try {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
      return (await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })).status;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

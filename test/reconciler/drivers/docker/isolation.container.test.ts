/** Isolation as the driver puts it together: an MCP server that tries things, from its first call to its removal. */
import { existsSync, writeFileSync } from 'node:fs';
import type { Container } from 'dockerode';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instance } from '../../../../reconciler/drivers/driver.ts';
import type { Workload } from '../../../../reconciler/workload.ts';
import type { Connection } from '../../../../schemas/peer.ts';
import { dockerRig, imageWorkload, type DockerRig } from '../../../helpers/docker-driver.ts';
import { describeEngine } from '../../../helpers/engine.ts';
import { nodeImage, serverImage } from '../../../helpers/images.ts';
import { callTool } from '../../../helpers/mcp.ts';
import { connected, logOf, logged } from '../../../helpers/process-driver.ts';
import { tempDir } from '../../../helpers/temp.ts';

describeEngine('isolation', (engine) => {
  if (engine.info.podman) return void test.skip('Podman has no links between containers', () => {});
  const files = tempDir();
  let rig: DockerRig;
  let server: Workload;
  let instance: Instance;
  let connection: Connection;
  const signal = new AbortController().signal;
  beforeAll(async () => {
    rig = await dockerRig(engine);
    writeFileSync(files.at('token'), 'first-value');
    const listed = imageWorkload(await serverImage(engine), {
      name: 'shut-in',
      isolation: { egress: { allow: ['api.example.com:443'] }, writable: ['/data'] },
      secretFiles: [{ name: 'token', secret: { secret: 'keys', key: 'token', from: { file: files.at('token') } } }],
    });
    // What the proxy runs on.
    server = { ...listed, engine: { name: 'default', runners: { npm: await nodeImage(engine) } } };
    instance = await rig.driver.ensure(server, 0, signal);
    connection = await connected(rig.driver, instance.id);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    files[Symbol.dispose]();
  });
  const call = (name: string, args: Record<string, unknown> = {}) => callTool(connection, name, args);

  test('what is loose is told, and nothing else is', async () => {
    expect(instance.exposed).toEqual(['it can write to /data, in memory', 'it may connect to api.example.com:443']);
    const { groups, ...who } = JSON.parse(
      await call('whoami', { paths: ['/', '/tmp', '/data', '/etc', '/run/secrets'] }),
    );
    expect(who).toEqual({ uid: 65_534, gid: 65_534, writable: ['/tmp', '/data'] });
    expect(groups).toEqual([65_534]);
  });

  test('its list is all it can connect to', async () => {
    expect(await call('connect', { host: 'api.example.com', port: 443 })).toBe('connected');
    expect(await call('connect', { host: 'api.example.com', port: 80 })).toBe('ECONNREFUSED');
    expect(await call('connect', { host: 'www.example.com', port: 443 })).toMatch(/EAI_AGAIN|ENOTFOUND|ETIMEDOUT/);
  });

  test('a proxy that was removed comes back, and one that cannot is told', async () => {
    const owner = rig.state.owner.slice(0, 8);
    const proxies = { label: [`slipway.owner=${rig.state.owner}`, 'slipway.role=egress'] };
    const [proxy] = await engine.docker.listContainers({ filters: proxies });
    const name = proxy?.Names[0]?.slice(1) ?? '';
    expect(name).toMatch(new RegExp(`^slipway-${owner}-shut-in\\.`));
    await engine.docker.getContainer(name).remove({ force: true });
    while ((await call('connect', { host: 'api.example.com', port: 443 })) !== 'connected');
    const foreign = await takeName(name);
    await untilTold(true);
    await foreign.remove({ force: true });
    await nudge();
    await untilTold(false);
    while ((await call('connect', { host: 'api.example.com', port: 443 })) !== 'connected');
  });

  /** Somebody else's container, in the place of the one of that name; unless the driver is faster, and then once more. */
  const takeName = async (name: string): Promise<Container> => {
    for (;;) {
      await engine.docker.getContainer(name).remove({ force: true });
      try {
        return await engine.docker.createContainer({ name, Image: await nodeImage(engine), Cmd: ['true'] });
      } catch (error) {
        expect(error).toMatchObject({ statusCode: 409 });
      }
    }
  };

  /** Whatever happens to something of ours on the engine makes the driver look. */
  const nudge = async (): Promise<void> => {
    const Labels = { 'slipway.managed': 'true', 'slipway.owner': rig.state.owner };
    const sign = await engine.docker.createContainer({ Image: await nodeImage(engine), Cmd: ['true'], Labels });
    await sign.remove();
  };

  const untilTold = async (wanted: boolean): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = async (): Promise<void> => {
      const [first] = await rig.driver.list(signal);
      if (/is not of this Slipway/.test(first?.lastError ?? '') === wanted) resolve();
    };
    using watch = rig.driver.watch?.(() => void look());
    void watch;
    await look();
    await promise; // Awaited here: the watch ends with this function.
  };

  test('a secret that changes is there without a restart, and masked like the one before', async () => {
    const read = () => call('read', { path: '/run/secrets/token' });
    expect(await read()).toBe('first-value');
    writeFileSync(files.at('token'), 'second-value');
    await nudge();
    while ((await read()) !== 'second-value');
    expect((await rig.driver.list(signal))[0]?.restarts).toBe(0);
    await call('stderr', { message: 'now first-value and second-value are out' });
    expect(await logged(rig.driver, instance.id, 'are out')).toContain('now *** and *** are out');
    expect(await logOf(rig.driver, instance.id)).not.toContain('-value');
  });

  test('nothing of it is left when it is removed and nobody wants it', async () => {
    await rig.driver.remove(instance.id, signal);
    await rig.driver.collect?.([], signal);
    const filters = { label: [`slipway.owner=${rig.state.owner}`] };
    expect(await engine.docker.listContainers({ all: true, filters })).toEqual([]);
    expect(await engine.docker.listNetworks({ filters })).toEqual([]);
    expect(existsSync(`/dev/shm/slipway-${rig.state.owner.slice(0, 8)}`)).toBe(false);
  });
});

/** Isolation as the driver puts it together: an MCP server that tries things, from its first call to its removal. */
import { existsSync, writeFileSync } from 'node:fs';
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

  test('a secret that changes is there without a restart, and masked like the one before', async () => {
    const read = () => call('read', { path: '/run/secrets/token' });
    expect(await read()).toBe('first-value');
    writeFileSync(files.at('token'), 'second-value');
    // Whatever happens to something of ours on the engine makes the driver look.
    const labels = { 'slipway.managed': 'true', 'slipway.owner': rig.state.owner };
    const sign = await engine.docker.createContainer({ Image: await nodeImage(engine), Cmd: ['true'], Labels: labels });
    while ((await read()) !== 'second-value');
    await sign.remove();
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

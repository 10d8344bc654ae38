/** A server that may connect to a few places: it reaches those, and tries everything else. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collectNetworks, ensureNetwork, keepNetworks } from '../../../../reconciler/drivers/docker/networks.ts';
import type { Workload } from '../../../../reconciler/workload.ts';
import { imageWorkload } from '../../../helpers/docker-driver.ts';
import { describeEngine } from '../../../helpers/engine.ts';
import { busyboxImage, nodeImage } from '../../../helpers/images.ts';
import { noOutside, outside, type Outside } from '../../../helpers/outside.ts';
import { bodyOf, boxes, type Box, type Boxes } from '../../../helpers/shut-in.ts';

const server = (name: string, allow: readonly string[], transport: 'stdio' | 'http' = 'stdio'): Workload =>
  imageWorkload('-', { name, transport, isolation: { egress: { allow } } });

const REACHED = ['allowed.test:80', 'allowed.test:443', 'Second.test:443', 'mail.test:2525'];
const NOT_REACHED = ['metadata.test:80', 'local.test:80'];

/** What a web server answers, or why there is no answer. */
const FETCH = (url: string, host?: string): string => `
  const { request } = await import('node:http');
  const call = request('${url}', { headers: ${host ? `{ host: '${host}' }` : '{}'} }, async (answer) =>
    console.log(answer.statusCode, (await answer.toArray()).join('')));
  call.on('error', (error) => console.log(error.code)).end();
  setTimeout(() => (console.log('ETIMEDOUT'), process.exit()), 9000).unref();`;

const TLS = (host: string, servername?: string): string => `
  const tls = await import('node:tls');
  const socket = tls.connect({ host: '${host}', port: 443, ${servername ? `servername: '${servername}',` : ''} ciphers: 'PSK',
    maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk: Buffer.from('00', 'hex'), identity: 'x' }) });
  socket.on('data', (data) => console.log(data.toString())).on('error', (error) => console.log(error.code));`;

const FIRST = (host: string, port: number, say = ''): string => `
  const socket = (await import('node:net')).connect({ host: '${host}', port: ${port} });
  socket.on('data', (data) => (console.log(data.toString()), process.exit())).on('error', (error) => console.log(error.code));
  socket.on('close', () => console.log('closed'));
  setTimeout(() => socket.write(${say || "''"}), 800);`;

describeEngine('an egress list', (engine) => {
  if (noOutside) return void test.skip(noOutside, () => {});
  if (engine.info.podman) return void test.skip('Podman has no links between containers', () => {});
  let world: Outside;
  let own: Boxes;
  let box: Box;
  /** A service of this host, which is on the list. */
  const service = createServer((socket) => socket.on('error', () => {}).end('host'));
  const servicePort = (): number => (service.address() as AddressInfo).port;
  const list = (): string[] => [...REACHED, ...NOT_REACHED, `host.test:${servicePort()}`];
  beforeAll(async () => {
    await once(service.listen(0, '0.0.0.0'), 'listening');
    world = await outside();
    own = boxes(engine, [world.address]);
    box = await own.start(server('listed', list()));
  });
  afterAll(async () => {
    await own[Symbol.asyncDispose]();
    world[Symbol.dispose]();
    service.close();
  });
  const proxyName = (): string => box.network.network;

  test('what is on it is reached by name: HTTP, TLS, and what waits for the other side to speak', async () => {
    expect(await box.node(FETCH('http://allowed.test/x'))).toBe('200 http 80 allowed.test /x');
    expect(await box.node(TLS('allowed.test', 'allowed.test'))).toBe('tls allowed.test');
    expect(await box.node(TLS('second.test', 'second.test'))).toBe('tls second.test');
    expect(await box.node(FIRST('mail.test', 2525))).toContain('220 outside');
  });

  test('other names do not exist, and nobody outside hears of them', async () => {
    expect(await box.connect('stolen-by-name.test', 80)).toMatch(/ENOTFOUND|EAI_AGAIN|ETIMEDOUT/);
    expect((await world.asked()).filter((name) => name.includes('stolen'))).toEqual([]);
    expect(await world.asked()).toContain('allowed.test');
  });

  test('other ports of the same host, and addresses, are refused', async () => {
    expect(await box.connect('allowed.test', 8080)).toBe('ECONNREFUSED');
    expect(await box.connect(world.address, 80)).toMatch(/ETIMEDOUT|ENETUNREACH|EHOSTUNREACH/);
  });

  test('to say one name and mean another does not help', async () => {
    expect(await box.node(TLS('allowed.test', 'evil.test'))).toMatch(/ECONNRESET|EPIPE/);
    expect(await box.node(FETCH('http://allowed.test/', 'evil.test'))).toBe('403 This server may not connect there.');
    // Two are allowed on this port: which one is meant must be said.
    expect(await box.node(TLS('allowed.test'))).toMatch(/ECONNRESET|EPIPE/);
    // Silent first, so that the connection is made, and then asking for another host.
    expect(
      await box.node(FIRST('allowed.test', 80, "'GET / HTTP/1.1\\r\\nHost: evil.test\\r\\n\\r\\n'")),
    ).not.toContain('200');
  });

  test('names that lead to the proxy itself, to this host or to a cloud’s credentials lead nowhere', async () => {
    for (const url of ['http://metadata.test/', 'http://local.test/', `http://host.test:${servicePort()}/`])
      expect(await box.node(FETCH(url)), url).toMatch(/ECONNRESET|ECONNREFUSED/);
  });

  test('an address without a name is reached through the proxy that programs are told of', async () => {
    const literal = await own.start(server('literal', [`${world.address}:8080`, 'allowed.test:80']));
    const env = await literal.run('env');
    expect(env.output).toContain('HTTPS_PROXY=http://slipway-egress:3128');
    const get = (
      url: string,
    ): string => `fetch('${url}').then(async (answer) => console.log(answer.status, await answer.text()),
      (error) => console.log(error.cause?.code ?? error.message))`;
    expect(await literal.node(get(`http://${world.address}:8080/y`))).toBe(`200 http 8080 ${world.address}:8080 /y`);
    expect(await literal.node(get(`http://${world.address}/`))).not.toContain('200');
    expect(await literal.node(get('http://allowed.test/'))).toBe('200 http 80 allowed.test /');
    expect((await box.run('env')).output).not.toContain('PROXY');
  });

  test('the proxy is shut in itself', async () => {
    const { HostConfig, Config } = await engine.docker.getContainer(proxyName()).inspect();
    expect(Config.User).toBe('65534:65534');
    expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, Memory: 64 * 2 ** 20, Privileged: false });
    expect(HostConfig.CapDrop).toEqual(['ALL']);
  });

  test('servers with a list of their own do not reach the proxies or peers of others', async () => {
    const other = await own.start(server('other', ['allowed.test:80']));
    const { NetworkSettings } = await engine.docker.getContainer(proxyName()).inspect();
    for (const { IPAddress } of Object.values(NetworkSettings.Networks))
      expect(await other.connect(IPAddress, 443)).toMatch(/ETIMEDOUT|ENETUNREACH|EHOSTUNREACH/);
  });

  test('a proxy that dies comes back within seconds, whoever ended it', async () => {
    const proxy = engine.docker.getContainer(proxyName());
    const startedAt = async (): Promise<string> => (await proxy.inspect()).State.StartedAt;
    const works = async (): Promise<void> => {
      // The server tries again, as programs do.
      for (;;) if ((await box.node(FETCH('http://allowed.test/'))).startsWith('200')) return;
    };
    const source = { image: () => nodeImage(engine), dns: [world.address] };
    const keep = () => keepNetworks(engine, own.owner, [server('listed', list())], source);
    const first = await startedAt();
    process.kill((await proxy.inspect()).State.Pid, 'SIGKILL');
    await works();
    expect(await startedAt()).not.toBe(first);
    await proxy.kill();
    expect(await keep()).toEqual([]);
    await works();
    await proxy.pause();
    expect(await keep()).toEqual([]);
    await works();
    await proxy.remove({ force: true });
    await Promise.all([keep(), keep(), keep()]);
    await works();
  });

  test('an image without a Node that can run it is an error that says so', async () => {
    const broken = server('broken', ['x.test:1']);
    const image = () => busyboxImage(engine);
    await expect(ensureNetwork(engine, own.owner, broken, { image })).rejects.toMatchObject({
      code: 'isolation-unavailable',
      message: expect.stringMatching(/egress proxy .* did not start: .*node/),
    });
    const { network } = await ensureNetwork(engine, own.owner, broken, { image: () => nodeImage(engine) });
    expect(await collectNetworks(engine, own.owner, [])).toEqual([network, network]);
  });

  test('an HTTP server with a list is reached from here', async () => {
    const program = `require('node:http').createServer((_, answer) => answer.end('hello')).listen(8080)`;
    const http = await own.start(server('web', ['allowed.test:80'], 'http'), { program });
    expect(await bodyOf(`http://${await http.address()}:8080/`)).toBe('hello');
    expect(await http.node(FETCH('http://allowed.test/'))).toContain('200');
    expect(await http.connect(await gatewayOf(http.network.network), servicePort())).toBe('ECONNREFUSED');
  });

  const gatewayOf = async (network: string): Promise<string> =>
    ((await engine.docker.getNetwork(network).inspect()) as { IPAM: { Config: { Gateway: string }[] } }).IPAM.Config[0]
      ?.Gateway ?? '';

  test('nothing is left when nobody wants it', async () => {
    const filters = { label: [`slipway.owner=${own.owner.id}`] };
    const left = async (): Promise<number[]> => [
      (await engine.docker.listContainers({ all: true, filters: { label: [...filters.label, 'slipway.role=egress'] } }))
        .length,
      (await engine.docker.listNetworks({ filters })).length,
    ];
    expect((await left())[0]).toBeGreaterThan(2);
    expect(await collectNetworks(engine, own.owner, [])).toEqual([]); // Servers are still on them.
    const instances = await engine.docker.listContainers({
      all: true,
      filters: { label: [...filters.label, 'slipway.replica'] },
    });
    await Promise.all(instances.map(({ Id }) => engine.docker.getContainer(Id).remove({ force: true })));
    await collectNetworks(engine, own.owner, []);
    expect(await left()).toEqual([0, 0]);
  });
});

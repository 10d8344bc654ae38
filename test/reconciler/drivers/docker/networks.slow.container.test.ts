/** Where a container can connect to, tried from the inside; and networks that come and go. */
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../../reconciler/drivers/docker/engine.ts';
import { bridgeName, networkOf } from '../../../../reconciler/drivers/docker/network-plan.ts';
import { collectNetworks, ensureNetwork, keepNetworks } from '../../../../reconciler/drivers/docker/networks.ts';
import { endpointOf, reachOf, weaknessesOf } from '../../../../reconciler/drivers/docker/reach.ts';
import type { Isolation, Workload } from '../../../../reconciler/workload.ts';
import { imageWorkload } from '../../../helpers/docker-driver.ts';
import { testDaemon } from '../../../helpers/dockerd.ts';
import { describeEngine } from '../../../helpers/engine.ts';
import { exclusively } from '../../../helpers/lock.ts';
import { nodeImage } from '../../../helpers/images.ts';
import { noOutside, outside, type Outside } from '../../../helpers/outside.ts';
import { bodyOf, boxes, type Box } from '../../../helpers/shut-in.ts';

const LISTENS = `require('node:http').createServer((_, answer) => answer.end('hello')).listen(8080)`;

/** Refused here; and where an address went away meanwhile, not answered. */
const UNREACHED = /^(ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)$/;

function server(name: string, project: string, isolation?: Isolation): Workload {
  return imageWorkload('-', { name, project, transport: 'http', ...(isolation ? { isolation } : {}) });
}

const noProxy = { image: () => Promise.reject(new Error('no proxy is needed here')) };

/** A service of this host, on all of its addresses. */
async function hostService(): Promise<{ port: number; addresses: string[] } & Disposable> {
  const service = createServer((socket) => socket.on('error', () => {}).end('hello')).listen(0, '0.0.0.0');
  await once(service, 'listening');
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const addresses = all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
  return { port: (service.address() as AddressInfo).port, addresses, [Symbol.dispose]: () => service.close() };
}

/** Of a container that somebody runs beside ours, for everybody. */
async function publishedPort({ docker }: Engine, owner: string): Promise<number> {
  const Labels = { 'slipway.owner': owner };
  const { id: network } = await docker.createNetwork({ Name: `published-${owner}`, Labels });
  const container = await docker.createContainer({
    Image: await nodeImage({ docker } as Engine),
    Cmd: ['node', '-e', LISTENS],
    Labels,
    ExposedPorts: { '8080/tcp': {} },
    HostConfig: { NetworkMode: network, PortBindings: { '8080/tcp': [{ HostPort: '' }] } },
  });
  await container.start();
  const { NetworkSettings } = await container.inspect();
  return Number(NetworkSettings.Ports['8080/tcp']?.[0]?.HostPort);
}

describeEngine('networks', (engine: Engine) => {
  if (noOutside) return void test.skip(noOutside, () => {});
  const own = boxes(engine);
  let world: Outside;
  beforeAll(async () => void (world = await outside()));
  afterAll(async () => {
    await own[Symbol.asyncDispose]();
    world[Symbol.dispose]();
  });

  describe('without egress', () => {
    let a: Box;
    let b: Box;
    beforeAll(async () => {
      a = await own.start(server('a', 'red'), { program: LISTENS });
      b = await own.start(server('b', 'red'), { program: LISTENS });
    });

    test('an HTTP server is reached at its own address', async () => {
      const info = await engine.docker.getContainer(a.id).inspect();
      const url = endpointOf(server('a', 'red'), info);
      expect(url).toBe(`http://${await a.address()}:8080/mcp`);
      expect(await bodyOf(url ?? '')).toBe('hello');
      expect(a.network.published).toBe(false);
      const told = engine.info.podman ? [expect.stringContaining('Podman does not keep them apart')] : [];
      expect(a.network.exposed).toEqual(told);
      expect(info.NetworkSettings.Ports).toEqual({});
    });

    test('servers of a project do not reach each other, by address or by name', async () => {
      expect(await b.connect(await a.address(), 8080)).toBe('ETIMEDOUT');
      // Link-local addresses would be another way; rules of engines are for IPv4 here.
      if (!engine.info.podman) expect((await b.run('cat', '/proc/net/if_inet6')).output).not.toContain('eth0');
      const { Name } = await engine.docker.getContainer(a.id).inspect();
      expect(await b.connect(Name.slice(1), 8080)).toMatch(/ETIMEDOUT|EAI_AGAIN/);
    });

    test('nothing outside is reached', async () => {
      expect(await a.connect(world.address, 80)).toMatch(UNREACHED);
    });

    test('no service of this host is reached, at none of its addresses', async () => {
      using service = await hostService();
      expect(service.addresses.length).toBeGreaterThan(1);
      const ends = service.addresses.map((address) => a.connect(address, service.port));
      for (const end of await Promise.all(ends)) expect(end).toMatch(UNREACHED);
    });

    // CVE-2024-29018: the engine asks the host's resolver on behalf of containers that have no way out.
    test('no name leaves the container', () =>
      // Others on this machine may run the same test.
      exclusively('resolver', async () => {
        const asked: string[] = [];
        const resolver = createSocket('udp4', (query) => asked.push(query.toString('latin1'))).bind(53, '127.0.0.1');
        await once(resolver, 'listening');
        const lookup = `
          const dns = new (await import('node:dns')).promises.Resolver({ timeout: 1000, tries: 1 });
          dns.resolve4('stolen.example').then(console.log, (error) => console.log(error.code));`;
        expect(await a.node(lookup)).toMatch(/ETIMEOUT|ECONNREFUSED|ESERVFAIL|ENOTFOUND/);
        await new Promise<void>((resolve) => resolver.close(resolve));
        expect(asked).toEqual([]);
      }));
  });

  describe('with egress: all', () => {
    let box: Box;
    beforeAll(async () => void (box = await own.start(server('c', 'red', { egress: 'all' }), { program: LISTENS })));

    test('what is outside is reached, and the server from here', async () => {
      expect(await box.connect(world.address, 80)).toBe('connected');
      expect(await bodyOf(`http://${await box.address()}:8080/`)).toBe('hello');
    });

    test('no service of this host is reached, published ports of other containers included', async () => {
      using service = await hostService();
      const ends = service.addresses.map((address) => box.connect(address, service.port));
      for (const end of await Promise.all(ends)) expect(end).toMatch(UNREACHED);
      const port = await publishedPort(engine, own.owner.id);
      const published = service.addresses.map((address) => box.connect(address, port));
      expect(await Promise.all(published)).not.toContain('connected');
      expect(await bodyOf(`http://127.0.0.1:${port}/`)).toBe('hello');
    });

    test('where clouds hand out credentials is out of reach', async () => {
      const rules = execFileSync('iptables', ['-t', 'mangle', '-S', 'FORWARD'], { encoding: 'utf8' });
      expect(rules).toContain('-A FORWARD -d 169.254.0.0/16 -i slw-+ -j DROP');
      expect(rules).toContain('-A FORWARD -d 100.100.100.200/32 -i slw-+ -j DROP');
      // As if it were outside: whatever the host would do with it, this container gets no answer.
      execFileSync('ip', ['route', 'add', '169.254.169.254/32', 'via', world.address]);
      try {
        expect(await box.connect('169.254.169.254', 80)).toBe('ETIMEDOUT');
      } finally {
        execFileSync('ip', ['route', 'delete', '169.254.169.254/32', 'via', world.address]);
      }
    });

    test.skipIf(engine.info.podman)('servers of a project do not reach each other', async () => {
      const other = await own.start(server('d', 'red', { egress: 'all' }), { program: LISTENS });
      expect(await other.connect(await box.address(), 8080)).toBe('ETIMEDOUT');
    });
  });

  test('the rules are set once, however often they are asked for', async () => {
    await Promise.all([1, 2, 3].map(() => ensureNetwork(engine, own.owner, server('a', 'red'), noProxy)));
    const count = (): number =>
      execFileSync('iptables', ['-S', 'INPUT'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes('slw-+')).length;
    const before = count();
    await ensureNetwork(engine, own.owner, server('a', 'red'), noProxy);
    await keepNetworks(engine, own.owner, [server('a', 'red')], noProxy);
    expect(count()).toBe(before);
  });

  test('networks are made by many at once, and removed when nobody wants them', async () => {
    const wanted = server('e', 'green');
    const made = await Promise.all([1, 2, 3, 4].map(() => ensureNetwork(engine, own.owner, wanted, noProxy)));
    const name = made[0]?.network ?? '';
    const there = async (): Promise<number> =>
      (await engine.docker.listNetworks({ filters: { name: [`^${name}$`] } })).length;
    expect(new Set(made.map(({ network }) => network)).size).toBe(1);
    expect(await there()).toBe(1);
    expect(await collectNetworks(engine, own.owner, [wanted])).not.toContain(name);
    expect(await there()).toBe(1);
    expect(await collectNetworks(engine, own.owner, [])).toContain(name);
    expect(await there()).toBe(0);
  });

  test('a network that somebody is on stays', async () => {
    const box = await own.start(server('f', 'blue'));
    expect(await collectNetworks(engine, own.owner, [])).not.toContain(box.network.network);
    await engine.docker.getContainer(box.id).remove({ force: true });
    expect(await collectNetworks(engine, own.owner, [])).toContain(box.network.network);
  });

  test('a network of the same name that is not ours is refused', async () => {
    const wanted = server('g', 'black');
    const spec = networkOf(own.owner, wanted);
    if (typeof spec === 'string') throw new Error(spec);
    const foreign = await engine.docker.createNetwork({
      Name: spec.name,
      Labels: { 'slipway.owner': 'another' },
      Internal: true,
    });
    try {
      await expect(ensureNetwork(engine, own.owner, wanted, noProxy)).rejects.toMatchObject({
        code: 'isolation-unavailable',
        message: `The network ${spec.name} exists and is not of this Slipway.`,
      });
    } finally {
      await foreign.remove();
    }
    const bridge = `slt-${randomInt(1e9)}`;
    const options = [{ 'com.docker.network.bridge.enable_icc': 'true' }, { 'com.docker.network.bridge.name': bridge }];
    // Podman does not tell the options of a network.
    for (const Options of [{}, ...(engine.info.podman ? [] : options)]) {
      const Labels = { 'slipway.owner': own.owner.id };
      const Internal = Object.keys(Options).length > 0;
      const open = await engine.docker.createNetwork({ Name: spec.name, Labels, Internal, Options });
      try {
        await expect(ensureNetwork(engine, own.owner, wanted, noProxy)).rejects.toThrow('was changed by hand');
      } finally {
        await open.remove();
      }
    }
  });

  test('an engine without addresses for one more network says so', async () => {
    const one = `base=10.214.${randomInt(256)}.0/24,size=24`;
    await using daemon = await testDaemon({ args: ['--default-address-pool', one] });
    using small = await daemon.engine();
    const first = await ensureNetwork(small, own.owner, server('i', 'first'), noProxy);
    await expect(ensureNetwork(small, own.owner, server('i', 'second'), noProxy)).rejects.toMatchObject({
      code: 'isolation-unavailable',
      message: expect.stringContaining('no addresses left'),
      hint: expect.stringContaining('default-address-pools'),
    });
    expect(await collectNetworks(small, own.owner, [])).toEqual([first.network]);
  });

  test('where this host cannot route to containers, HTTP needs a port that is published', async () => {
    const desktop = { ...engine, info: { ...engine.info, reach: 'loopback' as const } };
    await expect(ensureNetwork(desktop, own.owner, server('j', 'red'), noProxy)).rejects.toMatchObject({
      code: 'isolation-unavailable',
    });
    const attachment = await ensureNetwork(desktop, own.owner, server('j', 'red', { egress: 'all' }), noProxy);
    expect(attachment).toMatchObject({
      published: true,
      exposed: expect.arrayContaining([expect.stringContaining('services of its host')]),
    });
    await using there = boxes(desktop);
    const open = server('j', 'red', { egress: 'all' });
    const box = await there.start(open, { program: LISTENS });
    const info = await engine.docker.getContainer(box.id).inspect();
    const url = endpointOf(open, info) ?? '';
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
    expect(await bodyOf(url)).toBe('hello');
    expect(info.NetworkSettings.Ports['8080/tcp']).toMatchObject([{ HostIp: '127.0.0.1' }]);
    const elsewhere = { ...engine, info: { ...engine.info, reach: 'none' as const } };
    await expect(ensureNetwork(elsewhere, own.owner, server('j', 'red'), noProxy)).rejects.toThrow('on another host');
  });

  test('what Podman cannot do is refused', async () => {
    const podman = { ...engine, info: { ...engine.info, podman: true } };
    const listed = server('k', 'red', { egress: { allow: ['a.test:443'] } });
    await expect(ensureNetwork(podman, own.owner, listed, noProxy)).rejects.toMatchObject({
      code: 'isolation-unavailable',
    });
    const { exposed } = await ensureNetwork(podman, own.owner, server('k', 'red'), noProxy);
    expect(exposed).toEqual([expect.stringContaining('Podman does not keep them apart')]);
  });
});

describe('how this host reaches containers', () => {
  test.each([
    ['unix:///var/run/docker.sock', {}, 'linux', 'address'],
    ['unix:///var/run/docker.sock', {}, 'darwin', 'loopback'],
    [
      'unix:///run/user/1000/docker.sock',
      { SecurityOptions: ['name=seccomp,profile=default', 'name=rootless'] },
      'linux',
      'loopback',
    ],
    ['unix:///var/run/docker.sock', { OperatingSystem: 'Docker Desktop' }, 'linux', 'loopback'],
    ['tcp://127.0.0.1:2375', {}, 'linux', 'loopback'],
    ['tcp://build.example.com:2376', {}, 'linux', 'none'],
    ['ssh://me@build.example.com', {}, 'linux', 'none'],
  ] as const)('%s %j on %s: %s', (host, info, platform, reach) => {
    expect(reachOf(host, info, platform)).toBe(reach);
  });
});

test('what an engine cannot do for any container is told', () => {
  const SecurityOptions = ['name=seccomp,profile=default'];
  expect(weaknessesOf({ SecurityOptions, MemoryLimit: true, CpuCfsQuota: true, PidsLimit: true })).toEqual([]);
  const none = weaknessesOf({ SecurityOptions: null, MemoryLimit: false, CpuCfsQuota: false, PidsLimit: false });
  expect(none.map((text) => text.split(' is ')[0]?.split(' are ')[0])).toEqual([
    'its memory',
    'its processor time',
    'its processes',
    'its system calls',
  ]);
});

test('names of bridges fit and have a common beginning', () => {
  const names = ['slipway-0123abcd-team', 'slipway-0123abcd-team.open', `slipway-0123abcd-${'x'.repeat(63)}`].map(
    bridgeName,
  );
  for (const name of names) expect(name).toMatch(/^slw-[0-9a-f]{11}$/);
  expect(new Set(names).size).toBe(3);
});

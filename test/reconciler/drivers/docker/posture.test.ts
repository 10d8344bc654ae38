/** What a workload's isolation turns into: the defaults as a whole, then each loosening alone. */
import { describe, expect, test } from 'vitest';
import { containerOptions, exposures, type ContainerRequest } from '../../../../reconciler/drivers/docker/posture.ts';
import type { Attachment } from '../../../../reconciler/drivers/docker/networks.ts';
import type { Isolation, RunSpec } from '../../../../reconciler/workload.ts';
import { imageWorkload } from '../../../helpers/docker-driver.ts';

const NO_NETWORK: Attachment = { network: 'none', sealedNames: true, published: false, exposed: [] };

function options(
  run: Pick<Partial<RunSpec>, 'isolation' | 'resources' | 'http' | 'transport'> = {},
  more: Partial<ContainerRequest> = {},
) {
  const workload = imageWorkload('acme/tool', run);
  return containerOptions({ id: 'x', workload, labels: {}, image: 'acme/tool', env: {}, network: NO_NETWORK, ...more });
}

test('silence is as tight as an engine can make it', () => {
  expect(options({}, { labels: { 'slipway.managed': 'true' }, env: { KEY: 'value' } })).toEqual({
    name: 'x',
    Image: 'acme/tool',
    Labels: { 'slipway.managed': 'true' },
    Env: ['HOME=/tmp', 'KEY=value'],
    User: '65534:65534',
    OpenStdin: true,
    StdinOnce: false,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    HostConfig: {
      Privileged: false,
      CapDrop: ['ALL'],
      CapAdd: [],
      SecurityOpt: ['no-new-privileges'],
      IpcMode: 'private',
      Init: true,
      Memory: 536_870_912,
      MemorySwap: 536_870_912,
      NanoCpus: 500_000_000,
      PidsLimit: 128,
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: 16_384, Hard: 16_384 },
      ],
      ShmSize: 16_777_216,
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=67108864,mode=1777,uid=65534,gid=65534' },
      Mounts: [],
      NetworkMode: 'none',
      Dns: ['127.0.0.1'],
      DnsSearch: ['.'],
      DnsOptions: ['timeout:1', 'attempts:1'],
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '16m', 'max-file': '2' } },
    },
  });
  expect(exposures(imageWorkload('acme/tool'))).toEqual([]);
});

const MOUNT = { host: '/srv/data', path: '/data', readOnly: true };
const BIND = {
  Type: 'bind',
  Source: '/srv/data',
  Target: '/data',
  ReadOnly: true,
  BindOptions: { Propagation: 'rprivate' },
};

describe('each loosening changes one thing and is told', () => {
  const cases: [Isolation, object, string | undefined][] = [
    [{ privileged: true }, { HostConfig: { Privileged: true } }, 'all rights on the host'],
    [{ hostPid: true }, { HostConfig: { PidMode: 'host', Init: false } }, 'host’s processes'],
    [{ capabilities: ['NET_RAW'] }, { HostConfig: { CapAdd: ['NET_RAW'], CapDrop: ['ALL'] } }, 'NET_RAW'],
    [{ devices: ['/dev/fuse'] }, { HostConfig: { Devices: [{ PathOnHost: '/dev/fuse' }] } }, '/dev/fuse'],
    [{ mounts: [MOUNT] }, { HostConfig: { Mounts: [BIND] } }, 'can read /srv/data'],
    [
      { mounts: [{ ...MOUNT, readOnly: false }] },
      { HostConfig: { Mounts: [{ ReadOnly: false }] } },
      'can change /srv/data',
    ],
    [{ user: '1000' }, { User: '1000:1000' }, undefined],
    [{ user: '1000:100' }, { User: '1000:100' }, undefined],
    [{ user: '0' }, { User: '0:0' }, 'as root'],
    [{ readOnlyRoot: false }, { HostConfig: { ReadonlyRootfs: false } }, 'change its root file system'],
    [
      { writable: ['/data'] },
      { HostConfig: { Tmpfs: { '/data': expect.stringContaining('noexec') } } },
      'write to /data',
    ],
    [{ tmpBytes: 1024 }, { HostConfig: { Tmpfs: { '/tmp': expect.stringContaining('size=1024,') } } }, undefined],
    [{ pids: 9 }, { HostConfig: { PidsLimit: 9 } }, undefined],
    [{ egress: 'all' }, {}, 'everything but this host'],
    [{ egress: { allow: ['a.example:443'] } }, {}, 'a.example:443'],
    [{ hostNetwork: true }, {}, 'host’s own network'],
  ];
  for (const [isolation, expected, told] of cases)
    test(JSON.stringify(isolation), () => {
      expect(options({ isolation })).toMatchObject(expected);
      const said = exposures(imageWorkload('acme/tool', { isolation }));
      expect(said).toEqual(told === undefined ? [] : [expect.stringContaining(told)]);
    });

  test('the image’s own user has its own home', () => {
    const made = options({ isolation: { user: 'image' } });
    expect(made).not.toHaveProperty('User');
    expect(made.Env).toEqual([]);
  });
});

test('limits are what was written', () => {
  const { HostConfig } = options({ resources: { memoryBytes: 2 ** 30, cpu: 1.5 } });
  expect(HostConfig).toMatchObject({ Memory: 2 ** 30, MemorySwap: 2 ** 30, NanoCpus: 1.5e9 });
});

test('an HTTP server is told its port, has no stdin, and is published only where there is no other way to it', () => {
  const made = options({ transport: 'http' }, { network: { ...NO_NETWORK, network: 'n', sealedNames: false } });
  expect(made).toMatchObject({ AttachStdin: false, Env: ['HOME=/tmp', 'PORT=8080', 'HOST=0.0.0.0'] });
  expect(made).not.toHaveProperty('OpenStdin');
  expect(made.HostConfig).not.toHaveProperty('PortBindings');
  expect(made.HostConfig).not.toHaveProperty('Dns');
  const published = options(
    { transport: 'http', http: { port: 90, path: '/mcp' } },
    { network: { ...NO_NETWORK, published: true } },
  );
  expect(published.HostConfig?.PortBindings).toEqual({ '90/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] });
});

test('what the config says of the environment wins', () => {
  const network = { ...NO_NETWORK, env: { http_proxy: 'http://slipway-egress:3128' } };
  expect(options({}, { env: { HOME: '/data' }, network }).Env).toEqual([
    'HOME=/data',
    'http_proxy=http://slipway-egress:3128',
  ]);
});

test('secrets are a read-only mount', () => {
  const { HostConfig } = options({}, { secretsDir: '/dev/shm/x' });
  expect(HostConfig?.Mounts).toMatchObject([{ Source: '/dev/shm/x', Target: '/run/secrets', ReadOnly: true }]);
});

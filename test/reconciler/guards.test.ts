/** What a server has of its host is blocked unless a Policy allows it. */
import { expect, test } from 'vitest';
import { compile, NOTHING } from '../../reconciler/compile.ts';
import { featuresOf } from '../../reconciler/features.ts';
import { plan } from '../../reconciler/plan.ts';
import type { Isolation } from '../../reconciler/workload.ts';
import { FEATURES, type Feature } from '../../schemas/kinds/policy.ts';
import { exitCodeOf, planSchema, type Plan } from '../../schemas/plan.ts';
import { desired, memoryServer, resource } from '../helpers/config.ts';
import { Rig } from '../helpers/rig.ts';
import { workload } from '../helpers/workload.ts';

const mount = (host: string) => ({ host, path: '/data', readOnly: true });

const ASKS: Record<Feature, Isolation> = {
  privileged: { privileged: true },
  hostNetwork: { hostNetwork: true },
  hostPid: { hostPid: true },
  engineSocket: { mounts: [mount('/run/docker.sock')] },
  devices: { devices: ['/dev/dri'] },
  capabilities: { capabilities: ['NET_ADMIN'] },
  mounts: { mounts: [mount('/srv/data')] },
};

const server = (isolation: Isolation, name = 'browser'): string => memoryServer(name, 'v1', { isolation });
const policy = (servers: string[], features: string[]): string =>
  resource('Policy', 'p', { allow: [{ servers, features }] });

function planOf(files: Record<string, string>): Plan {
  const result = plan(compile(desired(files)), { applied: NOTHING, instances: [], failures: {} });
  expect(planSchema.safeParse(result).error).toBeUndefined();
  return result;
}

test.each(FEATURES)('%s is blocked, and allowed by a Policy that names the server and the feature', (feature) => {
  const files = { 'servers/a.yaml': server(ASKS[feature]) };
  const blocked = planOf(files);
  expect(exitCodeOf(blocked)).toBe(3);
  expect(blocked.guards).toHaveLength(1);
  expect(blocked.guards[0]).toMatchObject({
    code: 'unsafe-feature',
    message: expect.stringMatching(
      /^servers\/a\.yaml:1 Server\/browser asks for .+ \(spec\.isolation\..+\)\.$/,
    ) as string,
    allow: expect.stringContaining(`allow: [{ servers: [browser], features: [${feature}] }]`) as string,
    address: 'Server/browser',
    source: { file: 'servers/a.yaml', line: 1 },
  });
  const guards = (servers: string[], features: string[]): number =>
    planOf({ ...files, 'p.yaml': policy(servers, features) }).guards.length;
  expect(guards(['browser'], [feature])).toBe(0);
  expect(guards(['other', 'bro*r'], [feature])).toBe(0);
  expect(guards(['brows?r'], [feature])).toBe(0);
  for (const near of ['browse', 'rowser', 'browser-2', 'b?r', '?browser']) expect(guards([near], [feature])).toBe(1);
  const others = FEATURES.filter((other) => other !== feature);
  expect(guards(['*'], others)).toBe(1);
});

test('a server that asks for nothing, or for less than it is given, needs no Policy', () => {
  const tight: Isolation = {
    sandbox: 'strict',
    egress: 'all',
    readOnlyRoot: false,
    user: '0',
    pids: 8,
    privileged: false,
  };
  expect(planOf({ 'a.yaml': server(tight) }).guards).toEqual([]);
});

test('every server and every field has a guard of its own', () => {
  const { guards } = planOf({
    'a.yaml': server({ devices: ['/dev/a', '/dev/b'], hostPid: true }),
    'b.yaml': server({ capabilities: ['SYS_ADMIN'] }, 'db'),
    'p.yaml': policy(['db'], ['devices']),
  });
  expect(guards.map(({ address, path }) => `${address} ${path}`)).toEqual([
    'Server/browser spec.isolation.hostPid',
    'Server/browser spec.isolation.devices[0]',
    'Server/browser spec.isolation.devices[1]',
    'Server/db spec.isolation.capabilities[0]',
  ]);
});

test.each([
  '/',
  '//',
  '/run',
  '/run/',
  '/var',
  '/var/run',
  '/var//run/',
  '/run/podman',
  '/run/user',
  '/run/user/1000',
  '/run/user/1000/podman/podman.sock',
  '/var/run/docker.sock',
  '/home/ada/.docker/run/docker.sock',
  '/run/containerd',
])('a mount of %s is a mount of the engine', (host) => {
  expect(featuresOf(workload({ argv: ['x'], run: { isolation: { mounts: [mount(host)] } } }))).toMatchObject([
    { feature: 'engineSocket', path: 'spec.isolation.mounts[0]' },
  ]);
});

test.each(['/srv', '/runner', '/run/user/1000/bus', '/var/lib', '/home', '/run/dockerd'])(
  'a mount of %s is a mount',
  (host) => {
    expect(featuresOf(workload({ argv: ['x'], run: { isolation: { mounts: [mount(host)] } } }))).toMatchObject([
      { feature: 'mounts' },
    ]);
  },
);

test('the socket of the engine that a server is placed on counts, wherever it is', () => {
  const engine = { name: 'e', host: 'unix:///srv/engine/e.sock', runners: {} };
  const feature = (host: string): string | undefined =>
    featuresOf(workload({ argv: ['x'], engine, run: { isolation: { mounts: [mount(host)] } } }))[0]?.feature;
  for (const host of ['/srv', '/srv/engine', '/srv/engine/e.sock']) expect(feature(host)).toBe('engineSocket');
  expect(feature('/srv/other')).toBe('mounts');
});

test('a commit that takes a Policy away is blocked, and what runs keeps running', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server({ privileged: true }), 'p.yaml': policy(['*'], ['privileged']) });
  expect(await rig.condition('browser')).toBe('True=Succeeded');
  await expect(rig.apply({ 'p.yaml': policy(['*'], ['devices']) })).rejects.toMatchObject({ code: 'blocked' });
  expect(await rig.overall('Stalled')).toBe('True=Blocked');
  expect(await rig.call('browser', 'echo', { message: 'hi' })).toContain('hi');
});

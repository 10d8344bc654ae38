/** The plan, case by case. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compile, NOTHING, type Desired } from '../../reconciler/compile.ts';
import type { Instance } from '../../reconciler/drivers/driver.ts';
import { plan, type Actual } from '../../reconciler/plan.ts';
import { asIfRunning } from '../../reconciler/preview.ts';
import { exitCodeOf, hasChanges, planSchema, type Plan } from '../../schemas/plan.ts';
import { desired, memoryServer, resource } from '../helpers/config.ts';

const FRESH: Actual = { applied: NOTHING, instances: [], failures: {} };
const V1 = desired({ 'a.yaml': memoryServer('a', 'v1') });

function planOf(wanted: Desired, actual: Actual): Plan {
  const result = plan(compile(wanted), actual);
  expect(planSchema.safeParse(result).error).toBeUndefined();
  return result;
}

/** The first change, in short. */
function verdict(wanted: Desired, actual: Actual): string {
  const [change] = planOf(wanted, actual).changes;
  return `${change?.action} (${change?.downtime}): ${change?.reason}`;
}

const running = (wanted: Desired, change: (instances: readonly Instance[]) => readonly Instance[]): Actual => {
  const actual = asIfRunning(wanted);
  return { ...actual, instances: change(actual.instances) };
};

test.for<[string, string, Desired, Actual]>([
  ['a new server', 'create (none): it is new in the config', V1, FRESH],
  ['nothing to do', 'noop (none): nothing changed', V1, asIfRunning(V1)],
  [
    'another version',
    'replace (swap): its spec hash changed',
    desired({ 'a.yaml': memoryServer('a', 'v2') }),
    asIfRunning(V1),
  ],
  [
    'another version that cannot stand beside the old one',
    'replace (restart): its spec hash changed',
    desired({ 'a.yaml': memoryServer('a', 'v2', { rollout: { strategy: 'recreate' } }) }),
    asIfRunning(V1),
  ],
  [
    'another version that has no room beside the old one',
    'replace (restart): its spec hash changed',
    desired({ 'a.yaml': memoryServer('a', 'v2', { rollout: { maxSurge: 0, maxUnavailable: 1 } }) }),
    asIfRunning(V1),
  ],
  [
    'another version, one of which may be missing, of three',
    'replace (swap): its spec hash changed',
    desired({ 'a.yaml': memoryServer('a', 'v2', { replicas: 3, rollout: { maxSurge: 0, maxUnavailable: 1 } }) }),
    asIfRunning(desired({ 'a.yaml': memoryServer('a', 'v1', { replicas: 3 }) })),
  ],
  [
    'a server elsewhere that is gone',
    'delete (stop): it is no longer in the config',
    desired({ 'g.yaml': resource('Gateway', 'g', {}) }),
    asIfRunning(desired({ 'a.yaml': resource('Server', 'a', { url: 'https://example.com/mcp' }) })),
  ],
  [
    'a server elsewhere that is switched off',
    'update (stop): its fields changed',
    desired({ 'a.yaml': resource('Server', 'a', { url: 'https://example.com/mcp', enabled: false }) }),
    asIfRunning(desired({ 'a.yaml': resource('Server', 'a', { url: 'https://example.com/mcp' }) })),
  ],
  [
    'another runtime',
    'replace (swap): its spec hash changed',
    desired({ 'a.yaml': memoryServer('a', 'v1', { runtime: 'process' }) }),
    asIfRunning(V1),
  ],
  [
    'a description',
    'update (reload): its fields changed',
    desired({ 'a.yaml': memoryServer('a', 'v1', { description: 'new' }) }),
    asIfRunning(V1),
  ],
  [
    'more replicas',
    'update (reload): its fields changed',
    desired({ 'a.yaml': memoryServer('a', 'v1', { replicas: 3 }) }),
    asIfRunning(V1),
  ],
  [
    'switched off',
    'update (stop): it no longer runs here',
    desired({ 'a.yaml': memoryServer('a', 'v1', { enabled: false }) }),
    asIfRunning(V1),
  ],
  [
    'moved elsewhere',
    'update (swap): it now runs elsewhere',
    desired({ 'a.yaml': resource('Server', 'a', { url: 'https://example.com/mcp' }) }),
    asIfRunning(V1),
  ],
  [
    'an instance that was changed by hand',
    'replace (restart): it was changed by hand',
    V1,
    running(V1, (all) => all.map((entry) => ({ ...entry, drift: ['its image is another'] }))),
  ],
  ['an instance is missing', 'update (none): its instances differ from replicas', V1, running(V1, () => [])],
  [
    'one that is too many',
    'update (none): its instances differ from replicas',
    V1,
    running(V1, (all) => [...all, ...all.map((entry) => ({ ...entry, id: `${entry.id}9`, index: 9 }))]),
  ],
  [
    'a server that is gone from the config',
    'delete (stop): it is no longer in the config',
    desired({ 'g.yaml': resource('Gateway', 'g', {}) }),
    asIfRunning(desired({ 'a.yaml': memoryServer('a'), 'g.yaml': resource('Gateway', 'g', {}) })),
  ],
])('%s: %s', ([, expected, wanted, actual]) => {
  const changes = planOf(wanted, actual).changes.filter((change) => change.address.startsWith('Server/'));
  expect(changes.map((change) => `${change.action} (${change.downtime}): ${change.reason}`)).toEqual([expected]);
  expect(verdict(V1, asIfRunning(V1))).toContain('noop');
});

test('a leftover that nothing asks for is deleted', () => {
  const { instances } = asIfRunning(desired({ 'b.yaml': memoryServer('b') }));
  const result = planOf(V1, { ...asIfRunning(V1), instances: [...asIfRunning(V1).instances, ...instances] });
  expect(result.changes.find((change) => change.address === 'Server/b')).toMatchObject({
    action: 'delete',
    reason: 'nothing in the config asks for it',
    downtime: 'stop',
  });
});

test('what changed without a commit is drift, what a commit changed is not', () => {
  const two = desired({ 'a.yaml': memoryServer('a', 'v1', { replicas: 2 }) });
  const lost = running(two, (all) => all.slice(1));
  expect(planOf(two, lost).drift).toMatchObject([{ address: 'Server/a', reason: 'it is not there' }]);
  expect(planOf(desired({ 'a.yaml': memoryServer('a', 'v1', { replicas: 3 }) }), lost).drift).toEqual([]);
  expect(planOf(two, asIfRunning(two)).drift).toEqual([]);
});

test.each<[policy: string, actions: string[], drift: string[], exit: number]>([
  ['enforce', ['replace (none)'], ['2: it is not there', '9: it is one too many', '0: its image is another'], 2],
  ['detect', ['noop (none)'], ['2: it is not there', '9: it is one too many', '0: its image is another'], 2],
  ['off', ['noop (none)'], [], 0],
])('drift: %s', (drift, actions, told, exit) => {
  const wanted = desired({ 'a.yaml': memoryServer('a', 'v1', { replicas: 3, drift }) });
  const actual = running(wanted, ([zero, one]) =>
    zero && one ? [{ ...zero, drift: ['its image is another'] }, one, { ...one, id: `${one.id}9`, index: 9 }] : [],
  );
  const result = planOf(wanted, actual);
  expect(result.changes.map((change) => `${change.action} (${change.downtime})`)).toEqual(actions);
  expect(result.drift.map(({ instance, reason }) => `${instance.at(-1)}: ${reason}`)).toEqual(told);
  expect(exitCodeOf(result)).toBe(exit);
});

test('a version that failed before is shown with what blocks it; another one is not blocked', () => {
  const bad = desired({ 'a.yaml': memoryServer('a', 'bad') });
  const hash = compile(bad).workloads[0]?.hash ?? '';
  const failures: Actual['failures'] = {
    'Server/a': { hash, code: 'not-ready', message: 'it crashed', at: '2026-01-01T00:00:00Z' },
  };
  const [blocked] = planOf(bad, { ...asIfRunning(V1), failures }).changes;
  expect(blocked?.blockedBy).toEqual(['an earlier rollout of this version failed: it crashed']);
  expect(
    planOf(desired({ 'a.yaml': memoryServer('a', 'v3') }), { ...asIfRunning(V1), failures }).changes[0]?.blockedBy,
  ).toEqual([]);
});

test('an empty commit is blocked where it would delete something, and only there', () => {
  const empty = desired({}, 'c2');
  expect(planOf(empty, asIfRunning(V1)).guards).toMatchObject([{ code: 'empty-load' }]);
  expect(planOf(empty, { ...FRESH, instances: asIfRunning(V1).instances }).guards).toHaveLength(1);
  expect(planOf(empty, FRESH).guards).toEqual([]);
  expect(exitCodeOf(planOf(empty, asIfRunning(V1)))).toBe(3);
});

test('listening beyond loopback is blocked until there is a token', () => {
  const gateway = (listen: string): string => resource('Gateway', 'gateway', { listen });
  const token = resource('Token', 'ci', { sha256: 'a'.repeat(64) });
  const guards = (files: Record<string, string>): string[] =>
    planOf(desired(files), FRESH).guards.map((guard) => guard.code);
  expect(guards({ 'g.yaml': gateway('0.0.0.0:9877') })).toEqual(['unsafe-listen']);
  expect(guards({ 'g.yaml': gateway('0.0.0.0:9877'), 't.yaml': token })).toEqual([]);
  for (const safe of ['127.0.0.1:9877', '[::1]:9877', 'localhost:0'])
    expect(guards({ 'g.yaml': gateway(safe) })).toEqual([]);
});

test('the exit code says whether there is something to do', () => {
  expect(exitCodeOf(planOf(V1, asIfRunning(V1)))).toBe(0);
  expect(exitCodeOf(planOf(V1, FRESH))).toBe(2);
  expect(planOf(V1, FRESH).summary).toEqual({ create: 1, update: 0, replace: 0, delete: 0, noop: 0 });
});

test('the digest names what will be done: the same work, the same digest', () => {
  const digest = (wanted: Desired, actual: Actual): string => planOf(wanted, actual).planDigest;
  const other = desired({ 'a.yaml': memoryServer('a', 'v2') }, 'c2');
  expect(digest(V1, FRESH)).toBe(digest(V1, FRESH));
  expect(digest(V1, FRESH)).not.toBe(digest(other, FRESH));
  expect(digest(other, FRESH)).not.toBe(digest(other, asIfRunning(V1)));
});

test('the order of files and documents changes nothing', () => {
  const files = {
    'a.yaml': memoryServer('a', 'v1', { dependsOn: ['b'] }),
    'b.yaml': memoryServer('b', 'v1', { env: [{ name: 'K', valueFrom: { secretRef: { name: 's', key: 'k' } } }] }),
    'c.yaml': resource('Server', 'c', { url: 'https://example.com/mcp' }),
    'p.yaml': resource('Project', 'p', { servers: ['c', 'a'] }),
    'q.yaml': resource('Project', 'q', { servers: ['b'] }),
    's.yaml': resource('Secret', 's', { data: { k: { env: 'K' } } }),
    't.yaml': resource('Token', 't', { sha256: 'a'.repeat(64), projects: ['p', 'q'] }),
    'u.yaml': resource('Token', 'u', { sha256: 'b'.repeat(64) }),
    'g.yaml': resource('Gateway', 'g', {}),
  };
  const wanted = desired(files);
  const expected = compile(wanted);
  const order = fc.shuffledSubarray([...wanted.resources], { minLength: wanted.resources.length });
  fc.assert(
    fc.property(order, (resources) => {
      const compiled = compile({ ...wanted, resources });
      expect(compiled).toEqual(expected);
      expect(JSON.stringify(compiled)).toBe(JSON.stringify(expected));
      expect(plan(compiled, FRESH)).toEqual(plan(expected, FRESH));
      expect(hasChanges(plan(compiled, asIfRunning(wanted)))).toBe(false);
    }),
  );
});

test('loosened rollouts, canaries and probes are fields like any other', () => {
  const wanted = desired({
    'a.yaml': memoryServer('a', 'v1', {
      rollout: { maxSurge: '50%', monitor: '0s', canary: { steps: [{ weight: 10, pause: '1m' }], maxErrorRate: 0.5 } },
      probes: { liveness: { ping: {}, interval: '5s' } },
    }),
  });
  const [change] = planOf(wanted, asIfRunning(V1)).changes;
  expect(change).toMatchObject({ action: 'update', downtime: 'reload' });
  const fields = Object.fromEntries(change?.fields.map(({ path, before, after }) => [path, [before, after]]) ?? []);
  expect(fields).toMatchObject({
    'spec.rollout.maxSurge': [undefined, '50%'],
    'spec.rollout.monitor': ['10s', '0s'],
    'spec.rollout.canary.steps.0.weight': [undefined, 10],
    'spec.rollout.canary.maxErrorRate': [undefined, 0.5],
    'spec.probes.liveness.interval': [undefined, '5s'],
  });
  expect(hasChanges(planOf(wanted, asIfRunning(wanted)))).toBe(false);
});

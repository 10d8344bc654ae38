/** What a bad commit may do: nothing to what was good before. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { git, TestRepo } from '../helpers/repo.ts';
import { memoryServer, resource, server } from '../helpers/config.ts';
import { isAlive } from '../helpers/processes.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';

const never = (): AbortSignal => new AbortController().signal;
const fast = { rollout: { timeout: '300ms' } };

const BAD: Record<string, { config: string; code: string }> = {
  'crashes at start': { config: server('tiny', 'crash-at-start'), code: 'not-ready' },
  'never answers': { config: server('tiny', 'silent', [], fast), code: 'not-ready' },
  'refuses the handshake': { config: server('tiny', 'refuses'), code: 'not-ready' },
  'fails its probe': {
    config: server('tiny', 'broken-tool', [], { probes: { readiness: { call: { tool: 'check' }, failures: 1 } } }),
    code: 'not-ready',
  },
  'has no such tool to probe': {
    config: server('tiny', 'good', ['v9'], { probes: { readiness: { call: { tool: 'x' }, failures: 1 } } }),
    code: 'not-ready',
  },
  'cannot be found': {
    config: resource('Server', 'tiny', { command: ['/nonexistent/program'] }),
    code: 'start-failed',
  },
  'is no program': { config: resource('Server', 'tiny', { command: ['/etc/passwd'] }), code: 'start-failed' },
  'crashes at start, over HTTP': {
    config: server('tiny', 'crash-at-start', [], { transport: 'http' }),
    code: 'start-failed',
  },
  'never listens': { config: server('tiny', 'silent', [], { transport: 'http', ...fast }), code: 'not-ready' },
  'wants a driver that is not there': {
    config: resource('Server', 'tiny', { command: ['x'], runtime: 'moon' }),
    code: 'no-driver',
  },
};

test.for(Object.keys(BAD))('a version that %s leaves the old one serving', async (name) => {
  const { config = '', code } = BAD[name] ?? {};
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']), 'b.yaml': server('other', 'good') });
  const pid = await rig.call('tiny', 'pid');
  await rig.apply({ 'a.yaml': config });
  expect(await rig.call('tiny', 'version')).toBe('v1');
  expect(await rig.call('tiny', 'pid')).toBe(pid);
  expect(await rig.call('other', 'echo', { message: 'hi' })).toBe('hi');
  expect(await rig.condition('tiny')).toBe('False=RolledBack');
  expect(await rig.condition('other')).toBe('True=Succeeded');
  expect(await rig.overall()).toBe('False=RolloutFailed');
  expect(rig.reconciler.world.applied.failures['Server/tiny']?.code).toBe(code);
  const instances = (await rig.driver.list(never())).filter((entry) => entry.address === 'Server/tiny');
  expect(instances).toHaveLength(1);
});

test('what failed is not tried again until its spec changes or somebody asks for it', async () => {
  const tried: string[] = [];
  let broken = true;
  await using rig = await Rig.make({
    memory: {
      onEnsure({ run }) {
        const version = run.program.type === 'command' ? (run.program.argv[1] ?? '') : '';
        tried.push(version);
        if (version === 'bad' && broken) throw new Error('no');
      },
    },
  });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1') });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'bad') });
  await rig.apply({ 'b.yaml': memoryServer('other', 'v1') });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'bad', { description: 'its hash is the same' }) });
  expect(tried).toEqual(['v1', 'bad', 'v1']);
  broken = false;
  await rig.reconciler.sync();
  expect(tried).toEqual(['v1', 'bad', 'v1']);
  await rig.reconciler.sync({ retry: true });
  expect(tried).toEqual(['v1', 'bad', 'v1', 'bad']);
  expect(await rig.condition('tiny')).toBe('True=Succeeded');
  expect(await rig.memory.list(never())).toHaveLength(2);
});

test('a failed rollout is remembered across a restart, and the good version comes back', async () => {
  using dir = tempDir();
  using repo = new TestRepo();
  const stateDir = dir.at('state');
  {
    await using rig = await Rig.make({ repo, stateDir });
    await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']) });
    await rig.apply({ 'a.yaml': server('tiny', 'crash-at-start') });
  }
  await using rig = await Rig.make({ repo, stateDir });
  await rig.reconciler.start();
  await rig.reconciler.sync();
  expect(await rig.call('tiny', 'version')).toBe('v1');
  expect(await rig.condition('tiny')).toBe('False=RolledBack');
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v2']) });
  expect(await rig.call('tiny', 'version')).toBe('v2');
  expect(await rig.overall()).toBe('True=Succeeded');
});

test('a server that never worked says why to whoever asks for it', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('tiny', 'crash-at-start'), 'b.yaml': server('other', 'good') });
  expect(await rig.condition('tiny')).toBe('False=NotReady');
  expect(rig.snapshot.servers['tiny']?.endpoints).toEqual([]);
  expect(rig.snapshot.servers['tiny']?.unavailable).toMatchObject({ code: 'not-ready' });
  expect(rig.snapshot.servers['tiny']?.unavailable?.message).toContain('exited with code 3');
  expect(await rig.driver.list(never())).toHaveLength(1);
});

test.for(['stdio', 'http'])(
  'a missing secret (%s) is named, tried again by itself, and works once it is there',
  async (transport) => {
    const variable = `SLIPWAY_TEST_SECRET_${transport.toUpperCase()}`;
    await using rig = await Rig.make();
    const env = [{ name: 'API_KEY', valueFrom: { secretRef: { name: 'keys', key: 'api' } } }];
    const secret = resource('Secret', 'keys', { data: { api: { env: variable } } });
    const program = transport === 'http' ? 'http' : 'good';
    await rig.apply({ 'a.yaml': server('tiny', program, ['v1'], { transport }), 's.yaml': secret });
    await rig.apply({ 'a.yaml': server('tiny', program, ['v2'], { transport, env }) });
    expect(await rig.call('tiny', 'version')).toBe('v1');
    const { servers } = await rig.reconciler.status();
    const said = JSON.stringify(servers[0]?.conditions);
    expect(said).toContain(variable);
    expect(said).toContain('"reason":"SecretUnavailable"');
    process.env[variable] = 'here it is';
    try {
      await rig.untilStatus(
        () => rig.snapshot.servers['tiny']?.endpoints[0]?.id !== rig.snapshots[1]?.servers['tiny']?.endpoints[0]?.id,
      );
      expect(await rig.call('tiny', 'version')).toBe('v2');
    } finally {
      delete process.env[variable];
    }
  },
);

test('a commit that is fixed takes the place of the wait for one that never becomes ready', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']) });
  rig.repo.push({ 'a.yaml': server('tiny', 'silent', [], { rollout: { timeout: '60s' } }) });
  const created = Promise.withResolvers<void>();
  const old = rig.snapshot.servers['tiny']?.endpoints[0]?.id;
  using watch = rig.driver.watch?.((id) => id !== old && created.resolve());
  expect(watch).toBeDefined();
  const superseded = rig.reconciler.sync().catch((error: unknown) => error);
  await created.promise;
  const began = performance.now();
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v2']) });
  expect(performance.now() - began).toBeLessThan(40_000);
  expect(await superseded).toMatchObject({ code: 'superseded' });
  expect(await rig.call('tiny', 'version')).toBe('v2');
  expect(await rig.driver.list(never())).toHaveLength(1);
});

test('a commit with bad YAML is refused as a whole, nothing is touched, and the next good one heals', async () => {
  await using rig = await Rig.make();
  const good = await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']), 'b.yaml': server('other', 'good') });
  const [pid, published] = [await rig.call('tiny', 'pid'), rig.snapshots.length];
  rig.repo.push({
    'a.yaml': server('tiny', 'good', ['v2']),
    'b.yaml': 'kind: [oops\n',
    'c.yaml': server('new', 'good'),
  });
  await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'invalid-config' });
  const status = await rig.reconciler.status();
  expect(await rig.overall('Stalled')).toBe('True=InvalidConfig');
  expect(status.conditions.find((entry) => entry.type === 'Stalled')?.message).toMatch(/^b\.yaml:\d+:\d+ /);
  expect(status.lastApplied?.id).toBe(good);
  expect(status.lastAttempted?.id).not.toBe(good);
  expect(rig.snapshots).toHaveLength(published);
  expect(await rig.call('tiny', 'pid')).toBe(pid);
  await rig.apply({ 'b.yaml': server('other', 'good') });
  expect(await rig.overall()).toBe('True=Succeeded');
  expect(await rig.overall('Stalled')).toBeUndefined();
  expect(await rig.call('tiny', 'version')).toBe('v2');
});

test('a commit that would delete everything is blocked', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']) });
  const pid = Number(await rig.call('tiny', 'pid'));
  rig.repo.push({ 'a.yaml': null, 'README.md': 'nothing here' });
  await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'blocked' });
  expect(await rig.overall('Stalled')).toBe('True=Blocked');
  expect(isAlive(pid)).toBe(true);
  expect(await rig.call('tiny', 'version')).toBe('v1');
});

test('replicas of which one fails leave no other behind', async () => {
  const ensured: Promise<void>[] = [];
  await using rig = await Rig.make({
    memory: {
      onEnsure: async (_workload, index) => {
        if (index === 0) throw new Error('no');
        ensured.push(delay(100)); // The other one is slower.
        await ensured.at(-1);
      },
    },
  });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1', { replicas: 2 }) });
  expect(await Promise.all(ensured)).toHaveLength(1);
  expect((await rig.memory.list(never())).filter((entry) => entry.address === 'Server/tiny')).toEqual([]);
});

test('a failed rollout is recorded once, not with every look at it', async () => {
  await using rig = await Rig.make({ record: true });
  await rig.apply({ 'a.yaml': memoryServer('other') });
  await rig.apply({ 'a.yaml': memoryServer('other'), 'b.yaml': server('tiny', 'crash-at-start') });
  for (let look = 0; look < 3; look++) await rig.reconciler.sync();
  await rig.reconciler.world.recorder.flush();
  expect(Number(git(rig.repo.remote, 'rev-list', '--count', 'slipway/audit'))).toBe(2);
});

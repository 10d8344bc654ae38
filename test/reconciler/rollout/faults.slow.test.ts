/** What goes wrong with new versions, and with the machine: whatever it is, the good version before keeps answering. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { server } from '../../helpers/config.ts';
import { startLoad } from '../../helpers/load.ts';
import { Rig } from '../../helpers/rig.ts';
import { session } from '../../gateway/helpers/gateway.ts';

const never = (): AbortSignal => new AbortController().signal;
const soon = { timeout: '700ms' };
const two = { replicas: 2, lifecycle: 'always' };

const BAD: Record<string, string> = {
  'never becomes ready': server('tiny', 'silent', [], { ...two, rollout: soon }),
  'exits at once': server('tiny', 'crash-at-start', [], two),
  'closes its input after the handshake': server('tiny', 'closes-stdin', [], { ...two, rollout: soon }),
  'does not read after the handshake': server('tiny', 'deaf', [], { ...two, rollout: soon }),
  'hangs in its readiness probe': server('tiny', 'well', [], {
    ...two,
    probes: { readiness: { call: { tool: 'hangs' }, timeout: '100ms', failures: 1 } },
  }),
  'never passes its startup probe': server('tiny', 'well', ['sick'], {
    ...two,
    probes: { startup: { call: { tool: 'status' }, interval: '50ms', failures: 2 } },
  }),
  'fails a probe that its driver cannot run': server('tiny', 'well', [], {
    ...two,
    probes: { readiness: { exec: ['/nonexistent'], failures: 1 } },
  }),
};

test.for(Object.keys(BAD))(
  'a version that %s: not one call to the version before fails',
  { timeout: 120_000 },
  async (name) => {
    await using rig = await Rig.make({ gateway: true });
    await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1'], two) });
    const stop = await startLoad(rig.url, 'tiny__version', { perSecond: 30 });
    await rig.apply({ 'a.yaml': BAD[name] ?? '' });
    const { answers, failures } = await stop();
    expect(failures).toEqual([]);
    expect(new Set(answers)).toEqual(new Set(['v1']));
    expect(await rig.condition('tiny')).toBe('False=RolledBack');
    expect(await rig.driver.list(never())).toHaveLength(2);
  },
);

test('garbage on stdout before the first message is no reason to refuse a version', async () => {
  await using rig = await Rig.make({ gateway: true });
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1'], two) });
  await rig.apply({ 'a.yaml': server('tiny', 'garbage', [], two) });
  expect(await rig.condition('tiny')).toBe('True=Succeeded');
  expect(await rig.call('tiny', 'echo', { message: 'hi' })).toBe('hi');
});

test('a result of 50 MB comes through; one that is too large fails alone', { timeout: 120_000 }, async () => {
  await using rig = await Rig.make({ gateway: true });
  await rig.apply({ 'a.yaml': server('big', 'big', [], { lifecycle: 'always', timeout: '20s' }) });
  const [pid] = (await rig.driver.list(never())).map((instance) => instance.pid);
  const mine = await session(rig.url);
  const get = async (count: number) =>
    (await mine.rpc('tools/call', { name: 'big__bytes', arguments: { count } }, count)).json;
  const { content } = (await get(50_000_000)).result as { content: { text: string }[] };
  expect(content[0]?.text.length).toBe(50_000_000);
  await rig.apply({ 'a.yaml': server('big', 'big', [], { lifecycle: 'always', timeout: '3s' }) });
  expect((await get(70_000_000)).error).toMatchObject({ data: { error_code: 'upstream-timeout' } });
  expect(await rig.call('big', 'version')).toBe('big');
  expect((await rig.driver.list(never())).map((instance) => instance.pid)).toEqual([pid]);
});

test('a clock that jumps ends no trial, no step of a canary, and no pause after a crash', async () => {
  onTestFinished(() => void vi.useRealTimers());
  await using rig = await Rig.make();
  const config = (version: string, program: string, rollout: object): string =>
    server('tiny', program, [version], { lifecycle: 'always', rollout });
  await rig.apply({ 'a.yaml': config('v1', 'good', { monitor: '1h' }) });
  await rig.reconciler.start();
  await rig.apply({ 'a.yaml': config('v2', 'crash-on-call', { monitor: '1h' }) });
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 86_400_000 });
  await rig.reconciler.sync();
  expect(Object.keys(rig.reconciler.world.applied.trials)).toEqual(['Server/tiny']);
  await rig.call('tiny', 'crash').catch(() => {});
  await rig.told('tiny', 'Ready:False=RolledBack');
  expect(await rig.call('tiny', 'version')).toBe('v1');
  await rig.apply({ 'a.yaml': config('v3', 'good', { canary: { steps: [{ weight: 20, pause: '1h' }] } }) });
  vi.setSystemTime(Date.now() - 2 * 86_400_000);
  await rig.reconciler.sync();
  expect(rig.snapshot.servers['tiny']?.canary?.weight).toBe(20);
});

test('a server that keeps crashing says so, with what it wrote last', { timeout: 120_000 }, async () => {
  await using rig = await Rig.make();
  process.env['SLIPWAY_TEST_LAST_WORDS'] = 'the-password';
  onTestFinished(() => void delete process.env['SLIPWAY_TEST_LAST_WORDS']);
  const env = [{ name: 'API_KEY', valueFrom: { secretRef: { name: 'keys', key: 'api' } } }];
  await rig.apply({
    'a.yaml': server('tiny', 'crash-soon', [], { lifecycle: 'always', env }),
    's.yaml': JSON.stringify({
      apiVersion: 'slipway/v1',
      kind: 'Secret',
      metadata: { name: 'keys' },
      spec: { data: { api: { env: 'SLIPWAY_TEST_LAST_WORDS' } } },
    }),
  });
  await rig.reconciler.start();
  await rig.told('tiny', 'Ready:False=CrashLoop');
  const { servers } = await rig.reconciler.status();
  const message = servers[0]?.conditions.find(({ type }) => type === 'Ready')?.message;
  expect(message).toMatch(
    /: it exited with code 9; it was restarted \d+ times, with growing pauses\. Its last lines: /,
  );
  expect(message).toContain('“bye, ***”');
});

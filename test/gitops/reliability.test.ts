/**
 * What goes wrong around a config repo. The promises are always the same: what was good goes on serving, nothing is started
 * twice, nothing that was pushed or recorded is lost, and the status says why.
 */
import { randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { nextAcceptable } from '../../reconciler/acceptable.ts';
import { gitSource } from '../../reconciler/source/git.ts';
import { memoryServer, server } from '../helpers/config.ts';
import { gitHttp, type Fault, type GitHttp } from '../helpers/git-http.ts';
import { git, TestRepo } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';
import { eventually } from '../helpers/until.ts';

const never = (): AbortSignal => new AbortController().signal;

/** A reconciler that follows a repo over HTTP, from a host that can be ill. */
class Scene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly repo: TestRepo;
  readonly host: GitHttp;
  readonly rig: Rig;

  static async open(intervalMs = 100): Promise<Scene> {
    const stack = new AsyncDisposableStack();
    const repo = stack.use(new TestRepo());
    const dir = stack.use(tempDir());
    const host = stack.use(await gitHttp({ root: repo.root }));
    const source = gitSource({ url: host.url('config.git'), ref: 'main', mirror: dir.at('mirror.git') });
    const rig = stack.use(await Rig.make({ repo, source, record: true, intervalMs }));
    const id = repo.push({ 'a.yaml': memoryServer('a'), 'b.yaml': memoryServer('b') });
    await rig.reconciler.start();
    const scene = new Scene(stack, { repo, host, rig });
    await scene.applied(id);
    return scene;
  }

  private constructor(stack: AsyncDisposableStack, parts: { repo: TestRepo; host: GitHttp; rig: Rig }) {
    this.#stack = stack;
    ({ repo: this.repo, host: this.host, rig: this.rig } = parts);
  }

  /** Names of what runs. */
  async running(): Promise<string[]> {
    return (await this.rig.memory.list(never())).map(({ id }) => id).sort();
  }

  told(reason: string): Promise<void> {
    const { rig } = this;
    return rig.untilStatus(() =>
      (rig.statuses.at(-1)?.conditions ?? []).some((one) => one.type === 'Ready' && one.reason === reason),
    );
  }

  applied(id: string): Promise<void> {
    const { rig } = this;
    return rig.untilStatus(() => {
      const last = rig.statuses.at(-1);
      return (
        last?.lastApplied?.id === id &&
        last.conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
      );
    });
  }

  /** Subjects of the audit branch, the newest first. */
  async records(): Promise<string[]> {
    await this.rig.reconciler.world.recorder.flush();
    return git(this.repo.remote, 'log', '--format=%s', 'slipway/audit').split('\n');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

test.each<[string, Fault]>([
  ['is down', 'down'],
  ['answers with errors', 'error'],
  ['takes our credentials no more', 'unauthorized'],
  ['says nothing', 'silent'],
  ['breaks off in the middle of a pack', 'truncated'],
])(
  'a git host that %s: what runs goes on, the status says why, and the push is applied once it is well',
  async (_, fault) => {
    // The program waits a minute for a silent one.
    vi.stubEnv('GIT_HTTP_LOW_SPEED_LIMIT', '1000');
    vi.stubEnv('GIT_HTTP_LOW_SPEED_TIME', '1');
    await using scene = await Scene.open();
    const before = await scene.running();
    expect(before).toHaveLength(2);
    scene.host.fault = fault;
    const id = scene.repo.push({ 'b.yaml': memoryServer('b', 'v2'), 'noise.txt': randomBytes(50_000).toString('hex') });
    await scene.told('SourceUnreachable');
    expect(await scene.rig.overall('Reconciling')).toBe('True=SourceUnreachable');
    const { rig } = scene;
    expect((await rig.reconciler.status()).conditions.find(({ type }) => type === 'Ready')?.message).toMatch(/^git /);
    // Passes that fail start and stop nothing.
    await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'source-unreachable' });
    expect(await scene.running()).toEqual(before);
    expect(await rig.call('b', 'echo', { message: 'hi' })).toContain('hi');
    scene.host.fault = undefined;
    await scene.applied(id);
    const after = await scene.running();
    expect(after).toHaveLength(2);
    expect(after.filter((name) => before.includes(name))).toHaveLength(1);
    const records = (await scene.records()).filter((subject) => subject.startsWith(`applied ${id.slice(0, 8)}`));
    expect(records).toEqual([`applied ${id.slice(0, 8)}: 1 to replace`]);
  },
);

test('a silent git host holds up neither calls nor the end', async () => {
  const scene = await Scene.open();
  scene.host.fault = 'silent';
  const asked = scene.host.requests;
  const syncing = scene.rig.reconciler.sync().catch((error: unknown) => error);
  await eventually(() => scene.host.requests > asked);
  expect(await scene.rig.call('a', 'echo', { message: 'hi' })).toContain('hi');
  const began = performance.now();
  await scene[Symbol.asyncDispose]();
  await syncing;
  expect(performance.now() - began).toBeLessThan(15_000);
});

test('a branch that is deleted, another history in its place, and the old one again: each is what it says, and nothing twice', async () => {
  await using scene = await Scene.open();
  const { repo, rig } = scene;
  const first = repo.git('rev-parse', 'HEAD');
  const before = await scene.running();
  git(repo.remote, 'update-ref', '-d', 'refs/heads/main');
  await scene.told('RefNotFound');
  expect(await scene.running()).toEqual(before);
  expect(await rig.call('a', 'echo', { message: 'hi' })).toContain('hi');
  repo.git('push', '--quiet', 'origin', `${first}:refs/heads/main`);
  await scene.applied(first);
  expect(await scene.running()).toEqual(before);
  // No commit in common.
  repo.git('checkout', '--quiet', '--orphan', 'other');
  const other = repo.commit({ 'b.yaml': memoryServer('b', 'v2') });
  repo.git('push', '--quiet', '--force', 'origin', `${other}:refs/heads/main`);
  await scene.applied(other);
  const now = await scene.running();
  expect(now).toHaveLength(2);
  expect(now).toContain(before[0]);
  repo.git('push', '--quiet', '--force', 'origin', `${first}:refs/heads/main`);
  await scene.applied(first);
  expect(await scene.running()).toEqual(before);
});

test('a first pass that is at work on a commit is not cut short by whoever asks for the same', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  const followed = gitSource({ url: repo.url, ref: 'main', mirror: dir.at('mirror.git') });
  let fetched = 0;
  const fetch: typeof followed.fetch = async (signal) => {
    const revision = await followed.fetch(signal);
    fetched++;
    return revision;
  };
  const gate = Promise.withResolvers<void>();
  const signals: AbortSignal[] = [];
  const onEnsure = (_: unknown, __: unknown, signal: AbortSignal): Promise<void> => {
    signals.push(signal);
    return gate.promise;
  };
  repo.push({ 'a.yaml': memoryServer('a') });
  await using rig = await Rig.make({ repo, source: { ...followed, fetch }, memory: { onEnsure } });
  const starting = rig.reconciler.start();
  const asking = rig.reconciler.sync();
  await eventually(() => fetched >= 2 && signals.length > 0);
  // Who asks after them is answered after them.
  expect(await nextAcceptable(rig.reconciler.world, never())).toBe(repo.git('rev-parse', 'HEAD'));
  gate.resolve();
  await Promise.all([starting, asking]);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  expect(await rig.overall()).toBe('True=Succeeded');
});

test('ticks, our own commits and a push to other branches start no pass, and no commit of ours is empty', async () => {
  await using scene = await Scene.open(50);
  const { repo, rig, host } = scene;
  await scene.records();
  const last = rig.reconciler.world.lastReached;
  const probes = async (count: number): Promise<void> => {
    const from = host.requests;
    await eventually(() => host.requests >= from + count);
  };
  const snapshots = rig.snapshots.length;
  repo.git('push', '--quiet', 'origin', 'HEAD:refs/heads/topic');
  await probes(6);
  expect(rig.reconciler.world.lastReached).not.toBe(last);
  expect(rig.snapshots.length).toBe(snapshots);
  await rig.reconciler.sync();
  await rig.reconciler.sync();
  expect(await scene.records()).toHaveLength(1);
  const id = repo.push({ 'c.yaml': memoryServer('c') });
  await scene.applied(id);
  expect(await scene.records()).toHaveLength(2);
  const stats = git(repo.remote, 'log', '--format=%an %H', '--shortstat', 'slipway/audit').split('\n').filter(Boolean);
  expect(stats.filter((line) => line.startsWith('slipway '))).toHaveLength(2);
  expect(stats.filter((line) => / 1 file changed/.test(line))).toHaveLength(2);
});

test('a clock that jumps, a year ahead and then back: nothing restarts, and pushes go on being applied', async () => {
  await using scene = await Scene.open();
  const { repo, rig } = scene;
  const before = await scene.running();
  const year = 365 * 86_400_000;
  for (const [index, jump] of [year, -2 * year, year].entries()) {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jump });
    await rig.reconciler.sync();
    expect(await scene.running()).toEqual(before);
    const id = repo.push({ 'note.yaml': `# ${index}\n` });
    await scene.applied(id);
    expect(await scene.running()).toEqual(before);
  }
  expect(await rig.overall()).toBe('True=Succeeded');
});

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;

test.runIf(isRoot)(
  'a full disk: the last good one serves, the status says so, and with room again the push is applied',
  async () => {
    using dir = tempDir();
    using repo = new TestRepo();
    const disk = dir.at('disk');
    mkdirSync(disk);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk]).status).toBe(0);
    try {
      await using rig = await Rig.make({ repo, stateDir: join(disk, 'state'), record: true });
      await rig.apply({ 'a.yaml': memoryServer('a'), 'b.yaml': memoryServer('b') });
      await rig.reconciler.world.recorder.flush();
      const running = async () => (await rig.memory.list(never())).map(({ id }) => id).sort();
      const before = await running();
      const filler = join(disk, 'filler');
      const fill = (): void => void spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1k'], { stdio: 'ignore' });
      fill();
      const id = repo.push({ 'b.yaml': memoryServer('b', 'v2'), 'big.txt': randomBytes(100_000).toString('base64') });
      await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'state-unwritable' });
      expect(await rig.overall()).toBe('False=StateUnwritable');
      expect(await rig.overall('Reconciling')).toBe('True=StateUnwritable');
      expect(await running()).toEqual(before);
      expect(await rig.call('b', 'echo', { message: 'hi' })).toContain('hi');
      rmSync(filler);
      await rig.reconciler.sync();
      expect(await rig.overall()).toBe('True=Succeeded');
      const after = await running();
      expect(after).toHaveLength(2);
      expect(after.filter((name) => before.includes(name))).toHaveLength(1);
      // Full between the fetch and what is written down after it.
      fill();
      writeFileSync(join(repo.work, 'a.yaml'), memoryServer('a', 'v3'));
      const small = repo.push({});
      const [outcome] = await Promise.allSettled([rig.reconciler.sync()]);
      expect(await running()).toHaveLength(2);
      rmSync(filler);
      await rig.reconciler.sync();
      expect(await rig.overall()).toBe('True=Succeeded');
      expect((await rig.reconciler.status()).lastApplied?.id).toBe(small);
      expect(await running()).toHaveLength(2);
      expect(outcome.status).toBe('rejected');
      await rig.reconciler.world.recorder.flush();
      const records = git(repo.remote, 'log', '--format=%s', 'slipway/audit').split('\n');
      expect(records.filter((subject) => subject === `applied ${id.slice(0, 8)}: 1 to replace`)).toHaveLength(1);
    } finally {
      expect(spawnSync('umount', [disk]).status).toBe(0);
    }
  },
);

test('two Slipways on one repo and one host: each runs its own, neither touches what is the other’s, and no record is lost', async () => {
  using repo = new TestRepo();
  await using one = await Rig.make({ repo, record: true });
  const two = await Rig.make({ repo, record: true });
  const config = (version: string) => ({ 'a.yaml': server('a', 'good', [version], { lifecycle: 'always' }) });
  const pids = async (rig: Rig): Promise<(number | undefined)[]> =>
    (await rig.driver.list(never())).map(({ pid }) => pid);
  repo.push(config('v1'));
  await Promise.all([one.reconciler.sync(), two.reconciler.sync()]);
  const [mine, others] = [await pids(one), await pids(two)];
  expect([mine.length, others.length]).toEqual([1, 1]);
  expect(mine).not.toEqual(others);
  const id = repo.push(config('v2'));
  await Promise.all([one.reconciler.sync(), two.reconciler.sync()]);
  expect([await one.call('a', 'version'), await two.call('a', 'version')]).toEqual(['v2', 'v2']);
  expect([...(await pids(one)), ...(await pids(two))]).toHaveLength(2);
  await Promise.all([one, two].map((rig) => rig.reconciler.world.recorder.flush()));
  const records = git(repo.remote, 'log', '--format=%s', 'slipway/audit').split('\n');
  expect(records.filter((subject) => subject.startsWith(`applied ${id.slice(0, 8)}`))).toHaveLength(2);
  expect(records).toHaveLength(4);
  const kept = await pids(one);
  await two[Symbol.asyncDispose]();
  await one.reconciler.sync();
  expect(await pids(one)).toEqual(kept);
  expect(await one.call('a', 'version')).toBe('v2');
});

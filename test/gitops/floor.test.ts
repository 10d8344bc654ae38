/** The floor: what an operator says outside of the repo, and the repo cannot loosen. */
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { Reconciler } from '../../reconciler/reconciler.ts';
import { memoryDriver } from '../../reconciler/drivers/memory.ts';
import { NO_TRAFFIC } from '../../reconciler/publish.ts';
import { noRecorder } from '../../reconciler/record/recorder.ts';
import { gitSource } from '../../reconciler/source/git.ts';
import { openState } from '../../reconciler/state.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { conditionOf } from '../../schemas/status.ts';
import { memoryServer, resource } from '../helpers/config.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { TestRepo } from '../helpers/repo.ts';
import { Desk } from '../helpers/slipway.ts';
import { tempDir } from '../helpers/temp.ts';
import { eventually } from '../helpers/until.ts';
import { commitAs, Signers, trustOf } from './helpers/signers.ts';

const signers = new Signers();
afterAll(() => signers[Symbol.dispose]());
const ada = signers.ssh('ada');
const bob = signers.ssh('bob');

/** A repo with a floor below it. */
class House implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly repo = this.#stack.use(new TestRepo());
  readonly #dir = this.#stack.use(tempDir());
  readonly floor = this.#dir.at('floor.yaml');
  readonly memory = this.#stack.use(memoryDriver());
  readonly snapshots: Snapshot[] = [];
  readonly reconciler: Reconciler;

  constructor(intervalMs = 3_600_000) {
    const state = this.#stack.use(openState(this.#dir.at('state')));
    this.reconciler = new Reconciler({
      source: gitSource({ url: this.repo.url, ref: 'main', mirror: state.paths.mirror }),
      drivers: [this.memory],
      state,
      recorder: noRecorder,
      publish: async (snapshot) => (this.snapshots.push(snapshot), NO_TRAFFIC),
      log: () => {},
      version: 'test',
      intervalMs,
      floor: this.floor,
    });
    this.#stack.use(this.reconciler);
  }

  /** Documents of the floor file. */
  lay(...documents: readonly string[]): void {
    writeFileSync(this.floor, documents.join('\n---\n'));
  }

  async apply(files: Record<string, string | null>): Promise<void> {
    this.repo.push(files);
    await this.reconciler.sync();
  }

  async stalled(): Promise<string | undefined> {
    return conditionOf(await this.reconciler.status(), 'Stalled')?.reason;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

const policy = (spec: Readonly<Record<string, unknown>>, name = 'p'): string => resource('Policy', name, spec);
const allow = (servers: string[], features: string[]) => policy({ allow: [{ servers, features }] });

test.each([
  [
    'what the floor does not let servers have',
    allow(['*'], ['mounts']),
    allow(['web-*'], ['mounts', 'devices']),
    /p\.yaml:1 .*allow\[0\] lets web-\* have devices, which the floor does not \(.+floor\.yaml:1\)/,
  ],
  [
    'for more servers than the floor',
    allow(['web-?'], ['mounts']),
    allow(['web-*'], ['mounts']),
    /lets web-\* have mounts/,
  ],
  [
    'a wider limit',
    policy({ guards: { massDelete: { count: 3, percent: 10 } } }),
    policy({ guards: { massDelete: { count: 4, percent: 10 } } }),
    /guards\.massDelete\.count is more than the 3 of the floor/,
  ],
  [
    'code for more Pipelines',
    policy({ code: ['team-*'] }),
    policy({ code: ['team-a', '*'] }),
    /code\[1\] lets \* run code, which the floor does not/,
  ],
  [
    'code for other Plugins',
    policy({ code: ['*'], plugins: ['team-*'] }),
    policy({ plugins: ['team-a', 'mine'] }),
    /plugins\[1\] lets mine run code, which the floor does not/,
  ],
  [
    'a weaker mode',
    trustOf({ commits: 'tip' }, [ada]),
    trustOf({ mode: 'warn' }, [ada]),
    /mode: warn is less than the floor asks for: require \(.+floor\.yaml:1\)/,
  ],
  [
    'fewer commits',
    trustOf({}, [ada]),
    trustOf({ commits: 'tip' }, [ada]),
    /commits: tip is less than the floor asks for: each/,
  ],
])('%s is refused, with both places', async (_, floor, own, message) => {
  await using house = new House();
  house.lay(floor);
  commitAs(house.repo, ada, { 'a.yaml': memoryServer('a') });
  await house.reconciler.sync();
  commitAs(house.repo, ada, { 'p.yaml': own });
  await expect(house.reconciler.sync()).rejects.toMatchObject({ code: 'invalid-config' });
  const [issue] = (await house.reconciler.status()).issues;
  expect(issue?.code).toBe('below-floor');
  expect(`${issue?.file}:${issue?.line} ${issue?.message}`).toMatch(message);
  expect(await house.stalled()).toBe('InvalidConfig');
});

test('what is as tight or tighter is fine, and what the floor lets servers have it gives to none', async () => {
  await using house = new House();
  house.lay(
    allow(['web-*'], ['mounts', 'devices']),
    policy({ guards: { massDelete: { count: 3, percent: 10 } } }, 'q'),
  );
  const mighty = memoryServer('web-1', 'v1', { isolation: { devices: ['/dev/dri'] } });
  await expect(house.apply({ 'a.yaml': mighty })).rejects.toMatchObject({ code: 'blocked' });
  await house.apply({
    'p.yaml': allow(['web-1', 'web-?'], ['devices']),
    'q.yaml': policy({ guards: { massDelete: { count: 1, percent: 0 } } }, 'q'),
  });
  expect(await house.stalled()).toBeUndefined();
});

test('the floor’s guards count whatever the config says, and cannot be talked over', async () => {
  await using house = new House();
  const servers = (names: string[]) => Object.fromEntries(names.map((name) => [`${name}.yaml`, memoryServer(name)]));
  house.lay(policy({ guards: { massDelete: { count: 1, percent: 0 }, final: ['mass-delete'] } }));
  await house.apply(servers(['a', 'b', 'c', 'd']));
  house.repo.push({ 'a.yaml': null, 'b.yaml': null }, 'Clear up\n\nSlipway-Allow: mass-delete');
  await expect(house.reconciler.sync()).rejects.toMatchObject({ code: 'blocked' });
  // Without a word in the repo, an operator who loosens the floor is heard at once; it never loosens the defaults.
  house.lay(policy({ guards: { massDelete: { count: 50, percent: 100 } } }));
  await house.reconciler.sync();
  expect(await house.stalled()).toBeUndefined();
});

test('tools that the floor denies are denied, whatever Gateway the config has', async () => {
  await using house = new House();
  house.lay(resource('Gateway', 'floor', { floor: [{ pattern: 'delete_*', message: 'Ask the operators.' }] }));
  const own = resource('Gateway', 'main', {
    floor: [{ pattern: 'drop_*' }],
    permissions: { rules: [{ pattern: '*', action: 'allow' }] },
  });
  await house.apply({ 'g.yaml': own, 'a.yaml': memoryServer('a') });
  const patterns = () =>
    house.snapshots.at(-1)?.access.floor.map(({ pattern, file }) => `${pattern} ${file.split('/').at(-1)}`);
  expect(patterns()).toEqual(['drop_* g.yaml', 'delete_* floor.yaml']);
  await house.apply({ 'g.yaml': null });
  expect(patterns()).toEqual(['delete_* floor.yaml']);
});

test('signatures that the floor asks for, and the files and kinds that it keeps for some', async () => {
  await using house = new House();
  const { repo, reconciler } = house;
  house.lay(trustOf({ paths: [{ files: ['policies/*'], kinds: ['Policy'], signers: ['ada'] }] }, [ada, bob]));
  const push = async (...args: Parameters<typeof commitAs>): Promise<void> => {
    commitAs(...args);
    await reconciler.sync();
  };
  await expect(push(repo, undefined, { 'a.yaml': memoryServer('a') })).rejects.toMatchObject({ code: 'untrusted' });
  repo.git('update-ref', '-d', 'HEAD');
  await push(repo, ada, { 'a.yaml': memoryServer('a'), 'policies/p.yaml': policy({}) });
  await push(repo, bob, { 'a.yaml': memoryServer('a', 'v2') });
  await expect(push(repo, bob, { 'b.yaml': policy({}, 'mine') })).rejects.toMatchObject({ code: 'invalid-config' });
  expect((await reconciler.status()).issues).toMatchObject([
    {
      code: 'misplaced',
      file: 'b.yaml',
      message: expect.stringMatching(/policies\/\* only, says paths\[0\] of .+floor\.yaml:1/) as string,
    },
  ]);
  await push(repo, bob, { 'b.yaml': null });
  await expect(push(repo, bob, { 'policies/p.yaml': policy({ description: 'mine' }) })).rejects.toMatchObject({
    code: 'untrusted',
  });
});

test.each([
  ['is gone', (path: string) => rmSync(path)],
  ['is no YAML', (path: string) => writeFileSync(path, 'a: [')],
  ['holds what no floor can', (path: string) => writeFileSync(path, memoryServer('a'))],
  [
    'says of a Gateway what it cannot',
    (path: string) => writeFileSync(path, resource('Gateway', 'g', { maxBodySize: '1Mi' })),
  ],
  ['can be written by everybody', (path: string) => chmodSync(path, 0o666)],
])('a floor that %s: nothing is applied, what runs stays, and it goes on once it is mended', async (_, spoil) => {
  await using house = new House(50);
  house.lay(policy({}));
  await house.apply({ 'a.yaml': memoryServer('a') });
  await house.reconciler.start();
  spoil(house.floor);
  // Noticed without a push.
  await eventually(async () => (await house.stalled()) === 'InvalidFloor');
  await expect(house.apply({ 'a.yaml': null, 'b.yaml': memoryServer('b') })).rejects.toMatchObject({
    code: 'invalid-floor',
  });
  expect((await house.memory.list(new AbortController().signal)).map(({ address }) => address)).toEqual(['Server/a']);
  rmSync(house.floor, { force: true });
  house.lay(policy({}));
  await eventually(async () => (await house.stalled()) === undefined);
  expect((await house.memory.list(new AbortController().signal)).map(({ address }) => address)).toEqual(['Server/b']);
});

test('with the program: up, plan and validate keep to a floor, and plan knows that of the Slipway that runs', async () => {
  await using desk = new Desk();
  using dir = tempDir();
  const floor = dir.at('floor.yaml');
  writeFileSync(floor, policy({ guards: { massDelete: { count: 1, percent: 0 } } }));
  desk.push({
    'gateway.yaml': GATEWAY,
    'hello.mjs': HELLO_PROGRAM,
    'a.yaml': helloServer('a'),
    'b.yaml': helloServer('b'),
  });
  await desk.up(['--floor', floor]);
  desk.write({ 'a.yaml': undefined, 'b.yaml': undefined });
  const plan = await desk.slipway(['plan', '--state-dir', desk.state]);
  expect(plan.out).toContain('✗ blocked (mass-delete)');
  expect(plan.code).toBe(3);
  desk.write({ 'p.yaml': policy({ allow: [{ servers: ['*'], features: ['privileged'] }] }) });
  const checked = await desk.slipway(['validate', '--floor', floor]);
  expect(checked.code).toBe(1);
  expect(checked.err).toContain('below-floor');
  expect(checked.err).toContain(`${floor}:1`);
  expect((await desk.slipway(['validate', '--floor', dir.at('none')])).err).toContain('[invalid-floor]');
  desk.git(desk.config, 'checkout', '--quiet', '.');
  // From now on somebody has to sign.
  writeFileSync(floor, trustOf({}, [ada]));
  desk.push({ 'p.yaml': undefined, 'c.yaml': helloServer('c') }, 'Who am I');
  const refused = await desk.sync();
  expect(refused.code).toBe(3);
  expect(refused.err).toMatch(/Commit .{8} \(Who am I, by .+\) is not signed\. \[untrusted\]/);
  const status = await desk.slipway(['status', '--state-dir', desk.state]);
  expect(status.out).toMatch(/^Stalled: Commit .+ is not signed\. \(Untrusted\)/);
  expect(status.out).toMatch(/^Signed +no \(Untrusted\)/m);
  expect((await desk.call('a', 'hello', { name: 'Ada' })).out).toBe('Hello, Ada!');
  const planned = await desk.slipway(['plan', '--ref', 'HEAD', '--floor', floor, '--state-dir', desk.state]);
  expect(planned).toMatchObject({ code: 3, err: expect.stringContaining('[untrusted]') as string });
});

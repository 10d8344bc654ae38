/** `slipway hook install`: without any forge, a bare repository refuses what is not valid and shows whoever pushes the plan. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli, type Said } from '../helpers/cli.ts';
import { memoryServer, resource } from '../helpers/config.ts';
import { TestRepo } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { MAIN } from '../helpers/slipway.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';
import { commitAs, Signers, trustOf } from './helpers/signers.ts';

const GATEWAY = resource('Gateway', 'main', {});
const START = { 'prod/gw.yaml': GATEWAY, 'prod/a.yaml': memoryServer('a'), 'notes.txt': 'x' };

let dir: TempDir;
let program: string;
beforeAll(() => {
  dir = tempDir();
  // A place that a shell would trip over.
  const bin = dir.at("it's a bin");
  mkdirSync(bin);
  program = join(bin, 'slipway');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 });
});
afterAll(() => dir[Symbol.dispose]());

const hook = (repo: TestRepo, ...args: string[]): Promise<Said> =>
  cli(['hook', ...args], { cwd: repo.root, env: { XDG_STATE_HOME: join(repo.root, 'xdg') } });

/** What `git push` said, and whether it went through. */
function push(
  repo: TestRepo,
  files: Parameters<TestRepo['commit']>[0],
  ...args: string[]
): { ok: boolean; said: string } {
  repo.commit(files);
  return pushHead(repo, ...args);
}

function pushHead(repo: TestRepo, ...args: string[]): ReturnType<typeof push> {
  const env = { ...process.env, XDG_STATE_HOME: join(repo.root, 'xdg'), NO_COLOR: '1' };
  const { status, stderr } = spawnSync('git', ['push', '--force', ...args, 'origin', 'HEAD'], {
    cwd: repo.work,
    env,
    encoding: 'utf8',
  });
  return { ok: status === 0, said: stderr.replaceAll(/^remote: ?/gm, '').replaceAll(/ +$/gm, '') };
}
const tip = (repo: TestRepo): string => repo.git('ls-remote', 'origin', 'refs/heads/main').split('\t')[0] ?? '';

/** What the hook says of a commit that is here already: as git would ask it, in this process. */
function judged(repo: TestRepo, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Said> {
  const [before, after] = [tip(repo), repo.git('rev-parse', 'HEAD')];
  repo.git('-C', repo.remote, 'fetch', '--quiet', repo.work, 'HEAD');
  return cli(['hook', 'pre-receive', ...args], {
    cwd: repo.remote,
    stdin: `${before} ${after} refs/heads/main\n`,
    env: { GIT_DIR: '.', XDG_STATE_HOME: join(repo.root, 'xdg'), ...env },
  });
}

test('a push is judged before anything of it is kept', async () => {
  using repo = new TestRepo();
  repo.push(START);
  const args = ['--path', './prod/', '--force-push-option', 'let me'];
  const done = await hook(repo, 'install', 'config.git', '--program', program, ...args);
  expect(done).toMatchObject({ code: 0, err: expect.stringContaining('hooks/pre-receive') });
  expect(statSync(join(repo.remote, 'hooks', 'pre-receive')).mode & 0o777).toBe(0o755);

  // Nothing runs here yet, so it is what the push changes. Its objects are still in quarantine when they are read.
  const good = push(repo, { 'prod/b.yaml': memoryServer('b') });
  expect(good).toMatchObject({ ok: true, said: expect.stringContaining('+   Server/b will be created') });
  expect(good.said).toContain('Plan: 1 to create, 0 to update, 0 to replace, 0 to delete.');
  const kept = repo.git('rev-parse', 'HEAD');

  // Not even with the word that lets guards be passed.
  const bad = push(repo, { 'prod/b.yaml': memoryServer('b', 'v1', { comand: 1 }) }, '-o', 'let me');
  expect(bad.said).toMatch(/^b\.yaml:1:\d+: unknown-field/m);
  expect(bad.said).toContain('The push was refused: the config would not be valid.');
  expect([bad.ok, tip(repo)]).toEqual([false, kept]);

  repo.commit({ 'prod/a.yaml': null, 'prod/b.yaml': null, 'prod/gw.yaml': null, 'prod/empty.yaml': '' });
  const blocked = await judged(repo, args);
  expect(blocked).toMatchObject({ code: 3, err: expect.stringContaining('The push was refused: A guard blocks') });
  expect(blocked.out).toContain('✗ blocked (empty-load)');
  const two = { GIT_PUSH_OPTION_COUNT: '2', GIT_PUSH_OPTION_0: 'let', GIT_PUSH_OPTION_1: 'me' };
  expect((await judged(repo, args, two)).code).toBe(3);
  const word = { GIT_PUSH_OPTION_COUNT: '1', GIT_PUSH_OPTION_0: 'let me' };
  expect((await judged(repo, args.slice(0, 2), word)).code).toBe(3);
  const forced = push(repo, {}, '-o', 'other', '-o', 'let me');
  expect(forced).toMatchObject({ ok: true, said: expect.stringContaining('It was let in because you asked for it') });

  // Other branches are their owners' business, and the one that is followed stays.
  const ask = (line: string): Promise<Said> =>
    cli(['hook', 'pre-receive', ...args], { cwd: repo.remote, stdin: line, env: { GIT_DIR: '.' } });
  const none = '0'.repeat(40);
  expect(await ask(`${none} ${repo.git('rev-parse', 'HEAD')} refs/heads/draft\n`)).toMatchObject({
    code: 0,
    out: '',
    err: '',
  });
  expect(await ask(`${kept} ${none} refs/heads/main\n`)).toMatchObject({
    code: 3,
    err: expect.stringContaining('nothing to follow'),
  });
  expect((await ask('what?\n')).code).toBe(64);
});

test('the plan is against what runs, where that is known', async () => {
  await using rig = await Rig.make();
  const { repo } = rig;
  await rig.apply({ 'gw.yaml': GATEWAY, 'a.yaml': memoryServer('a') });
  // The branch has gone on since; what is applied has not.
  repo.push({ 'b.yaml': memoryServer('b') });
  repo.commit({ 'c.yaml': memoryServer('c') });
  const told = await judged(repo, ['--state-dir', rig.state.root]);
  expect(told).toMatchObject({ code: 0, err: expect.stringContaining('compared with what was applied last') });
  expect(told.out).toContain('Plan: 2 to create');
});

test('whoever may sign is asked for, by what was there before the push and by the floor', async () => {
  using signers = new Signers();
  const [ada, mallory] = [signers.ssh('ada'), signers.ssh('mallory')];
  using repo = new TestRepo();
  repo.push({ 'gw.yaml': GATEWAY, 'trust.yaml': trustOf({ mode: 'require' }, [ada]) });
  await hook(repo, 'install', 'config.git', '--program', program);
  commitAs(repo, ada, { 'a.yaml': memoryServer('a') }, { push: false });
  // The signature is checked in quarantine, too.
  expect(pushHead(repo)).toMatchObject({ ok: true, said: expect.stringContaining('Server/a will be created') });
  // Who brings rules of their own is judged by those before them.
  commitAs(repo, mallory, { 'trust.yaml': trustOf({ mode: 'require' }, [mallory]) }, { push: false });
  expect(await judged(repo, [])).toMatchObject({ code: 3, err: expect.stringContaining('[untrusted]') });
  repo.git('reset', '--quiet', '--hard', 'HEAD~1');

  const floor = join(repo.root, 'floor.yaml');
  writeFileSync(floor, trustOf({ mode: 'require' }, [mallory]));
  commitAs(repo, ada, { 'b.yaml': memoryServer('b') }, { push: false });
  expect((await judged(repo, [])).code).toBe(0);
  expect(await judged(repo, ['--floor', floor])).toMatchObject({
    code: 3,
    err: expect.stringContaining('[untrusted]'),
  });
});

test('installing again changes nothing, uninstalling leaves nothing, and hooks of others stay', async () => {
  using repo = new TestRepo();
  repo.push({ 'gw.yaml': GATEWAY });
  const path = join(repo.remote, 'hooks', 'pre-receive');
  const config = (): string => readFileSync(join(repo.remote, 'config'), 'utf8');
  const before = config();
  const args = ['config.git', '--program', program, '--force-push-option', 'x'];
  await hook(repo, 'install', ...args);
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(String.raw`it'\''s a bin/slipway' hook pre-receive --force-push-option x`);
  expect(config()).toContain('advertisePushOptions = true');
  await hook(repo, 'install', ...args);
  expect(readFileSync(path, 'utf8')).toBe(text);
  // Without the option, pushes have none any more.
  await hook(repo, 'install', 'config.git', '--program', program);
  expect(config()).not.toContain('advertisePushOptions');
  await hook(repo, 'install', ...args);
  expect(await hook(repo, 'uninstall', 'config.git')).toMatchObject({
    code: 0,
    err: expect.stringContaining('removed'),
  });
  expect(existsSync(path)).toBe(false);
  expect(
    config()
      .replaceAll(/\[receive\]\s*/g, '')
      .trim(),
  ).toBe(before.trim());
  expect((await hook(repo, 'uninstall', 'config.git')).err).toContain('no hook of ours');

  writeFileSync(path, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  for (const action of ['install', 'uninstall'])
    expect(await hook(repo, action, 'config.git')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/somebody else’s hook[^]*hook pre-receive/),
    });
  expect(readFileSync(path, 'utf8')).toBe('#!/bin/sh\nexit 0\n');
  // Where git looks for hooks is where it goes.
  repo.git('-C', repo.remote, 'config', 'core.hooksPath', 'own-hooks');
  await hook(repo, 'install', 'config.git', '--program', program);
  expect(existsSync(join(repo.remote, 'own-hooks', 'pre-receive'))).toBe(true);
  expect(push(repo, { 'a.yaml': 'kind: [' }).ok).toBe(false);
  for (const wrong of ['work', 'nowhere', 'https://example.com/x.git'])
    expect((await hook(repo, 'install', wrong)).code).toBe(64);
});

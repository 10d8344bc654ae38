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
  const env = { ...process.env, XDG_STATE_HOME: join(repo.root, 'xdg'), NO_COLOR: '1' };
  const { status, stderr } = spawnSync('git', ['push', '--force', ...args, 'origin', 'HEAD'], {
    cwd: repo.work,
    env,
    encoding: 'utf8',
  });
  return { ok: status === 0, said: stderr.replaceAll(/^remote: ?/gm, '').replaceAll(/ +$/gm, '') };
}
const tip = (repo: TestRepo): string => repo.git('ls-remote', 'origin', 'refs/heads/main').split('\t')[0] ?? '';

test('a push is judged before anything of it is kept', async () => {
  using repo = new TestRepo();
  repo.push(START);
  const done = await hook(
    repo,
    'install',
    'config.git',
    '--path',
    './prod/',
    '--program',
    program,
    '--force-push-option',
    'let me',
  );
  expect(done).toMatchObject({ code: 0, err: expect.stringContaining('hooks/pre-receive') });
  const path = join(repo.remote, 'hooks', 'pre-receive');
  expect(statSync(path).mode & 0o777).toBe(0o755);

  // Nothing runs here yet, so it is what the push changes. Its objects are still in quarantine when they are read.
  const good = push(repo, { 'prod/b.yaml': memoryServer('b') });
  expect(good).toMatchObject({ ok: true, said: expect.stringContaining('+   Server/b will be created') });
  expect(good.said).toContain('Plan: 1 to create, 0 to update, 0 to replace, 0 to delete.');
  const kept = repo.git('rev-parse', 'HEAD');

  const bad = push(repo, { 'prod/b.yaml': memoryServer('b', 'v1', { comand: 1 }) });
  expect(bad.said).toMatch(/^b\.yaml:1:\d+: unknown-field/m);
  expect(bad.said).toContain('The push was refused: the config would not be valid.');
  expect([bad.ok, tip(repo)]).toEqual([false, kept]);
  // Not even with the word that lets guards be passed.
  expect(push(repo, {}, '-o', 'let me').ok).toBe(false);

  const gone = { 'prod/a.yaml': null, 'prod/b.yaml': null, 'prod/gw.yaml': null, 'prod/empty.yaml': '' };
  const blocked = push(repo, gone);
  expect(blocked.said).toMatch(/✗ blocked \(empty-load\)[^]*The push was refused: A guard blocks this plan\./);
  expect([blocked.ok, tip(repo)]).toEqual([false, kept]);
  expect(push(repo, {}, '-o', 'let', '-o', 'me').ok).toBe(false);
  const forced = push(repo, {}, '-o', 'other', '-o', 'let me');
  expect(forced).toMatchObject({ ok: true, said: expect.stringContaining('It was let in because you asked for it') });

  // Other branches are their owners' business.
  repo.git('switch', '--quiet', '--create', 'draft');
  expect(push(repo, { 'prod/b.yaml': 'kind: [' }).ok).toBe(true);
  expect(() => repo.git('push', '--quiet', 'origin', ':main')).toThrow(/nothing to follow/);
});

test('the plan is against what runs, where that is known', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'gw.yaml': GATEWAY, 'a.yaml': memoryServer('a') });
  const { repo } = rig;
  await hook(repo, 'install', 'config.git', '--program', program, '--state-dir', rig.state.root);
  // The branch is elsewhere by now; what is applied is not.
  repo.git('push', '--quiet', '--force', 'origin', 'HEAD:refs/heads/other');
  const { ok, said } = push(repo, { 'b.yaml': memoryServer('b') });
  expect([ok, said]).toEqual([true, expect.stringContaining('compared with what was applied last')]);
  expect(said).toContain('Plan: 1 to create');
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

/** `--pr`: whatever writes can open a pull request instead, at the forge where the config repo is kept. */
import { describe, expect, test } from 'vitest';
import { cli, type Said } from '../helpers/cli.ts';
import { memoryServer, resource } from '../helpers/config.ts';
import { TestRepo } from '../helpers/repo.ts';
import { TestForge, TOKEN } from './helpers/forge.ts';

const ref = (key: string) => ({ secretRef: { name: 'forge', key } });
const files = (forge: TestForge, name: string) => ({
  'gw.yaml': resource('Gateway', 'main', {
    review: { forge: name, url: forge.url, repository: 'acme/mcp', token: ref('token') },
  }),
  'secret.yaml': resource('Secret', 'forge', { data: { token: { env: 'MY_TOKEN' } } }),
  'servers/a.yaml': memoryServer('a'),
});
const slipway = (
  repo: TestRepo,
  args: readonly string[],
  env: NodeJS.ProcessEnv = { MY_TOKEN: TOKEN },
): Promise<Said> => cli(args, { cwd: repo.work, env: { ...env, XDG_STATE_HOME: `${repo.root}/xdg` } });

describe.each(['github', 'gitlab', 'gitea'] as const)('%s', (name) => {
  test('a change becomes a branch and a request, and main stays as it is', async () => {
    await using forge = await TestForge.start(name);
    using repo = new TestRepo();
    const main = repo.push(files(forge, name), 'Start');
    const patched = await slipway(repo, [
      'patch',
      'server',
      'a',
      'command[1]=v2',
      '--pr',
      '-m',
      'Newer a\n\nIt is faster.',
    ]);
    expect(patched).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^committed [0-9a-f]{8} to slipway\/change-[0-9a-f]{8}$/),
    });
    expect(patched.out).toMatch(/^server\/a patched  servers\/a\.yaml\nhttp:\/\/127\.0\.0\.1:\d+\/acme\/mcp\//);
    const branch = patched.err.split(' ').at(-1) ?? '';
    const [opened = {}] = forge.opened;
    const said = { head: opened['head'] ?? opened['source_branch'], base: opened['base'] ?? opened['target_branch'] };
    expect([said, opened['title']]).toEqual([{ head: branch, base: 'main' }, 'Newer a']);
    const text = String(opened['body'] ?? opened['description']);
    expect(text).toMatch(/^It is faster\.\n\n\*\*Plan: 0 to create, 0 to update, 1 to replace, 0 to delete\.\*\*/);
    repo.git('fetch', '--quiet', 'origin');
    expect(repo.git('rev-parse', `origin/${branch}~1`)).toBe(main);
    expect(repo.git('ls-remote', 'origin', 'refs/heads/main')).toContain(main);
    expect(repo.git('status', '--porcelain')).toBe('');
  });
});

test('rollback, and a branch that is named, against any repository', async () => {
  await using forge = await TestForge.start('github');
  using repo = new TestRepo();
  repo.push(files(forge, 'github'), 'Start');
  const bad = repo.push({ 'servers/a.yaml': memoryServer('a', 'bad') }, 'Make it worse');
  const back = await slipway(repo, ['rollback', '-1', '--pr', '--branch', 'undo', '--repo', repo.remote]);
  expect(back).toMatchObject({ code: 0, out: expect.stringContaining('/acme/mcp/pull/9') });
  expect(forge.opened).toMatchObject([
    {
      head: 'undo',
      base: 'main',
      title: 'Revert "Make it worse"',
      body: expect.stringContaining(`This reverts commit ${bad}.`),
    },
  ]);
  // A dry run asks nobody, and needs no token.
  const asked = forge.asked.length;
  expect((await slipway(repo, ['delete', 'server', 'a', '--pr', '--dry-run'], {})).code).toBe(0);
  expect([forge.asked.length, repo.git('ls-remote', 'origin', 'refs/heads/slipway/*')]).toEqual([asked, '']);
});

test('the environment says what the config does not, or says it otherwise', async () => {
  await using forge = await TestForge.start('gitea');
  using repo = new TestRepo();
  repo.push({ 'gw.yaml': resource('Gateway', 'main', {}) });
  const args = ['create', 'user', 'ada', '--email', 'ada@example.com', '--pr'];
  const env = { SLIPWAY_FORGE: 'gitea', SLIPWAY_FORGE_URL: `${forge.url}/`, SLIPWAY_FORGE_REPOSITORY: 'acme/mcp' };
  // Nothing is pushed that nobody can be told of.
  for (const [less, why] of [
    [{}, 'It is not known at which forge'],
    [{ SLIPWAY_FORGE: 'gitea' }, 'There is no token for the forge'],
    [{ SLIPWAY_FORGE: 'gitea', SLIPWAY_FORGE_TOKEN: 'x' }, 'It is not known which repository'],
    [{ SLIPWAY_FORGE: 'bitbucket' }, 'SLIPWAY_FORGE=bitbucket is no forge'],
    [{ SLIPWAY_FORGE: 'generic', SLIPWAY_FORGE_TOKEN: 'x' }, 'Nothing can be written there'],
  ] as const)
    expect((await slipway(repo, args, less)).err).toContain(why);
  expect(repo.git('ls-remote', 'origin', 'refs/heads/slipway/*')).toBe('');
  expect(await slipway(repo, args, { ...env, SLIPWAY_FORGE_TOKEN: TOKEN })).toMatchObject({
    code: 0,
    out: expect.stringContaining('/acme/mcp/pull/9'),
  });
  // A forge that says no, when the branch is there already: both are told.
  const refused = await slipway(repo, args, { ...env, SLIPWAY_FORGE_TOKEN: 'wrong' });
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(
    /The branch slipway\/change-[0-9a-f]{8} was pushed, but no pull request was opened: The forge answered with 401/,
  );
  expect(refused.err).not.toContain('wrong');
});

test('a change that names another forge does not get the token there', async () => {
  await using forge = await TestForge.start('github');
  await using evil = await TestForge.start('github');
  using repo = new TestRepo();
  repo.push(files(forge, 'github'));
  const done = await cli(['apply', '-f', '-', '--pr'], {
    cwd: repo.work,
    stdin: files(evil, 'github')['gw.yaml'],
    env: { MY_TOKEN: TOKEN },
  });
  expect(done.code).toBe(0);
  expect([forge.opened.length, evil.asked]).toEqual([1, []]);
  repo.git('remote', 'remove', 'origin');
  expect(await slipway(repo, ['delete', 'server', 'a', '--pr'])).toMatchObject({
    code: 64,
    err: expect.stringContaining('no remote origin'),
  });
});

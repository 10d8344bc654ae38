/** A config repo elsewhere, or a working tree with a history: what is committed, and what is never forced. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cli } from '../../helpers/cli.ts';
import { gitHttp } from '../../helpers/git-http.ts';
import { TestRepo } from '../../helpers/repo.ts';
import { CONFIG, Folder, GITHUB, PAGER, PROJECTS } from './folder.ts';

describe('a git repo elsewhere', () => {
  test.each(['file', 'http'])('gets a commit over %s, made without a checkout', async (way) => {
    using repo = new TestRepo();
    repo.push({
      'conf/servers/github.yaml': GITHUB,
      'conf/projects.yaml': PROJECTS.replace('pager, ', ''),
      'other.txt': 'x',
      'conf/run.yaml': { executable: PAGER },
    });
    await using served = await gitHttp({ root: repo.root });
    const url = way === 'file' ? repo.url : served.url('config.git');
    const at = ['--repo', url, '--path', 'conf'];
    using folder = new Folder({});
    mkdirSync(folder.path, { recursive: true });
    const env = { GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'ada@example.com' };
    const result = await folder.run(['patch', 'server', 'github', 'replicas=3', ...at, '-m', 'More of it'], '', env);
    expect(result.err).toMatch(/^committed [0-9a-f]{8} to main$/);
    repo.git('fetch', '--quiet');
    expect(repo.git('show', 'origin/main:conf/servers/github.yaml')).toBe(
      GITHUB.replace('replicas: 2', 'replicas: 3').trim(),
    );
    expect(repo.git('diff', '--stat', 'origin/main~1', 'origin/main').split('\n')).toHaveLength(2);
    expect(repo.git('log', '-1', '--format=%s %an', 'origin/main')).toBe('More of it Ada');

    expect((await folder.run(['delete', 'server', 'pager', ...at, '--dry-run'])).code).toBe(0);
    expect((await folder.run(['delete', 'server', 'pager', ...at, '--branch', 'less'])).err).toContain('to less');
    repo.git('fetch', '--quiet');
    expect(repo.git('diff', '--name-status', 'origin/main', 'origin/less')).toBe('D\tconf/run.yaml');
    expect((await folder.run(['delete', 'server', 'pager', ...at, '--branch', 'less'])).err).toContain('[exists]');
    expect((await folder.run(['create', 'project', 'p', ...at, '--branch', '..x'])).err).toContain(
      'no name for a branch',
    );
    expect((await folder.run(['create', 'project', 'p', ...at, '--ref', 'nope'])).err).toContain('[ref-not-found]');
    expect((await folder.run(['create', 'server', 'x', ...at])).code).toBe(1);
    expect(repo.git('ls-remote', '--heads', 'origin').split('\n')).toHaveLength(2);
  });

  test('a race is run again on what the other pushed; nothing is forced', { timeout: 120_000 }, async () => {
    using repo = new TestRepo();
    repo.push({ 'projects.yaml': 'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: dev }\n' });
    using folder = new Folder({});
    mkdirSync(folder.path, { recursive: true });
    const names = ['a', 'b', 'c', 'd'];
    const results = await Promise.all(
      names.map((name) => folder.run(['patch', 'project', 'dev', `metadata.labels.${name}=x`, '--repo', repo.url])),
    );
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    repo.git('fetch', '--quiet');
    const text = repo.git('show', 'origin/main:projects.yaml');
    for (const name of names) expect(text).toContain(`${name}: x`);
    expect(repo.git('rev-list', '--count', 'origin/main')).toBe('5');
  });

  test('a hook of the remote that refuses is told, and no retry hides it', async () => {
    using repo = new TestRepo();
    repo.push({ 'projects.yaml': PROJECTS.split('---')[0]?.replace('- github   # everybody', '[]') ?? '' });
    writeFileSync(join(repo.remote, 'hooks/pre-receive'), '#!/bin/sh\necho "not on Fridays" >&2\nexit 1\n');
    chmodSync(join(repo.remote, 'hooks/pre-receive'), 0o755);
    using folder = new Folder({});
    mkdirSync(folder.path, { recursive: true });
    const { code, err } = await folder.run(['create', 'project', 'p', '--repo', repo.url]);
    expect(code).toBe(1);
    expect(err).toMatch(/not on Fridays/);
  });

  test('a working tree commits only what was changed, and only when a message is given', async () => {
    using repo = new TestRepo();
    repo.push(CONFIG);
    writeFileSync(join(repo.work, 'servers/pager.yaml'), `${PAGER}# not yet\n`);
    const env = {
      GIT_AUTHOR_NAME: 'Ada',
      GIT_AUTHOR_EMAIL: 'ada@example.com',
      GIT_COMMITTER_NAME: 'Ada',
      GIT_COMMITTER_EMAIL: 'ada@example.com',
    };
    const said = await cli(['create', 'project', 'p', '--servers', 'github', '-m', 'A project'], {
      cwd: repo.work,
      env,
    });
    expect(said.err).toMatch(/^committed [0-9a-f]{8} to main$/);
    expect(repo.git('show', '--name-only', '--format=%s')).toBe('A project\n\nprojects/p.yaml');
    expect(repo.git('status', '--porcelain')).toBe('M servers/pager.yaml');
    await cli(['patch', 'project', 'p', 'description=x'], { cwd: repo.work });
    expect(repo.git('status', '--porcelain').split('\n')).toHaveLength(2);
    // A hook of the repo has its say; the files stay as they were asked for.
    writeFileSync(join(repo.work, '.git/hooks/pre-commit'), '#!/bin/sh\necho "not on Fridays" >&2\nexit 1\n');
    chmodSync(join(repo.work, '.git/hooks/pre-commit'), 0o755);
    const refused = await cli(['patch', 'project', 'p', 'description=y', '-m', 'x'], { cwd: repo.work });
    expect(refused.err).toMatch(/not on Fridays.*\[commit-failed\]/);
    expect(readFileSync(join(repo.work, 'projects/p.yaml'), 'utf8')).toContain('description: y');
    // A new branch begins at the commit, and leaves the working tree alone.
    const branched = await cli(['delete', 'project', 'p', '--branch', 'without-p'], { cwd: repo.work });
    expect(branched.err).toContain('to without-p');
    expect(repo.git('diff', '--name-status', 'main', 'without-p')).toBe('D\tprojects/p.yaml');
    expect(existsSync(join(repo.work, 'projects/p.yaml'))).toBe(true);
  });
});

/** What help, README and a running Slipway show of commands that write: it works. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { splitWords } from '../../../cli/argv.ts';
import type { Command } from '../../../cli/command.ts';
import { COMMANDS, type Listed } from '../../../cli/commands/index.ts';
import { HELLO_PROGRAM } from '../../helpers/configs.ts';
import { gitHttp } from '../../helpers/git-http.ts';
import { TestRepo } from '../../helpers/repo.ts';
import { Desk } from '../../helpers/slipway.ts';
import { CONFIG, editor, Folder, GITHUB, PAGER, PROJECTS } from './folder.ts';

describe('the examples of each command’s help', () => {
  const written = ['create', 'apply', 'edit', 'patch', 'delete', 'attach', 'detach', 'get'];

  test.each(written)('%s: each of them works', async (name) => {
    const { command } = (await (COMMANDS[name] as Listed).load()) satisfies { command: Command };
    expect(command.examples?.length).toBeGreaterThan(0);
    using repo = new TestRepo();
    await using served = await gitHttp({ root: repo.root });
    const fetch =
      'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: fetch }\nspec: { url: "https://fetch.example.com/mcp" }\n';
    const web = createServer((_, response) => response.end(fetch.replace('name: fetch', 'name: shared')));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    for (const example of command.examples ?? []) {
      repo.push({
        ...CONFIG,
        'servers/scratch.yaml': PAGER.replace('pager', 'scratch'),
        'projects/scratch.yaml': 'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: scratch }\n',
        'ops.txt': '',
      });
      repo.push({ 'projects.yaml': PROJECTS.replace('pager, ', '').replace('ops', 'duty') });
      using folder = new Folder({});
      repo.git('clone', '--quiet', repo.remote, folder.path);
      folder.write('../fetch.yaml', fetch);
      folder.write('../more/x.yaml', fetch.replace('name: fetch', 'name: more'));
      const line = example
        .replace('https://git.example.com/config.git', served.url('config.git'))
        .replace('https://example.com/', `http://127.0.0.1:${(web.address() as AddressInfo).port}/`);
      if (line.startsWith('slipway get ') && !line.includes('--local')) continue; // With a running Slipway: below.
      let piped = '';
      for (const part of line.split(' | ')) {
        const [program, ...args] = splitWords(part);
        expect(program).toBe('slipway');
        const result = await folder.run(args, piped, {
          ...editor(folder, "writeFileSync(file, text + '# edited\\n');"),
          GIT_AUTHOR_NAME: 'A',
          GIT_AUTHOR_EMAIL: 'a@example.com',
        });
        expect([part, result.code, result.err.replace(/committed .*/, '')]).toEqual([part, 0, '']);
        piped = result.out;
      }
    }
    web.close();
  });
});

test('what the README shows works in a repo that init has made', { timeout: 60_000 }, async () => {
  using repo = new TestRepo();
  using folder = new Folder({});
  mkdirSync(folder.path, { recursive: true });
  const identity = {
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@example.com',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@example.com',
  };
  await folder.run(['init', '.'], '', identity);
  repo.git('-C', folder.path, 'push', '--quiet', repo.remote, 'HEAD:main');
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const lines = /knows kubectl[^`]*```sh\n([^`]*)```/.exec(readme)?.[1]?.trim().split('\n') ?? [];
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines) {
    let piped = '';
    for (const part of line
      .replace(/ +#.*/, '')
      .replace(/git@git\S+/, repo.url)
      .split(' | ')) {
      const { code, out, err } = await folder.run(splitWords(part).slice(1), piped, identity);
      expect([part, code, err.replace(/committed .*/, '')]).toEqual([part, 0, '']);
      piped = out;
    }
  }
  expect(repo.git('-C', folder.path, 'log', '-1', '--format=%s')).toBe('More of it');
  repo.git('fetch', '--quiet');
  expect(repo.git('log', '-1', '--format=%s', 'origin/main')).toBe('patched server/hello');
  expect(repo.git('-C', folder.path, 'show', 'ops:projects/ops.yaml')).toContain('name: ops');
});

test('the real program: piped in, against a running Slipway', { timeout: 120_000 }, async () => {
  await using desk = new Desk();
  desk.push({
    'hello.mjs': HELLO_PROGRAM,
    'servers/github.yaml': GITHUB.replace('"server.mjs"', 'hello.mjs').replace('replicas: 2', 'files: [hello.mjs]'),
    'servers/pager.yaml': PAGER,
    'projects.yaml': PROJECTS,
  });
  await desk.up();
  await desk.sync();
  const get = (...args: string[]) => desk.slipway(['get', ...args, '--state-dir', desk.state]);
  for (const example of (await COMMANDS['get']?.load())?.command.examples ?? []) {
    if (example.includes('--watch')) continue; // It goes on: in read.test.ts.
    const { code, err } = await get(...splitWords(example).slice(2));
    expect([example, code, err.replace('There is none.', '')]).toEqual([example, 0, '']);
  }
  expect((await get('servers', 'git*', '-o', 'wide')).out).toMatch(
    /^NAME +READY +STATE +TOOLS +REASON +AGE +TRANSPORT +RUNS +REV +SOURCE +LABELS\ngithub .* servers\/github.yaml:4 +team=core$/,
  );
  expect((await get('servers', '-l', 'team!=core', '-o', 'name')).out).toBe('server/pager');
  expect((await get('server/pager', 'project/dev', '-o', 'name')).out).toBe('server/pager\nproject/dev');
  expect((await get('srv,proj', 'd*', '-o', 'name')).out).toBe('project/dev');
  expect((await get('server', 'pagre')).err).toContain('There is no Server named pagre. [not-found]');
  const { out } = await get('all', '-o', 'yaml');
  expect(out).not.toContain('plain-text-token');
  const main = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
  const applied = spawnSync(process.execPath, [main, 'apply', '-f', '-'], {
    cwd: desk.config,
    env: desk.env(),
    input: out,
    encoding: 'utf8',
  });
  expect([applied.status, applied.stderr]).toEqual([0, '']);
  expect(
    applied.stdout
      .trim()
      .split('\n')
      .every((line) => line.includes(' unchanged ')),
  ).toBe(true);
  expect(desk.git(desk.config, 'status', '--porcelain')).toBe('');
});

import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { gitSource } from '../../reconciler/source/git.ts';
import { gitHttp } from '../helpers/git-http.ts';
import { git, TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';
import { gitPromises, type Served } from './git-promises.ts';
import { contents, never, sourceContract, type SourceHarness } from './source.ts';

const PASSWORD = 'correct-horse-battery';

async function overFile(): Promise<Served> {
  const repo = new TestRepo();
  return { repo, url: repo.url, [Symbol.asyncDispose]: async () => repo[Symbol.dispose]() };
}

async function overHttp(): Promise<Served> {
  const stack = new AsyncDisposableStack();
  const repo = stack.use(new TestRepo());
  const host = stack.use(await gitHttp({ root: repo.root, credentials: `bot:${PASSWORD}` }));
  const url = host.url('config.git', `bot:${PASSWORD}`);
  return { repo, url, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

for (const [name, serve] of [
  ['git over file://', overFile],
  ['git over HTTP', overHttp],
] as const) {
  sourceContract(name, async (): Promise<SourceHarness> => {
    const stack = new AsyncDisposableStack();
    const { repo, url } = stack.use(await serve());
    const dir = stack.use(tempDir());
    let count = 0;
    return {
      put: (files) => void repo.push(files),
      open: (path = '') => gitSource({ url, path, mirror: dir.at(`mirror-${count++}.git`) }),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  });
  gitPromises(serve);
}

test.for(['bot:wrong-password-7', undefined])('wrong credentials (%s) are told without being shown', async (user) => {
  using repo = new TestRepo();
  using dir = tempDir();
  repo.push({ 'a.yaml': 'a: 1\n' });
  await using host = await gitHttp({ root: repo.root, credentials: `bot:${PASSWORD}` });
  const source = gitSource({ url: host.url('config.git', user), mirror: dir.at('mirror.git') });
  const error = await source.fetch(never()).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'source-unreachable' });
  expect(`${(error as Error).message} ${source.description}`).not.toContain('wrong-password-7');
  expect(source.description).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/config\.git$/);
});

test.for([
  ['nobody listens', 'http://bot:s3cret-s3cret@127.0.0.1:1/config.git'],
  ['there is no such folder', 'file:///nonexistent/config.git'],
  ['there is no such host', 'https://bot:s3cret-s3cret@host.invalid/config.git'],
  ['the password holds a slash', 'http://bot:s3cret-s3cret/x@127.0.0.1:1/config.git'],
  ['the password holds an at sign', 'http://bot:x@s3cret-s3cret@127.0.0.1:1/config.git'],
])('where %s, the source is unreachable, and no credential is told', async ([, url = '']) => {
  using dir = tempDir();
  const source = gitSource({ url, mirror: dir.at('mirror.git') });
  for (const attempt of [source.probe, source.fetch]) {
    const error = await attempt(never()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'source-unreachable' });
    expect(`${(error as Error).message} ${source.description}`).not.toContain('s3cret');
  }
});

test('a clone that is shallow, as those of CI are, is read as any other', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  for (const at of [1, 2, 3]) repo.push({ 'a.yaml': `a: ${at}\n` });
  git(dir.path, 'clone', '--quiet', '--depth', '2', repo.url, 'shallow');
  const source = gitSource({ url: dir.at('shallow'), mirror: dir.at('mirror.git') });
  const { id } = await source.fetch(never());
  const [file] = await source.files(id, never());
  expect(file?.path).toBe('a.yaml');
  repo.push({ 'a.yaml': 'a: 4\n' });
  git(dir.at('shallow'), 'pull', '--quiet');
  expect((await source.fetch(never())).id).not.toBe(id);
});

test.for(['Host key verification failed.', 'git@example.com: Permission denied (publickey).'])(
  'over ssh, the reason is told: %s',
  async (why) => {
    using dir = tempDir();
    const ssh = dir.at('ssh');
    writeFileSync(
      ssh,
      `#!/bin/sh\necho 'Warning: added to the list of known hosts.' >&2\necho '${why}' >&2\nexit 255\n`,
    );
    chmodSync(ssh, 0o755);
    vi.stubEnv('GIT_SSH_COMMAND', ssh);
    onTestFinished(() => void vi.unstubAllEnvs());
    const source = gitSource({ url: 'git@example.com:x/y.git', mirror: dir.at('mirror.git') });
    await expect(source.probe(never())).rejects.toThrow(`${why} fatal: Could not read from remote repository.`);
  },
);

test('a remote that comes back is read again', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  repo.push({ 'a.yaml': 'a: 1\n' });
  const host = await gitHttp({ root: repo.root });
  const down = gitSource({ url: host.url('config.git'), mirror: dir.at('mirror.git') });
  await down.fetch(never());
  await host[Symbol.asyncDispose]();
  await expect(down.probe(never())).rejects.toMatchObject({ code: 'source-unreachable' });
  const up = gitSource({ url: repo.url, mirror: dir.at('mirror.git') });
  repo.push({ 'a.yaml': 'a: 2\n' });
  expect(await contents(up)).toEqual({ 'a.yaml': 'a: 2\n' });
});

test('a URL cannot smuggle an option or a command in', async () => {
  using dir = tempDir();
  const open = (url: string, ref?: string) =>
    gitSource({ url, mirror: dir.at('mirror.git'), ...(ref === undefined ? {} : { ref }) });
  expect(() => open(`--upload-pack=touch ${dir.at('hacked')}`)).toThrow();
  await expect(open(`ext::touch ${dir.at('hacked')}`).fetch(never())).rejects.toMatchObject({
    code: 'source-unreachable',
  });
  using repo = new TestRepo();
  repo.push({ 'a.yaml': 'a: 1\n' });
  await expect(open(repo.url, `--upload-pack=touch ${dir.at('hacked')}`).fetch(never())).rejects.toThrow();
  expect(existsSync(dir.at('hacked'))).toBe(false);
});

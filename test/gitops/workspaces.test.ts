/** Repositories and folders that are kept ready: what is in a tree, what never is, and that nobody sees half of one. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { select } from '../../reconciler/workspaces/select.ts';
import type { WorkspaceSpec } from '../../reconciler/workspaces/spec.ts';
import { workspaceConditions } from '../../reconciler/workspaces/status.ts';
import { Workspaces } from '../../reconciler/workspaces/workspaces.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { gitHttp } from '../helpers/git-http.ts';
import { git, TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';
import { until } from '../helpers/until.ts';

type Wish = Partial<Omit<WorkspaceSpec, 'from'>> & { url?: string; path?: string; ref?: string };

function spec({ name = 'docs', url = '', path, ref, ...more }: Wish): WorkspaceSpec {
  return {
    name,
    address: `Workspace/${name}`,
    from: path === undefined ? { type: 'git', url, ...(ref === undefined ? {} : { ref }) } : { type: 'path', path },
    schedule: '0 0 1 1 *',
    onWebhook: true,
    timeoutMs: 60_000,
    include: [],
    exclude: [],
    maxBytes: 2 ** 30,
    maxFileBytes: 2 ** 20,
    ...more,
  };
}

/** Workspaces in a directory of their own, each synced once. */
async function made(...specs: WorkspaceSpec[]) {
  const dir = tempDir();
  const listeners = new Set<() => void>();
  const all = new Workspaces({
    dir: dir.at('workspaces'),
    secrets: async ({ key }) => (key === 'username' ? 'ada' : 'hunter2'),
    log: () => {},
    changed: () => listeners.forEach((listener) => listener()),
  });
  all.configure(specs);
  if (specs.length > 0) await all.sync();
  const root = (name = 'docs'): string => dir.at(`workspaces/${name}`);
  return {
    all,
    root,
    read: (path: string, name = 'docs') => readFileSync(join(root(name), 'current', path), 'utf8'),
    facts: (name = 'docs') => all.facts().find((one) => one.spec.name === name),
    until: (condition: () => boolean) =>
      until((listener) => {
        listeners.add(listener);
        return { [Symbol.dispose]: () => void listeners.delete(listener) };
      }, condition),
    async [Symbol.asyncDispose]() {
      await all[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

const ready = (facts: Parameters<typeof workspaceConditions>[0] | undefined): string =>
  facts
    ? workspaceConditions(facts)
        .map(({ type, status, reason }) => `${type}:${status}=${reason}`)
        .join(' ')
    : '';

test('a tree is the files of the ref, whole, with what each sync changed', async () => {
  using repo = new TestRepo();
  const first = repo.push({
    'a.md': 'one',
    'src/b.ts': 'b',
    'run.sh': { executable: '#!/bin/sh\n' },
    '.github/x.yaml': 'x',
  });
  await using world = await made(spec({ url: repo.url, ref: 'main' }));
  expect(world.facts()).toMatchObject({ tree: { commit: first, files: 4, skipped: {} } });
  expect(world.read('src/b.ts')).toBe('b');
  expect(world.read('.github/x.yaml')).toBe('x');
  const second = repo.push({ 'a.md': 'two', 'src/b.ts': null, 'c.md': 'c' });
  expect(await world.all.sync(['docs'])).toMatchObject([{ name: 'docs', changed: true, commit: second }]);
  expect(world.read('a.md')).toBe('two');
  expect(existsSync(join(world.root(), 'current/src'))).toBe(false);
  const changes = JSON.parse(readFileSync(join(world.root(), 'changes.json'), 'utf8')) as unknown[];
  expect(changes).toMatchObject([
    { added: expect.arrayContaining(['a.md', 'src/b.ts']), changed: [], removed: [] },
    { added: ['c.md'], changed: ['a.md'], removed: ['src/b.ts'] },
  ]);
  expect(await world.all.sync()).toMatchObject([{ changed: false, commit: second }]);
});

test('readers never see half a tree, and the one they read stays while they do', async () => {
  using repo = new TestRepo();
  const files = (text: string) => Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`d${index}/f`, text]));
  repo.push(files('0'));
  await using world = await made(spec({ url: repo.url }));
  const lease = world.all.lease('docs');
  const over = new AbortController();
  const reader = (async () => {
    while (!over.signal.aborted) {
      const tree = realpathSync(join(world.root(), 'current'));
      const seen = new Set(Array.from({ length: 40 }, (_, index) => readFileSync(join(tree, `d${index}/f`), 'utf8')));
      expect(seen.size).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let round = 1; round <= 4; round++) {
    repo.push(files(String(round)));
    await world.all.sync();
  }
  over.abort();
  await reader;
  const trees = (): string[] => readdirSync(world.root()).filter((name) => /^[0-9a-f]{40}/.test(name));
  // The newest, the one before, and the one that is leased.
  expect(trees()).toHaveLength(3);
  expect(readFileSync(join(lease?.path ?? '', 'd0/f'), 'utf8')).toBe('0');
  lease?.[Symbol.dispose]();
  repo.push(files('5'));
  await world.all.sync();
  expect(trees()).toHaveLength(2);
});

test('links, submodules, large files and unsafe names are left out, and filters and hooks never run', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  const marker = dir.at('ran');
  repo.push({
    'ok.txt': 'ok',
    'big.bin': 'x'.repeat(2000),
    shadow: { link: '/etc/passwd' },
    up: { link: '../../..' },
    '.gitattributes': '*.txt filter=evil\n',
    '.gitmodules': `[submodule "m"]\n  path = m\n  url = ${repo.url}\n`,
  });
  git(repo.work, 'update-index', '--add', '--cacheinfo', `160000,${git(repo.work, 'rev-parse', 'HEAD')},m`);
  git(repo.work, 'commit', '--quiet', '--message', 'a submodule');
  git(repo.work, 'push', '--quiet', 'origin', 'HEAD');
  writeFileSync(join(repo.remote, 'config'), `[filter "evil"]\n  smudge = touch ${marker}\n`, { flag: 'a' });
  await using world = await made(spec({ url: repo.url, maxFileBytes: 1000 }));
  expect(world.facts()?.tree).toMatchObject({ files: 3, skipped: { symlink: 2, submodule: 1, 'too-large': 1 } });
  expect(world.read('ok.txt')).toBe('ok');
  for (const name of ['shadow', 'up', 'm', 'big.bin'])
    expect(existsSync(join(world.root(), 'current', name)), name).toBe(false);
  expect(existsSync(marker)).toBe(false);
  expect(existsSync(join(world.root(), 'mirror.git/hooks'))).toBe(false);
});

test.each([
  '../x',
  'a/../../x',
  '/etc/x',
  '.git/hooks/post-checkout',
  'a/.GIT/config',
  'git~1/x',
  'a//b',
  './a',
  'x'.repeat(300),
])('a path that would lead elsewhere is left out: %s', (path) => {
  const entry = { path, id: '0', bytes: 1, type: 'file' } as const;
  const limits = { include: [], exclude: [], maxBytes: 10, maxFileBytes: 10 };
  expect(select([entry, { ...entry, path: 'fine' }], limits)).toMatchObject({
    files: [{ path: 'fine' }],
    skipped: { 'unsafe-path': 1 },
  });
});

test('what is included and excluded decides, and more than maxSize keeps the tree before', async () => {
  using repo = new TestRepo();
  repo.push({ 'docs/a.md': 'a', 'docs/b.png': 'b', 'src/c.ts': 'c' });
  await using world = await made(
    spec({ url: repo.url, include: ['docs/*', '*.ts'], exclude: ['*.png'], maxBytes: 100 }),
  );
  expect(world.facts()?.tree).toMatchObject({ files: 2 });
  repo.push({ 'docs/a.md': 'x'.repeat(200) });
  expect(await world.all.sync()).toMatchObject([{ error: { code: 'workspace-too-large' } }]);
  expect(world.read('docs/a.md')).toBe('a');
  expect(ready(world.facts())).toBe('Ready:True=Succeeded Reconciling:True=WorkspaceTooLarge');
});

test('one that fails stops no other, and a name that there is not is told', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  repo.push({ 'a.md': 'a' });
  await using world = await made(
    spec({ url: `file://${dir.at('gone.git')}`, name: 'broken' }),
    spec({ path: dir.at('nowhere'), name: 'folder' }),
    spec({ url: repo.url }),
  );
  const results = await world.all.sync();
  expect(results.map(({ name, error }) => [name, error?.code])).toEqual([
    ['broken', 'source-unreachable'],
    ['folder', 'path-not-found'],
    ['docs', undefined],
  ]);
  expect(ready(world.facts('broken'))).toBe('Ready:False=SourceUnreachable');
  expect(ready(world.facts('folder'))).toBe('Ready:False=PathNotFound');
  await expect(world.all.sync(['doc'])).rejects.toMatchObject({ code: 'not-found', hint: 'Did you mean docs?' });
  // It heals when the folder is there, and is not ready when it is gone again.
  mkdirSync(dir.at('nowhere'));
  writeFileSync(dir.at('nowhere/x'), 'x');
  symlinkSync('/etc', dir.at('nowhere/etc'));
  await world.all.sync(['folder']);
  expect(world.facts('folder')?.tree).toMatchObject({ files: 1, skipped: { symlink: 1 } });
  expect(readlinkSync(join(world.root('folder'), 'current'))).toBe(dir.at('nowhere'));
  rmSync(dir.at('nowhere'), { recursive: true });
  await world.all.sync(['folder']);
  expect(ready(world.facts('folder'))).toBe('Ready:False=PathNotFound');
});

test('a server that is away, a force-push, a ref that is gone and a broken mirror: the last tree stays or the next one comes', async () => {
  using repo = new TestRepo();
  repo.push({ 'a.md': '1' });
  await using world = await made(spec({ url: repo.url, ref: 'main' }));
  git(repo.work, 'commit', '--quiet', '--amend', '--message', 'rewritten');
  repo.push({ 'a.md': '2' });
  await world.all.sync();
  expect(world.read('a.md')).toBe('2');
  rmSync(join(world.root(), 'mirror.git/objects'), { recursive: true });
  repo.push({ 'a.md': '3' });
  expect((await world.all.sync())[0]?.error).toBeUndefined();
  expect(world.read('a.md')).toBe('3');
  git(repo.remote, 'branch', '--quiet', '-m', 'main', 'other');
  expect(await world.all.sync()).toMatchObject([{ error: { code: 'ref-not-found' } }]);
  expect(world.read('a.md')).toBe('3');
});

test('credentials come from a Secret, go to nobody else, and stand in no error', async () => {
  using repo = new TestRepo();
  repo.push({ 'a.md': 'a' });
  await using host = await gitHttp({ root: repo.root, credentials: 'ada:hunter2' });
  const use = (key: string) => ({ secret: 'git', key, from: { env: 'X' } });
  const credentials = { username: use('username'), password: use('password') };
  const heard: (string | undefined)[] = [];
  const elsewhere = createServer((request, response) => {
    heard.push(request.headers.authorization);
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  const redirecting = createServer((request, response) => {
    const { port } = elsewhere.address() as AddressInfo;
    response.writeHead(302, { location: `http://127.0.0.1:${port}${request.url ?? ''}` }).end();
  });
  await new Promise<void>((resolve) => redirecting.listen(0, '127.0.0.1', resolve));
  const { port } = redirecting.address() as AddressInfo;
  await using world = await made(
    { ...spec({}), from: { type: 'git', url: host.url('config.git'), credentials } },
    { ...spec({ name: 'lured' }), from: { type: 'git', url: `http://127.0.0.1:${port}/config.git`, credentials } },
    { ...spec({ name: 'nobody' }), from: { type: 'git', url: host.url('config.git') } },
  );
  expect(world.read('a.md')).toBe('a');
  expect(heard).toEqual([]);
  expect(world.facts('lured')?.error).toBeInstanceOf(SlipwayError);
  expect(world.facts('nobody')?.error?.code).toBe('source-unreachable');
  const told = JSON.stringify(world.all.facts().map(({ error }) => [error?.message, error?.hint]));
  for (const secret of ['hunter2', Buffer.from('ada:hunter2').toString('base64')]) expect(told).not.toContain(secret);
  redirecting.close();
  elsewhere.close();
});

test('a push that a forge tells of is looked at, if it is about the ref', async () => {
  using repo = new TestRepo();
  repo.push({ 'a.md': '1' });
  await using world = await made(
    spec({ url: repo.url, ref: 'main' }),
    spec({ url: repo.url, name: 'deaf', onWebhook: false }),
  );
  const commit = repo.push({ 'a.md': '2' });
  const name = `${repo.root.split('/').at(-1)}/config`;
  expect(world.all.pushed(name, 'refs/heads/other')).toEqual([]);
  expect(world.all.pushed('somebody/else', 'refs/heads/main')).toEqual([]);
  expect(world.all.pushed(name, 'refs/heads/main')).toEqual(['docs']);
  await world.until(() => world.facts()?.tree?.commit === commit);
});

test('after a restart the tree is there without the network; what leaves the config leaves no files', async () => {
  using repo = new TestRepo();
  const commit = repo.push({ 'a.md': '1' });
  await using world = await made(spec({ url: repo.url }), spec({ url: repo.url, name: 'other' }));
  await using again = new Workspaces({
    dir: join(world.root(), '..'),
    secrets: async () => '',
    log: () => {},
    changed: () => {},
  });
  rmSync(repo.remote, { recursive: true });
  again.configure([spec({ url: repo.url })]);
  expect(again.facts()).toMatchObject([{ tree: { commit } }]);
  expect(existsSync(world.root('other'))).toBe(false);
  await again.sync();
  expect(again.facts()).toMatchObject([{ tree: { commit }, error: { code: 'source-unreachable' } }]);
});

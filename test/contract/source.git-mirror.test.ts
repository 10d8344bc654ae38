/** The mirror is a cache: whatever happened to it, it is made anew. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as isomorphic from 'isomorphic-git';
import fs from 'node:fs';
import { expect, test } from 'vitest';
import { gitSource } from '../../reconciler/source/git.ts';
import { git, TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';
import { contents, never } from './source.ts';

function objects(mirror: string): string[] {
  const dir = join(mirror, 'objects');
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function writable(path: string): string {
  chmodSync(path, 0o644);
  return path;
}

const DAMAGE: Record<string, (mirror: string) => void> = {
  'all objects deleted': (mirror) => rmSync(join(mirror, 'objects'), { recursive: true }),
  'packs truncated': (mirror) => objects(mirror).forEach((path) => truncateSync(writable(path), 7)),
  'every object emptied': (mirror) => objects(mirror).forEach((path) => truncateSync(writable(path), 0)),
  'garbage in HEAD': (mirror) => writeFileSync(join(mirror, 'HEAD'), 'garbage\n'),
  'garbage in the config': (mirror) => writeFileSync(join(mirror, 'config'), '[core\n'),
  'garbage in the ref': (mirror) => writeFileSync(join(mirror, 'refs/slipway/head'), 'garbage\n'),
  'a ref to nothing': (mirror) => writeFileSync(join(mirror, 'refs/slipway/head'), `${'1'.repeat(40)}\n`),
  'a lock left by a killed git': (mirror) => writeFileSync(join(mirror, 'refs/slipway/head.lock'), ''),
  'a file in its place': (mirror) => {
    rmSync(mirror, { recursive: true });
    writeFileSync(mirror, 'not a repository');
  },
  'an empty folder in its place': (mirror) =>
    readdirSync(mirror).forEach((name) => rmSync(join(mirror, name), { recursive: true })),
};

test.for(
  Object.keys(DAMAGE).flatMap(
    (name) =>
      [
        [name, 'nothing new'],
        [name, 'a new commit'],
      ] as const,
  ),
)('a mirror with %s heals (%s)', async ([damage, news]) => {
  using repo = new TestRepo();
  using dir = tempDir();
  const mirror = dir.at('mirror.git');
  const source = gitSource({ url: repo.url, mirror });
  repo.push({ 'a.yaml': 'a: 1\n', 'b/c.yaml': 'c: 1\n' });
  await contents(source);
  DAMAGE[damage]?.(mirror);
  if (news === 'a new commit') repo.push({ 'a.yaml': 'a: 2\n' });
  const wanted = { 'a.yaml': news === 'a new commit' ? 'a: 2\n' : 'a: 1\n', 'b/c.yaml': 'c: 1\n' };
  // One pass may fail while it finds out; the next has to work.
  const healed = await contents(source).catch(() => contents(source));
  expect(healed).toEqual(wanted);
});

test('a damaged blob is noticed when it is read, and heals', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  const mirror = dir.at('mirror.git');
  const source = gitSource({ url: repo.url, mirror });
  repo.push({ 'a.yaml': `${'a: 1\n'.repeat(100)}` });
  const wanted = await contents(source);
  const blob = git(repo.work, 'rev-parse', 'HEAD:a.yaml');
  const loose = join(mirror, 'objects', blob.slice(0, 2), blob.slice(2));
  expect(objects(mirror)).toContain(loose);
  writeFileSync(writable(loose), readFileSync(loose).fill(0x55, 10));
  expect(await contents(source).catch(() => contents(source))).toEqual(wanted);
});

test('a mirror inside another repository never touches that one', async () => {
  using repo = new TestRepo();
  using outer = new TestRepo();
  outer.push({ 'x.yaml': 'x: 1\n' });
  const mirror = join(outer.work, 'mirror.git');
  const source = gitSource({ url: repo.url, mirror });
  repo.push({ 'a.yaml': 'a: 1\n' });
  await contents(source);
  const before = outer.git('for-each-ref');
  writeFileSync(join(mirror, 'HEAD'), 'garbage\n');
  repo.push({ 'a.yaml': 'a: 2\n' });
  expect(await contents(source).catch(() => contents(source))).toEqual({ 'a.yaml': 'a: 2\n' });
  expect(outer.git('for-each-ref')).toBe(before);
});

test('variables of git around us (a hook, for instance) do not lead elsewhere', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  using outer = new TestRepo();
  outer.push({ 'x.yaml': 'x: 1\n' });
  repo.push({ 'a.yaml': 'a: 1\n' });
  const module = new URL('../../reconciler/source/git.ts', import.meta.url).href;
  const script = `const { gitSource } = await import('${module}');
    const source = gitSource({ url: '${repo.url}', mirror: '${dir.at('mirror.git')}' });
    const signal = new AbortController().signal;
    const { id } = await source.fetch(signal);
    console.log((await source.files(id, signal)).map((file) => file.path).join());`;
  const env = { ...process.env, GIT_DIR: join(outer.work, '.git'), GIT_INDEX_FILE: dir.at('index') };
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' });
  expect(output.trim()).toBe('a.yaml');
  expect(outer.git('for-each-ref', 'refs/slipway')).toBe('');
});

test('commits of another implementation of git are read, and ours by it', async () => {
  using dir = tempDir();
  const work = dir.at('work');
  await isomorphic.init({ fs, dir: work, defaultBranch: 'main' });
  fs.mkdirSync(join(work, 'ordner'));
  appendFileSync(join(work, 'ordner', 'Grüße.yaml'), 'a: 1\n');
  await isomorphic.add({ fs, dir: work, filepath: 'ordner/Grüße.yaml' });
  const author = { name: 'Grace', email: 'grace@example.com' };
  const id = await isomorphic.commit({ fs, dir: work, message: 'from elsewhere', author });
  const source = gitSource({ url: work, path: './ordner/', mirror: dir.at('mirror.git') });
  expect(await source.fetch(never())).toMatchObject({ id, author: 'Grace <grace@example.com>' });
  expect(await contents(source)).toEqual({ 'Grüße.yaml': 'a: 1\n' });
  expect(await isomorphic.resolveRef({ fs, gitdir: dir.at('mirror.git'), ref: 'refs/slipway/head' })).toBe(id);
});

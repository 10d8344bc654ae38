/** From a tree of files to resources, or to everything that is wrong with them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { load } from '../../reconciler/load.ts';
import { memoryParseCache, parseCache, type ParseCache } from '../../reconciler/parse-cache.ts';
import { directorySource } from '../../reconciler/source/directory.ts';
import { gitSource } from '../../reconciler/source/git.ts';
import type { Source } from '../../reconciler/source/source.ts';
import { memoryServer, resource, server } from '../helpers/config.ts';
import { writeGeneratedCases } from '../helpers/corpus.ts';
import { TestRepo, writeFiles, type Files } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

const never = (): AbortSignal => new AbortController().signal;

async function loadFrom(source: Source, cache: ParseCache = memoryParseCache()) {
  const { id } = await source.fetch(never());
  return load(source, id, cache, never());
}

async function loadFiles(files: Files) {
  using dir = tempDir();
  writeFiles(dir.path, files);
  return await loadFrom(directorySource(dir.path));
}

test('every YAML file is read, whatever else lies around', async () => {
  const loaded = await loadFiles({
    'a.yaml': memoryServer('a'),
    'deep/er/b.yml': `${memoryServer('b')}\n---\n${memoryServer('c')}\n`,
    'slipway.lock.yaml': 'formatVersion: 1\n',
    'team/slipway.lock.yaml': 'not: [a resource\n',
    '.github/ci.yaml': 'not: [a resource\n',
    'README.md': '# hi\n',
    'empty.yaml': '',
  });
  expect(loaded.issues).toEqual([]);
  expect(loaded.resources.map((entry) => entry.metadata.name).sort()).toEqual(['a', 'b', 'c']);
});

test('all issues of all files come at once, in the order in which people read them', async () => {
  const { issues } = await loadFiles({
    'b.yaml': memoryServer('b', 'v1', { descriptoin: 'x' }),
    'a.yaml': 'kind: [oops\n',
    'c.yaml': memoryServer('c', 'v1', { dependsOn: ['nobody'], files: ['gone.txt'] }),
    'd.yaml': memoryServer('c'),
  });
  expect(issues.map((issue) => `${issue.file} ${issue.code}`)).toEqual([
    'a.yaml yaml-syntax',
    'b.yaml unknown-field',
    'c.yaml dangling-reference',
    'c.yaml dangling-reference',
    'd.yaml duplicate-resource',
  ]);
  for (const { line, column } of issues) expect(line * column).toBeGreaterThan(0);
});

test('a folder in the place of a file is told apart from what is not there', async () => {
  const { issues } = await loadFiles({
    'a.yaml': memoryServer('a', 'v1', { files: ['lib', 'lib/b.mjs', 'lib/c.mjs'] }),
    'lib/a.mjs': '',
    'lib/b.mjs': '',
  });
  expect(issues.map(({ message, hint }) => [message, hint])).toEqual([
    ['lib is a folder.', 'Name the files that are needed of it: lib/a.mjs, lib/b.mjs.'],
    ['There is no file lib/c.mjs.', expect.stringContaining('Did you mean lib/')],
  ]);
});

test('cases that git cannot hold are refused, with the right code', async () => {
  using dir = tempDir();
  const cases = await writeGeneratedCases(dir.path);
  expect(cases.length).toBeGreaterThan(5);
  for (const { name, expected } of cases) {
    const { issues } = await loadFrom(directorySource(dir.at(name)));
    const seen = issues.map(({ file, line, column, code, path }) => ({ file, line, column, code, path }));
    expect({ name, seen }).toEqual({ name, seen: expected });
  }
});

test('a link in a git tree is refused, and its target never read', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  repo.push({ 'a.yaml': { link: '/etc/passwd' }, 'b.yaml': memoryServer('b') });
  const { issues } = await loadFrom(gitSource({ url: repo.url, mirror: dir.at('mirror.git') }));
  expect(issues).toMatchObject([{ file: 'a.yaml', code: 'symlink' }]);
});

test('files that a server needs are known by their content, or missed with a hint', async () => {
  const files = { 'conf/a.json': '{}', 'run.sh': { executable: '#!/bin/sh\n' } };
  const wanted = server('tiny', 'good', [], { files: ['conf/a.json', 'run.sh'] });
  const loaded = await loadFiles({ ...files, 'a.yaml': wanted, 'unused.txt': 'x' });
  expect(loaded.files).toMatchObject([
    { path: 'conf/a.json', executable: false },
    { path: 'run.sh', executable: true },
  ]);
  const missing = await loadFiles({ ...files, 'a.yaml': server('tiny', 'good', [], { files: ['conf/b.json'] }) });
  expect(missing.issues).toMatchObject([
    { file: 'a.yaml', path: 'spec.files[0]', code: 'dangling-reference', hint: 'Did you mean conf/a.json?' },
  ]);
  const linked = await loadFiles({ 'a.yaml': server('t', 'good', [], { files: ['x'] }), x: { link: '/etc/passwd' } });
  expect(linked.issues).toMatchObject([{ path: 'spec.files[0]', code: 'symlink' }]);
});

test('a folder and a commit of it load alike', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  repo.push({ 'a.yaml': server('tiny', 'good', [], { files: ['x.json'] }), 'x.json': '{}' });
  const fromGit = await loadFrom(gitSource({ url: repo.url, mirror: dir.at('mirror.git') }));
  const fromFolder = await loadFrom(directorySource(repo.work));
  expect({ ...fromFolder, commit: '' }).toEqual({ ...fromGit, commit: '' });
});

/** Counts what is read, and reads it. */
function counting(source: Source): Source & { readonly count: number } {
  let count = 0;
  return {
    ...source,
    get count() {
      return count;
    },
    read: (revision, files, signal) => {
      count += files.length;
      return source.read(revision, files, signal);
    },
  };
}

test('what was parsed once is not read again, also after a restart; what changed is', async () => {
  using dir = tempDir();
  writeFiles(dir.at('config'), { 'a.yaml': memoryServer('a'), 'b.yaml': memoryServer('b') });
  const source = counting(directorySource(dir.at('config')));
  const first = await loadFrom(source, parseCache(dir.at('cache.json')));
  expect(source.count).toBe(2);
  expect(await loadFrom(source, parseCache(dir.at('cache.json')))).toEqual(first);
  expect(source.count).toBe(2);
  writeFiles(dir.at('config'), { 'b.yaml': memoryServer('b', 'v2') });
  const second = await loadFrom(source, parseCache(dir.at('cache.json')));
  expect(source.count).toBe(3);
  expect(second.resources).not.toEqual(first.resources);
});

test('the same content under another name is another place, so it is not taken from the cache', async () => {
  using dir = tempDir();
  const cache = parseCache(dir.at('cache.json'));
  writeFiles(dir.at('config'), { 'a.yaml': memoryServer('a') });
  await loadFrom(directorySource(dir.at('config')), cache);
  writeFiles(dir.at('config'), { 'a.yaml': null, 'moved.yaml': memoryServer('a') });
  const { resources } = await loadFrom(directorySource(dir.at('config')), cache);
  expect(resources[0]?.source.file).toBe('moved.yaml');
  expect(
    Object.keys((JSON.parse(readFileSync(dir.at('cache.json'), 'utf8')) as { entries: object }).entries),
  ).toHaveLength(1);
});

test('files with issues are parsed every time, so that their issues stay', async () => {
  using dir = tempDir();
  writeFiles(dir.at('config'), { 'a.yaml': resource('Server', 'a', {}), 'b.yaml': memoryServer('b') });
  const source = directorySource(dir.at('config'));
  const first = await loadFrom(source, parseCache(dir.at('cache.json')));
  expect(first.issues).toHaveLength(1);
  expect((await loadFrom(source, parseCache(dir.at('cache.json')))).issues).toEqual(first.issues);
});

test.for(['', '{', '[]', 'null', '{"schemas":"of another version","entries":{}}', '{"schemas":1}'])(
  'a cache file that holds %j is as good as none',
  async (content) => {
    using dir = tempDir();
    writeFileSync(dir.at('cache.json'), content);
    writeFiles(dir.at('config'), { 'a.yaml': memoryServer('a') });
    const cache = parseCache(dir.at('cache.json'));
    expect((await loadFrom(directorySource(dir.at('config')), cache)).resources).toHaveLength(1);
  },
);

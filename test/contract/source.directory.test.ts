import { join } from 'node:path';
import { expect, test } from 'vitest';
import { directorySource } from '../../reconciler/source/directory.ts';
import { git, TestRepo, writeFiles } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';
import { contents, never, sourceContract } from './source.ts';

sourceContract('directory', async () => {
  const dir = tempDir();
  return {
    put: (files) => writeFiles(dir.at('config'), files),
    open: (path = '') => directorySource(dir.at('config', path)),
    [Symbol.asyncDispose]: async () => dir[Symbol.dispose](),
  };
});

test('a folder calls back when something changes in it, also deep down', async () => {
  using dir = tempDir();
  writeFiles(dir.path, { 'deep/a.yaml': 'a: 1\n' });
  const source = directorySource(dir.path);
  const { promise, resolve } = Promise.withResolvers<void>();
  using watch = source.watch?.(resolve);
  expect(watch).toBeDefined();
  writeFiles(dir.path, { 'deep/a.yaml': 'a: 2\n' });
  await promise;
  expect(await contents(source)).toEqual({ 'deep/a.yaml': 'a: 2\n' });
});

test('a file that changes between the listing and the reading makes the pass start again', async () => {
  using dir = tempDir();
  writeFiles(dir.path, { 'a.yaml': 'a: 1\n' });
  const source = directorySource(dir.path);
  const { id } = await source.fetch(never());
  const files = await source.files(id, never());
  writeFiles(dir.path, { 'a.yaml': 'a: 2\n' });
  await expect(source.read(id, files, never())).rejects.toMatchObject({ code: 'source-unreachable' });
  expect(await contents(source)).toEqual({ 'a.yaml': 'a: 2\n' });
});

test('a folder names contents as git does', async () => {
  using dir = tempDir();
  writeFiles(dir.path, { 'a.yaml': 'hello\n' });
  const source = directorySource(dir.path);
  const { id } = await source.fetch(never());
  // `echo hello | git hash-object --stdin`
  expect((await source.files(id, never()))[0]?.id).toBe('ce013625030ba8dba906f756967f9e9ca394464a');
});

test('as it would be committed, a working tree has nothing that git ignores, and of a submodule its name alone', async () => {
  using repo = new TestRepo();
  const files = {
    '.gitignore': 'build/\n*.local.yaml\n',
    'config/a.yaml': 'a: 1\n',
    'config/new.yaml': 'not: added yet\n',
    'config/b.local.yaml': 'b: 1\n',
    'config/build/out.yaml': 'out: 1\n',
    'config/kept.local.yaml': 'kept: 1\n',
  };
  writeFiles(repo.work, files);
  git(repo.work, 'add', '--force', 'config/kept.local.yaml');
  git(repo.work, 'init', '--quiet', 'config/module');
  writeFiles(repo.work, { 'config/module/c.yaml': 'c: 1\n' });
  const paths = async (asCommitted: boolean): Promise<string[]> => {
    const source = directorySource(join(repo.work, 'config'), { asCommitted });
    const { id } = await source.fetch(never());
    return (await source.files(id, never())).map(({ path }) => path);
  };
  expect(await paths(true)).toEqual(['a.yaml', 'kept.local.yaml', 'module/', 'new.yaml']);
  expect(await paths(false)).toContain('build/out.yaml');
});

/** What every source promises. A source's own test hands in how to make one; the promises are the same for all. */
import { describe, expect, test } from 'vitest';
import type { Source, SourceFile } from '../../reconciler/source/source.ts';
import type { Files } from '../helpers/repo.ts';

export interface SourceHarness extends AsyncDisposable {
  /** Changes what the source should see next. */
  put(files: Files): void;
  /** A source of a folder of it; all of it by default. */
  open(path?: string): Source;
}

export const never = (): AbortSignal => new AbortController().signal;

/** Fetches, and gives all files by their path. */
export async function look(source: Source): Promise<Map<string, SourceFile>> {
  const revision = await source.fetch(never());
  const files = await source.files(revision.id, never());
  return new Map(files.map((file) => [file.path, file]));
}

/** Fetches, and gives the contents of all plain files by their path. */
export async function contents(source: Source): Promise<Record<string, string>> {
  const revision = await source.fetch(never());
  const files = (await source.files(revision.id, never())).filter(
    ({ type }) => type === 'file' || type === 'executable',
  );
  const buffers = await source.read(revision.id, files, never());
  return Object.fromEntries(files.map((file, index) => [file.path, buffers[index]?.toString('utf8') ?? '']));
}

export function sourceContract(name: string, make: () => Promise<SourceHarness>): void {
  describe(`the source ${name}`, () => {
    follows(make);
    listsFiles(make);
    test('what is given up ends with the reason', async () => {
      await using harness = await make();
      harness.put({ 'a.yaml': 'a: 1\n' });
      const source = harness.open();
      const { id } = await source.fetch(never());
      const files = await source.files(id, never());
      const reason = new Error('given up');
      const given = (): AbortSignal => AbortSignal.abort(reason);
      await expect(source.probe(given())).rejects.toBe(reason);
      await expect(source.fetch(given())).rejects.toBe(reason);
      await expect(source.read(id, files, given())).rejects.toSatisfy(
        (error) => error === reason || (error as Error).cause === reason,
      );
      const late = new AbortController();
      const fetching = source.fetch(late.signal);
      late.abort(reason);
      // It may have been faster, but it must not end in any other way.
      const [result] = await Promise.allSettled([fetching]);
      expect(result.status === 'fulfilled' ? result.value.id : result.reason).toBe(
        result.status === 'fulfilled' ? id : reason,
      );
      expect(await contents(source)).toEqual({ 'a.yaml': 'a: 1\n' });
    });
  });
}

function follows(make: () => Promise<SourceHarness>): void {
  test('probe and fetch name the same revision, and it changes exactly when the content does', async () => {
    await using harness = await make();
    harness.put({ 'a.yaml': 'a: 1\n', 'b/c.yaml': 'c: 1\n' });
    const source = harness.open();
    const seen = [await source.probe(never())];
    const changes: Files[] = [{ 'a.yaml': 'a: 2\n' }, { 'b/c.yaml': null }, { 'new.yaml': 'a: 2\n' }];
    for (const change of [...changes, { 'new.yaml': { executable: 'a: 2\n' } }]) {
      expect((await source.fetch(never())).id).toBe(seen.at(-1));
      expect(await source.probe(never())).toBe(seen.at(-1));
      harness.put(change);
      seen.push(await source.probe(never()));
    }
    expect(new Set(seen).size).toBe(5);
  });

  test('a change that keeps the size and follows at once is seen', async () => {
    await using harness = await make();
    harness.put({ 'a.yaml': 'version: 100\n' });
    const source = harness.open();
    for (let version = 101; version < 121; version++) {
      await source.probe(never());
      harness.put({ 'a.yaml': `version: ${version}\n` });
      expect(await contents(source)).toEqual({ 'a.yaml': `version: ${version}\n` });
    }
  });

  test('a second source of the same content knows it by the same ids', async () => {
    await using harness = await make();
    harness.put({ 'a.yaml': 'a: 1\n', 'b.yaml': 'b: 1\n' });
    const [one, two] = [await look(harness.open()), await look(harness.open())];
    expect([...one.values()].map((file) => file.id)).toEqual([...two.values()].map((file) => file.id));
  });
}

function listsFiles(make: () => Promise<SourceHarness>): void {
  test('files come with their exact bytes, whatever they hold and are called', async () => {
    await using harness = await make();
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256);
    const strange = [
      'Grüße/世界.yaml',
      'with space.yaml',
      '-dash.yaml',
      'quote"\'.yaml',
      'tab\tname.yaml',
      'new\nline.yaml',
    ];
    harness.put({
      'bytes.bin': bytes,
      'empty.yaml': '',
      'crlf.yaml': 'a: 1\r\nb: 2\r\n',
      ...Object.fromEntries(strange.map((path) => [path, path])),
    });
    const source = harness.open();
    const files = await look(source);
    expect([...files.keys()].sort()).toEqual(['bytes.bin', 'crlf.yaml', 'empty.yaml', ...strange].sort());
    const order = [...files.values()].toReversed();
    const { id } = await source.fetch(never());
    const read = await source.read(id, order, never());
    const byPath = new Map(order.map((file, index) => [file.path, read[index]]));
    expect(byPath.get('bytes.bin')?.equals(Buffer.from(bytes))).toBe(true);
    expect(files.get('bytes.bin')?.bytes).toBe(70_000);
    expect(byPath.get('empty.yaml')).toHaveLength(0);
    expect(byPath.get('crlf.yaml')?.toString()).toBe('a: 1\r\nb: 2\r\n');
    for (const path of strange) expect(byPath.get(path)?.toString()).toBe(path);
    expect(await source.read(id, [], never())).toEqual([]);
  });

  test('dot-folders and node_modules are left out, at any depth', async () => {
    await using harness = await make();
    harness.put({
      'a.yaml': 'a: 1\n',
      '.hidden.yaml': 'x: 1\n',
      '.github/workflows/ci.yaml': 'x: 1\n',
      'deep/.tool/x.yaml': 'x: 1\n',
      'node_modules/pkg/x.yaml': 'x: 1\n',
      'deep/node_modules/x.yaml': 'x: 1\n',
      'deep/er/b.yaml': 'b: 1\n',
    });
    expect([...(await look(harness.open())).keys()].sort()).toEqual(['a.yaml', 'deep/er/b.yaml']);
  });

  test('links are named and never followed, wherever they lead', async () => {
    await using harness = await make();
    harness.put({
      'a.yaml': 'a: 1\n',
      'folder/b.yaml': 'b: 1\n',
      'to-file.yaml': { link: 'a.yaml' },
      'to-folder': { link: 'folder' },
      'to-itself.yaml': { link: 'to-itself.yaml' },
      'to-nothing.yaml': { link: 'nothing.yaml' },
      'outside.yaml': { link: '/etc/passwd' },
      upwards: { link: '../../..' },
    });
    const files = await look(harness.open());
    const links = [...files.values()].filter((file) => file.type === 'symlink').map((file) => file.path);
    expect(links.sort()).toEqual(
      ['outside.yaml', 'to-file.yaml', 'to-folder', 'to-itself.yaml', 'to-nothing.yaml', 'upwards'].sort(),
    );
    expect(files.size).toBe(8);
  });

  test('a program is told from a text', async () => {
    await using harness = await make();
    harness.put({ 'run.mjs': { executable: '#!/usr/bin/env node\n' }, 'a.yaml': 'a: 1\n' });
    const files = await look(harness.open());
    expect([files.get('run.mjs')?.type, files.get('a.yaml')?.type]).toEqual(['executable', 'file']);
  });

  test('only the config path is seen, and paths are relative to it', async () => {
    await using harness = await make();
    harness.put({
      'prod/a.yaml': 'a: 1\n',
      'prod/b/c.yaml': 'c: 1\n',
      'production/x.yaml': 'x: 1\n',
      'y.yaml': 'y: 1\n',
    });
    expect(await contents(harness.open('prod'))).toEqual({ 'a.yaml': 'a: 1\n', 'b/c.yaml': 'c: 1\n' });
  });

  test('a config path that does not exist is an error, not an empty config', async () => {
    await using harness = await make();
    harness.put({ 'a.yaml': 'a: 1\n' });
    await expect(look(harness.open('nowhere'))).rejects.toMatchObject({ code: 'path-not-found' });
  });
}

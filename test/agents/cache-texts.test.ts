/** Texts that models made: in memory, and on disk over restarts, never more than allowed, and never a wrong one. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TextCache, textKey } from '../../gateway/cache/texts.ts';
import { TextFiles } from '../../reconciler/text-files.ts';
import { CACHE_DEFAULTS, type CacheSettings } from '../../schemas/cache.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';

const SPACE = 'local--meta/llama-4:8b--titles';

let temp: TempDir;
let logged: string[];
beforeEach(() => {
  temp = tempDir();
  logged = [];
});
afterEach(() => temp[Symbol.dispose]());

const files = (settings: Partial<CacheSettings> = {}): TextFiles => {
  const made = new TextFiles({
    dir: temp.at('cache'),
    log: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`),
  });
  made.configure({ ...CACHE_DEFAULTS, ...settings });
  return made;
};

/** All that lies on disk. */
const paths = (): string[] =>
  readdirSync(temp.at('cache'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

const agedBy = (path: string, ms: number): void => {
  const then = new Date(Date.now() - ms);
  utimesSync(path, then, then);
};

describe('keys', () => {
  test('are of all that a text was made of, part by part', () => {
    expect(textKey('a')).toMatch(/^[0-9a-f]{64}$/);
    expect(textKey('ab', 'c')).not.toBe(textKey('a', 'bc'));
    expect(textKey('ab')).not.toBe(textKey('ab', ''));
    expect(textKey('ä')).toBe(textKey('ä'));
  });
});

test('what was set is found at once, after a restart, and by namespace', async () => {
  const cache = new TextCache(files());
  const key = textKey('a long result');
  expect(await cache.get(SPACE, key)).toBeUndefined();
  cache.set(SPACE, key, 'Ein Titel — «kurz»\n');
  expect(await cache.get(SPACE, key)).toBe('Ein Titel — «kurz»\n');
  await cache.settled();
  const restarted = new TextCache(files());
  expect(await restarted.get(SPACE, key)).toBe('Ein Titel — «kurz»\n');
  expect(await restarted.get('other--model--titles', key)).toBeUndefined();
  expect(await restarted.stats()).toMatchObject({
    memory: { entries: 1, maxEntries: 500 },
    disk: { namespaces: [{ namespace: SPACE, entries: 1 }], maxBytes: 256 * 1024 * 1024 },
    hits: 1,
    misses: 1,
  });
  const [path = ''] = paths();
  expect([statSync(path).mode & 0o777, statSync(join(path, '..')).mode & 0o777]).toEqual([0o600, 0o700]);
});

test('memory has its limit, and the disk what no longer fits there; without a disk it is memory alone', async () => {
  const cache = new TextCache(files());
  cache.configure({ ...CACHE_DEFAULTS, maxMemoryEntries: 3 });
  const keys = ['1', '2', '3', '4', '5'].map((text) => textKey(text));
  for (const key of keys) cache.set(SPACE, key, `of ${key}`);
  await cache.settled();
  expect((await cache.stats()).memory.entries).toBe(3);
  for (const key of keys) expect(await cache.get(SPACE, key)).toBe(`of ${key}`);
  const bare = new TextCache(undefined);
  bare.configure({ ...CACHE_DEFAULTS, maxMemoryEntries: 1 });
  for (const key of keys.slice(0, 2)) bare.set(SPACE, key, key);
  await bare.settled();
  expect([await bare.get(SPACE, keys[0] ?? ''), await bare.get(SPACE, keys[1] ?? '')]).toEqual([undefined, keys[1]]);
  expect(await bare.stats()).not.toHaveProperty('disk');
});

describe('on disk', () => {
  const text = 'x'.repeat(10_000);
  const keyOf = (at: number): string => textKey(String(at));

  test('what was used longest ago goes first when there is too much', async () => {
    const store = files({ max: { bytes: 100_000 } });
    for (let at = 0; at < 9; at++) await store.write(SPACE, keyOf(at), text);
    for (const path of paths()) agedBy(path, 60_000);
    expect(await store.read(SPACE, keyOf(0))).toBe(text);
    for (let at = 9; at < 12; at++) await store.write('b--b--b', keyOf(at), text);
    const { bytes, namespaces } = await store.stats();
    expect(bytes).toBeLessThanOrEqual(100_000);
    expect(namespaces.map(({ namespace }) => namespace)).toEqual(['b--b--b', SPACE]);
    expect(await store.read(SPACE, keyOf(0))).toBe(text);
    for (const at of [9, 10, 11]) expect(await store.read('b--b--b', keyOf(at))).toBe(text);
  });

  test('a share of the partition is a limit, too', async () => {
    const { maxBytes } = await files({ max: { percent: 10 } }).stats();
    const all = (await files({ max: { percent: 100 } }).stats()).maxBytes;
    expect(all).toBeGreaterThan(1024 * 1024);
    expect(maxBytes / all).toBeCloseTo(0.1, 3);
  });

  test('what nobody uses is forgotten, and what is used stays', async () => {
    const store = files({ ttlMs: 60_000 });
    await store.write(SPACE, keyOf(1), 'old');
    const [path = ''] = paths();
    agedBy(path, 59_000);
    expect(await store.read(SPACE, keyOf(1))).toBe('old');
    expect(statSync(path).mtimeMs).toBeGreaterThan(Date.now() - 30_000);
    agedBy(path, 61_000);
    expect(await store.read(SPACE, keyOf(1))).toBeUndefined();
    expect(paths()).toEqual([]);
    // Also what nobody ever asks for again, by whoever writes next after a start.
    await store.write(SPACE, keyOf(2), 'old');
    writeFileSync(join(path, '..', `${keyOf(3)}.1-1.tmp`), 'half');
    for (const each of paths()) agedBy(each, 3_600_000);
    await files({ ttlMs: 60_000 }).write(SPACE, keyOf(4), 'new');
    expect(paths()).toEqual([join(path, '..', `${keyOf(4)}.dat`)]);
    expect(logged).toEqual([]);
  });

  test('a text that is damaged, or another’s under its name, is none; that is told once', async () => {
    const store = files();
    await store.write(SPACE, keyOf(1), 'one');
    await store.write(SPACE, keyOf(2), 'two');
    for (const path of paths()) {
      const content = readFileSync(path);
      content[content.length - 1] = 0x21;
      writeFileSync(path, content);
    }
    expect(await store.read(SPACE, keyOf(1))).toBeUndefined();
    expect(await store.read(SPACE, keyOf(2))).toBeUndefined();
    expect(paths()).toEqual([]);
    expect(logged).toEqual([expect.stringMatching(/^error texts of language models .*is damaged/)]);
    for (const junk of ['', '\n', randomBytes(100).toString('latin1')]) {
      const folder = temp.at('cache', encodeURIComponent(SPACE));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${keyOf(3)}.dat`), junk);
      expect(await store.read(SPACE, keyOf(3))).toBeUndefined();
    }
  });

  test('a disk that takes nothing costs nothing but the texts after a restart; told once, and again when it does', async () => {
    writeFileSync(temp.at('cache'), 'a file where the folder should be');
    const store = files();
    const cache = new TextCache(store);
    for (const at of [1, 2, 3]) cache.set(SPACE, keyOf(at), `of ${at}`);
    await cache.settled();
    for (const at of [1, 2, 3]) expect(await cache.get(SPACE, keyOf(at))).toBe(`of ${at}`);
    expect(logged).toEqual([expect.stringMatching(/^error texts of language models cannot be kept on disk/)]);
    expect((await cache.stats()).disk?.lastError).toBeDefined();
    rmSync(temp.at('cache'));
    await store.write(SPACE, keyOf(4), 'well');
    expect(logged.slice(1)).toEqual([expect.stringMatching(/^info texts of language models are kept on disk again/)]);
    expect((await cache.stats()).disk).not.toHaveProperty('lastError');
  });

  test('names lead nowhere else, whatever a model is called', async () => {
    const store = files();
    for (const space of ['../../out', '..', '.', 'a/b\\c:d', `x--${'é'.repeat(300)}--y`, 'a%2Fb'])
      await store.write(space, keyOf(1), space);
    expect(readdirSync(temp.path)).toEqual(['cache']);
    expect(paths()).toHaveLength(6);
    for (const space of ['../../out', '..', '.', 'a/b\\c:d', `x--${'é'.repeat(300)}--y`, 'a%2Fb'])
      expect(await store.read(space, keyOf(1))).toBe(space);
    for (const key of ['../x', '', 'A'.repeat(64), `${keyOf(1)}x`]) {
      await store.write(SPACE, key, 'no');
      expect(await store.read(SPACE, key)).toBeUndefined();
    }
    expect(logged).toEqual([]);
  });

  test('it is cleared as a whole, by namespace, and by age; memory does not bring it back', async () => {
    const cache = new TextCache(files());
    for (const space of ['a--m--p', 'b--m--p']) for (const at of [1, 2]) cache.set(space, keyOf(at), space);
    await cache.settled();
    agedBy(temp.at('cache', 'a--m--p', `${keyOf(1)}.dat`), 3_600_000);
    expect(await cache.clear({ olderThanMs: 60_000 })).toMatchObject({ entries: 1 });
    expect(await cache.get('a--m--p', keyOf(1))).toBeUndefined();
    expect(await cache.get('a--m--p', keyOf(2))).toBe('a--m--p');
    expect(await cache.clear({ namespace: 'a--m--p' })).toMatchObject({ entries: 1 });
    expect(await cache.get('a--m--p', keyOf(2))).toBeUndefined();
    expect(await cache.clear({ namespace: 'none' })).toEqual({ entries: 0, bytes: 0 });
    expect(await cache.clear({})).toMatchObject({ entries: 2 });
    expect((await cache.stats()).disk?.namespaces).toEqual([]);
  });

  test('many at once, of the same and of others, leave whole texts and nothing half', async () => {
    const store = files({ max: { bytes: 200_000 } });
    await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        await store.write(SPACE, keyOf(at % 30), text + (at % 30));
        await store.read(SPACE, keyOf((at * 7) % 30));
      }),
    );
    for (let at = 0; at < 30; at++) expect([undefined, text + at]).toContain(await store.read(SPACE, keyOf(at)));
    expect(paths().every((path) => path.endsWith('.dat'))).toBe(true);
    expect((await store.stats()).bytes).toBeLessThanOrEqual(200_000);
    expect(logged).toEqual([]);
  });
});

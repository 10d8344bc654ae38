/** Editing a document changes what is asked for and not a byte more. */
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conform } from '../../cli/document/conform.ts';
import { documentsOf } from '../../cli/document/documents.ts';
import { isList, isMap, same, type Json, type JsonMap } from '../../cli/document/json.ts';
import { keep } from '../../cli/document/keep.ts';
import { meaningOf } from '../../cli/document/meaning.ts';
import { FIXTURES, readCases } from '../helpers/corpus.ts';

const CONFIG = `# yaml-language-server: $schema=../slipway.json
apiVersion: slipway/v1   # the only one
kind: Server
metadata: { name: github,   labels: {team: "core"} }
spec:
  # One is enough.
  replicas: 1 # for now

  command:
    - node
    # the program
    - server.mjs # ours
  env: [{ name: A, value: 'x' }, { name: B, value: y }]
  description: |
    What it is for.
    And for whom.
  timeout: "5s"
  # the end
---
apiVersion:   slipway/v1
kind: Project
metadata: {name: dev}
`;

/** Sets what stands at a path, or with `undefined` takes it away. */
function changed(value: Json | undefined, path: readonly (string | number)[], wish: Json | undefined): Json {
  const [key, ...rest] = path;
  if (key === undefined) return wish as Json;
  if (isList(value))
    return value
      .flatMap((item, index) =>
        index !== key ? [item] : rest.length === 0 && wish === undefined ? [] : [changed(item, rest, wish)],
      )
      .concat(key === value.length ? [wish as Json] : []);
  const map = (isMap(value) ? value : {}) as JsonMap;
  const entries = Object.entries(map).filter(([name]) => name !== key || rest.length > 0 || wish !== undefined);
  const next = rest.length === 0 ? wish : changed(map[key], rest, wish);
  const all = entries.map(([name, old]) => [name, name === key ? next : old] as const);
  return Object.fromEntries(key in map || next === undefined ? all : [...all, [key, next] as const]) as Json;
}

const valueAt = (text: string, index = 0): Json => documentsOf(text)[index]?.value as Json;

test.each<[string, readonly (string | number)[], Json | undefined, readonly [string, string]]>([
  ['a number', ['spec', 'replicas'], 3, ['replicas: 1 # for now', 'replicas: 3 # for now']],
  ['a quoted text', ['spec', 'timeout'], '1m', ['timeout: "5s"', 'timeout: "1m"']],
  ['a text in brackets', ['spec', 'env', 0, 'value'], 'it’s, z', ["value: 'x'", "value: 'it’s, z'"]],
  ['a text that needs quotes', ['spec', 'env', 1, 'value'], 'a, b', ['value: y', 'value: "a, b"']],
  [
    'one more item in brackets',
    ['spec', 'env', 2],
    { name: 'C', value: 'z' },
    ['value: y }]', 'value: y }, { name: C, value: z }]'],
  ],
  ['one item less in brackets', ['spec', 'env', 0], undefined, ["[{ name: A, value: 'x' }, ", '[']],
  ['an item', ['spec', 'command', 1], 'other.mjs', ['- server.mjs # ours', '- other.mjs # ours']],
  ['one more item', ['spec', 'command', 2], '--fast', ['- server.mjs # ours\n', '- server.mjs # ours\n    - --fast\n']],
  [
    'one item less, with its comment',
    ['spec', 'command', 1],
    undefined,
    ['    # the program\n    - server.mjs # ours\n', ''],
  ],
  ['a new field', ['spec', 'enabled'], false, ['timeout: "5s"\n', 'timeout: "5s"\n  enabled: false\n']],
  [
    'a new map',
    ['spec', 'http'],
    { port: 80, path: '/a b' },
    ['timeout: "5s"\n', 'timeout: "5s"\n  http: { port: 80, path: /a b }\n'],
  ],
  [
    'a deep new map',
    ['spec', 'probes'],
    { liveness: { ping: {} } },
    ['timeout: "5s"\n', 'timeout: "5s"\n  probes:\n    liveness:\n      ping: {}\n'],
  ],
  [
    'a field less, with its comment',
    ['spec', 'replicas'],
    undefined,
    ['  # One is enough.\n  replicas: 1 # for now\n', ''],
  ],
  [
    'a text of several lines',
    ['spec', 'description'],
    'One.\nTwo.\n',
    ['What it is for.\n    And for whom.', 'One.\n    Two.'],
  ],
  [
    'a text of one line instead',
    ['spec', 'description'],
    'Short',
    ['|\n    What it is for.\n    And for whom.', 'Short'],
  ],
  ['several lines instead of one', ['spec', 'timeout'], 'a\nb\n', ['timeout: "5s"', 'timeout: |\n    a\n    b']],
  ['a list that becomes empty', ['spec', 'command'], [], ['\n    - node\n    # the program\n    - server.mjs', ' []']],
  [
    'a list in place of a number',
    ['spec', 'replicas'],
    [{ a: [1] }],
    ['replicas: 1 # for now', 'replicas: # for now\n    - a: [1]'],
  ],
  ['a label', ['metadata', 'labels', 'env'], 'prod', ['{team: "core"}', '{team: "core", env: prod}']],
])('%s', (_, path, wish, [from, to]) => {
  const wanted = changed(valueAt(CONFIG), path, wish);
  const after = conform(CONFIG, 0, wanted);
  expect(after).toBe(CONFIG.replace(from, to));
});

test('the second document of a file', () => {
  const after = conform(CONFIG, 1, changed(valueAt(CONFIG, 1), ['spec', 'servers'], ['github']));
  expect(after).toBe(`${CONFIG}spec:\n  servers: [github]\n`);
});

describe('what is odd', () => {
  test('Windows line ends, a BOM, no line end at the end', () => {
    const text = '\uFEFFkind: A\r\nspec:\r\n  list:\r\n    - a\r\n  text: x';
    const after = conform(text, 0, { kind: 'A', spec: { list: ['a', 'b'], text: 'x', more: 1 } });
    expect(after).toBe('\uFEFFkind: A\r\nspec:\r\n  list:\r\n    - a\r\n    - b\r\n  text: x\r\n  more: 1');
  });

  test('JSON stays JSON, one entry a line', () => {
    const text = '{\n  "kind": "A",\n  "spec": {\n    "a": ["x"],\n    "b": 1\n  }\n}\n';
    const after = conform(text, 0, { kind: 'A', spec: { a: ['x', 'y'], b: 1, c: { d: null } } });
    expect(after).toBe(
      '{\n  "kind": "A",\n  "spec": {\n    "a": ["x", "y"],\n    "b": 1,\n    "c": { "d": null }\n  }\n}\n',
    );
    expect(JSON.parse(after)).toEqual(valueAt(after));
  });

  test('an anchor that is shared says what it said to the others', () => {
    const text = 'a: &x [1, 2] # shared\nb: *x\nc: *x # too\n';
    expect(conform(text, 0, { a: [1, 2, 3], b: [1, 2], c: [1, 2] })).toBe(
      'a: &x [1, 2, 3] # shared\nb: [1, 2]\nc: [1, 2] # too\n',
    );
    expect(conform(text, 0, { a: [1, 2], b: [1, 2], c: [9] })).toBe('a: &x [1, 2] # shared\nb: *x\nc: [9] # too\n');
    expect(valueAt(conform(text, 0, { b: [1, 2], c: [1, 2] }))).toEqual({ b: [1, 2], c: [1, 2] });
  });

  test('what cannot be edited in place is written anew, with its comments', () => {
    const text = '# top\n? key\n: 1   # one\nother:   2   # two\n---\nb:    3\n';
    const after = conform(text, 0, { key: 5, other: 2 });
    expect(documentsOf(after).map(({ value }) => value)).toEqual([{ key: 5, other: 2 }, { b: 3 }]);
    for (const kept of ['# top', '# two', 'b:    3']) expect(after).toContain(kept);
  });
});

/** All paths of a value, the value itself left out. */
function pathsOf(value: Json, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  const inner: [string | number, Json][] = isList(value)
    ? value.map((item, index) => [index, item])
    : isMap(value)
      ? Object.entries(value)
      : [];
  return [...(path.length > 0 ? [path] : []), ...inner.flatMap(([key, item]) => pathsOf(item, [...path, key]))];
}

describe('whatever is asked for', async () => {
  const texts = (await readCases(join(FIXTURES, 'valid'))).flatMap(({ files }) =>
    files.map(({ content }) => Buffer.from(content).toString('utf8')),
  );
  const json = fc
    .oneof(
      fc.string(),
      fc.constantFrom(
        '',
        ' ',
        '- a',
        '#',
        'a: b',
        'null',
        'yes',
        '1',
        '|',
        'line\nline\n',
        '\n',
        'é\t',
        "it's",
        '"q"',
        '*a',
        '&a',
        '---',
        '~',
        '[',
        '{}',
        'x ',
      ),
      fc.integer(),
      fc.boolean(),
      fc.jsonValue({ maxDepth: 2 }).filter((value) => value !== null),
    )
    .map((value) => JSON.parse(JSON.stringify(value)) as unknown) as fc.Arbitrary<Json>;

  test('is there afterwards, and nothing else has changed', () => {
    const places = texts
      .concat(CONFIG)
      .flatMap((text) =>
        documentsOf(text).flatMap(({ index, value }) =>
          isMap(value) ? pathsOf(value).map((path) => ({ text, index, value, path })) : [],
        ),
      );
    expect(places.length).toBeGreaterThan(500);
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.option(json, { nil: undefined }),
        ({ text, index, value, path }, wish) => {
          const wanted = changed(value, path, wish);
          const after = conform(text, index, wanted);
          expect(valueAt(after, index)).toEqual(wanted);
          // And back: nothing but that place was touched.
          expect(valueAt(conform(after, index, value), index)).toEqual(value);
        },
      ),
      { numRuns: 400 },
    );
  });
});

test('a value in the place of a value changes its own line and no other', () => {
  const places = documentsOf(CONFIG).flatMap(({ index, value }) =>
    pathsOf(value as Json).flatMap((path) => {
      const old = path.reduce<unknown>((at, key) => (at as never)[key], value);
      return typeof old === 'object' || String(old).includes('\n') ? [] : [{ index, value: value as Json, path }];
    }),
  );
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean()).filter((one) => !String(one).includes('\n'));
  fc.assert(
    fc.property(fc.constantFrom(...places), scalar, ({ index, value, path }, wish) => {
      const after = conform(CONFIG, index, changed(value, path, wish)).split('\n');
      const before = CONFIG.split('\n');
      expect(after.length).toBe(before.length);
      expect(after.filter((line, at) => line !== before[at]).length).toBeLessThanOrEqual(1);
      for (const [, comment = ''] of CONFIG.matchAll(/( #.*)/g)) expect(after.join('\n')).toContain(comment);
    }),
    { numRuns: 300 },
  );
});

test('whatever one resource says another can be made to say, with the least that must be written', async () => {
  const cases = await readCases(join(FIXTURES, 'valid'));
  const all = cases.flatMap(({ files }) =>
    files.flatMap(({ content }) => {
      const text = Buffer.from(content).toString('utf8');
      return documentsOf(text).flatMap(({ index, value }) => {
        const means = meaningOf(value);
        return means && value !== undefined ? [{ text, index, value, means }] : [];
      });
    }),
  );
  const pairs = all.flatMap((one) =>
    all.filter(({ means }) => means['kind'] === one.means['kind']).map((other) => [one, other] as const),
  );
  expect(pairs.length).toBeGreaterThan(1000);
  fc.assert(
    fc.property(fc.constantFrom(...pairs), fc.boolean(), ([one, other], isPrinted) => {
      // As it is written, or as `get` prints it, with every default.
      const wish = { written: isPrinted ? other.means : other.value, means: other.means };
      const kept = keep({ written: one.value, means: one.means }, wish) as Json;
      const after = conform(one.text, one.index, kept);
      expect(meaningOf(valueAt(after, one.index))).toEqual(other.means);
      if (same(one.means, other.means)) expect(after).toBe(one.text);
    }),
    { numRuns: 400 },
  );
});

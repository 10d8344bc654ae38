/** The pure part of pinned tools: what is hashed, and how tools and their words differ. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differences } from '../../schemas/lock/differences.ts';
import { PARTS, pinOf } from '../../schemas/lock/pin.ts';
import { wordDiff, wordRuns } from '../../schemas/lock/words.ts';
import { pins, schema, tool } from './helpers/pins.ts';

describe('what a tool is pinned by', () => {
  test('the order of keys is nothing, each part counts for itself, and what is no part does not count', () => {
    const [a] = pins(tool('get', { _meta: { at: 1 } }));
    const [b] = pins({
      _meta: { at: 2 },
      inputSchema: Object.fromEntries(Object.entries(schema).toReversed()),
      description: 'What get does.',
      name: 'get',
    });
    expect(a).toEqual(b);
    for (const part of PARTS)
      expect(
        differences(
          pins(tool('get')),
          pins(tool('get', part === 'others' ? { icons: [] } : { [part]: { other: true } })),
        ),
      ).toEqual([{ tool: 'get', change: 'changed', parts: [part] }]);
  });

  test('a name and a description with hidden characters are other ones, and are shown as such', () => {
    const [found] = differences(pins(tool('get')), pins(tool('g\u200Bet')));
    expect(found).toMatchObject({ change: 'added', tool: String.raw`g\u{200B}et` });
    expect(pinOf(tool('get', { description: 'a' })).hashes).not.toEqual(
      pinOf(tool('get', { description: 'a\u{E0041}' })).hashes,
    );
  });

  test('what has no canonical form has a hash that nothing else has', () => {
    const odd = [
      '"a\\ud800"',
      '"a\\ud801"',
      '"a\\ufffd"',
      '"a"',
      '["\\ud800"]',
      '{"0":"\\ud800"}',
      '{"\\ud800":0}',
      '1e999',
      '-1e999',
      'null',
      '"Infinity"',
      '[1e999,2]',
      '[2,1e999]',
      '[[1e999],2]',
      '[[1e999,2]]',
      '{"a":1e999,"b":2}',
      '{"a":2,"b":1e999}',
      `${'['.repeat(50_000)}1e999${']'.repeat(50_000)}`,
    ].map((text) => JSON.parse(text) as unknown);
    const hashes = odd.map((annotations) => pinOf({ name: 'get', annotations }).hashes.annotations);
    expect(new Set(hashes).size).toBe(odd.length);
    expect(hashes.every((hash) => /^[0-9a-f]{64}$/.test(hash ?? ''))).toBe(true);
    const [a, b] = ['{"b":1e999,"a":{"c":1,"d":2}}', '{"a":{"d":2,"c":1},"b":1e999}'].map((text) =>
      pinOf({ name: 'get', annotations: JSON.parse(text) as unknown }),
    );
    expect(a).toEqual(b);
  });
});

describe('differences', () => {
  test('a tool of another name and the same words is one that was renamed, also where its annotations changed', () => {
    const was = tool('read', { description: 'Reads.' });
    const is = tool('get', { description: 'Reads.', annotations: { readOnlyHint: true } });
    expect(differences(pins(was), pins(is))).toEqual([
      { tool: 'get', change: 'renamed', from: 'read', parts: ['annotations'] },
    ]);
    expect(differences(pins({ name: 'a' }), pins({ name: 'b' })).map(({ change }) => change)).toEqual([
      'removed',
      'added',
    ]);
  });

  const listed = fc.record(
    {
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      description: fc.constantFrom('x', 'y', 'z'),
      inputSchema: fc.constantFrom<object>({}, schema),
      annotations: fc.constantFrom<object>({ readOnlyHint: true }, {}),
    },
    { requiredKeys: ['name'] },
  );
  const some = fc.uniqueArray(listed, { selector: ({ name }) => name, maxLength: 5 });

  test('what differs, done to what was, gives what is; and nothing differs from itself', () => {
    fc.assert(
      fc.property(some, some, (before, after) => {
        const [was, is] = [pins(...before), pins(...after)];
        expect(differences(was, was)).toEqual([]);
        const now = new Map(was.map((pin) => [pin.name, pin.hashes]));
        const found = differences(was, is);
        for (const { from, tool: name, change } of found) now.delete(change === 'removed' ? name : (from ?? ''));
        for (const { tool: name, change } of found)
          if (change !== 'removed') now.set(name, is.find((pin) => pin.name === name)?.hashes ?? {});
        expect(now).toEqual(new Map(is.map((pin) => [pin.name, pin.hashes])));
        for (const { change, parts } of found) if (change === 'changed') expect(parts.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('word diffs', () => {
  test('are short where little changed', () => {
    const before = 'Reads a note by its title from the store of the team that owns it, if there is one by then.';
    expect(wordDiff(before, before.replace('title', 'number'))).toBe(
      'Reads a note by its [-title-] {+number+} from the store of …',
    );
    expect(wordDiff('', 'All new.')).toBe('{+All new.+}');
  });

  test('hold both texts, whatever they are', () => {
    const words = fc
      .array(fc.constantFrom('a ', 'b ', 'c\n', ' ', 'dd'), { maxLength: 30 })
      .map((list) => list.join(''));
    fc.assert(
      fc.property(words, words, (before, after) => {
        const runs = wordRuns(before, after);
        const without = (sign: string): string => runs.flatMap((run) => (run.sign === sign ? [] : [run.text])).join('');
        expect([without('+'), without('-')]).toEqual([before, after]);
      }),
    );
  });
});

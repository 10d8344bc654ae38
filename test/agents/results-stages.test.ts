/** What each stage makes of a text, besides how texts are split. */
import * as fc from 'fast-check';
import { decode } from '@toon-format/toon';
import { describe, expect, test } from 'vitest';
import type { StageEntry } from '../../schemas/pipelines.ts';
import { applyStage } from '../../gateway/results/stages.ts';
import { matchesIn } from '../../gateway/results/tools.ts';
import { tableOf } from '../../gateway/results/toc.ts';
import { ABOUT, joined, lines, run, SPLIT, textOf, texts, titles } from './helpers/stages.ts';

test('summarize-tree: without a model, how each part begins and how large it is', async () => {
  const part = await run(
    lines(4, (at) => `# H${at}\n\nAbout ${at}.\n${'words '.repeat(1000)}\n`),
    { type: 'summarize-tree', maxTokens: 200 },
  );
  expect(part.summary).toMatch(/^\d+ characters: H0; H1; H2; H3$/);
  expect(part.parts?.[0]).toMatchObject({ title: 'H0', summary: '# H0' });
  const table = tableOf(part, { resultId: 'r1', again: 'calling the same tool', section: '' });
  expect(table).toMatch(/^2\. H1 \(\d+ characters\): # H1$/m);
  expect(table).toContain('\n_resultId: r1\n');
});

test('redact: secrets of a known shape and its own patterns, in texts and in titles', async () => {
  const secret = `ghp_${'a1B2'.repeat(9)}`;
  const stage: StageEntry = { type: 'redact', patterns: ['\\bEMP-\\d{4}\\b'] };
  expect(await textOf(`${secret} of EMP-1234, EMP-12345`, stage)).toBe(
    '[redacted:github-token] of [redacted], EMP-12345',
  );
  const parts = { title: '', parts: [{ title: `for ${secret}`, text: 'EMP-0001', summary: secret }] };
  expect(await applyStage(parts, stage, ABOUT)).toEqual({
    title: '',
    parts: [{ title: 'for [redacted:github-token]', text: '[redacted]', summary: '[redacted:github-token]' }],
  });
});

test('truncate: so many characters, and how many more there were', async () => {
  const stage = { type: 'truncate', maxChars: 200 } as const;
  expect(await textOf('x'.repeat(200), stage)).toBe('x'.repeat(200));
  expect(await textOf('x'.repeat(250), stage)).toBe(`${'x'.repeat(200)}\n[… 50 more characters were left out]`);
  expect(await textOf(`${'x'.repeat(199)}🙂🙂`, stage)).toBe(`${'x'.repeat(199)}\n[… 4 more characters were left out]`);
});

test('truncate with keep: the beginning, and the whole in pages', async () => {
  const stage: StageEntry = { type: 'truncate', maxChars: 200, keep: true };
  const text = lines(1200, (at) => `line ${at}`);
  const part = await run(text, stage);
  expect(part.summary).toMatch(/^line 0\n[^]*\n\[… \d+ more characters were left out\]$/);
  expect(titles(part)).toEqual(['Page 1', 'Page 2']);
  expect(joined(part)).toBe(text);
  expect(tableOf(part, { resultId: 'r1', again: 'calling the same tool', section: '' })).toContain(part.summary);
  expect(joined(await run('x'.repeat(300), stage))).toBe('x'.repeat(300));
  expect(await run('short', stage)).toEqual({ title: '', text: 'short' });
});

describe('toon and csv', () => {
  const rows = Array.from({ length: 20 }, (_, id) => ({ id, name: `a "b", ${id}`, on: id % 2 === 0, at: null }));

  test('fewer characters, and the same again when it is read', async () => {
    const toon = await textOf(JSON.stringify({ rows }), { type: 'toon' });
    expect(toon.length).toBeLessThan(JSON.stringify({ rows }).length * 0.7);
    expect(decode(toon)).toEqual({ rows });
    const csv = await textOf(JSON.stringify(rows), { type: 'csv' });
    expect(csv.split('\r\n').slice(0, 2)).toEqual(['id,name,on,at', '0,"a ""b"", 0",true,']);
  });

  test.each([
    ['no JSON', 'id: 1'],
    ['a number', '17'],
    ['an empty list', '[]'],
    ['ids that JavaScript would round', `[${'{"id":12345678901234567890,"b":1},'.repeat(9)}{"id":1,"b":2}]`],
    ['numbers too large', `[${'{"id":1e999,"b":1},'.repeat(9)}{"id":1,"b":2}]`],
  ])('leave %s as it is', async (_what, text) => {
    expect(await textOf(text, { type: 'toon' })).toBe(text);
    expect(await textOf(text, { type: 'csv' })).toBe(text);
  });

  test.each([
    ['unlike objects', [{ a: 1 }, { b: 1 }]],
    ['one with more keys', [{ a: 1 }, { a: 1, b: 2 }]],
    [
      'no objects',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['an object', { a: [1] }],
  ])('csv leaves %s as it is', async (_what, value) => {
    expect(await textOf(JSON.stringify(value), { type: 'csv' })).toBe(JSON.stringify(value));
  });

  test('property: TOON is only what reads back as what it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (value) => {
        const text = JSON.stringify({ value }, undefined, 2);
        const toon = await textOf(text, { type: 'toon' });
        expect(toon === text ? JSON.parse(text) : decode(toon)).toEqual(JSON.parse(text));
        expect(toon.length).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});

test('stages after one that splits work on each part', async () => {
  const rows = Array.from({ length: 60 }, (_, id) => ({ id, name: `customer ${id}` }));
  const part = await applyStage(await run(JSON.stringify(rows), SPLIT), { type: 'csv' }, ABOUT);
  for (const text of texts(part)) expect(text).toMatch(/^id,name\r\n\d+,customer \d+\r\n/);
});

test('grep: literal, bounded, with the section', async () => {
  const part = {
    title: '',
    parts: [
      { title: 'a', text: 'x.y and xzy' },
      {
        title: 'b',
        parts: [
          { title: 'c', text: '' },
          { title: 'd', text: 'X.Y\n\n(a+)+$ '.repeat(40) },
        ],
      },
    ],
  };
  expect(await matchesIn(part, 'x.y', true, 20)).toEqual({
    matches: [{ section: '1', text: 'x.y and xzy' }],
    more: false,
  });
  expect(await matchesIn(part, 'x.y', false, 3)).toMatchObject({
    matches: [{ section: '1' }, { section: '2.2' }, { section: '2.2' }],
    more: true,
  });
  expect(await matchesIn(part, '(a+)+$', false, 1)).toMatchObject({ matches: [{ section: '2.2' }], more: true });
  expect(await matchesIn(part, '\\d', false, 1)).toEqual({ matches: [], more: false });
});

/** What each stage makes of a text, whatever the text is; nothing of it is lost where a stage only splits. */
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { decode } from '@toon-format/toon';
import { describe, expect, test } from 'vitest';
import type { StageEntry } from '../../schemas/pipelines.ts';
import { find, leavesOf, MAX_ENTRIES, type Part } from '../../gateway/results/part.ts';
import { pieces } from '../../gateway/results/split/pages.ts';
import { contentTypeOf } from '../../gateway/results/split/split.ts';
import { applyStage } from '../../gateway/results/stages.ts';
import { matchesIn } from '../../gateway/results/tools.ts';
import { tableOf } from '../../gateway/results/toc.ts';

const ABOUT = { sourceName: 'library/rows', projectName: 'dev', originalContent: '' };
const SPLIT = { type: 'section-split', minSize: 200, maxSize: 1000 } as const;
const run = (text: string, stage: StageEntry): Promise<Part> => applyStage({ title: '', text }, stage, ABOUT);
const textOf = async (text: string, stage: StageEntry): Promise<string> => (await run(text, stage)).text ?? 'in parts';
const texts = (part: Part): string[] => [...leavesOf(part)].map(({ text = '' }) => text);
const joined = (part: Part): string => texts(part).join('');
const titles = ({ parts = [] }: Part): string[] => parts.map(({ title }) => title);
const lines = (count: number, line: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => line(at)).join('\n');

/** No table of contents has more entries than can be read, and each has its title. */
function expectReadable(part: Part): void {
  expect(part.parts?.length ?? 0).toBeLessThanOrEqual(MAX_ENTRIES);
  for (const inner of part.parts ?? []) expectReadable(inner);
}

/** All that stands in a JSON value, in order. */
const scalars = (value: unknown): unknown[] =>
  typeof value === 'object' && value !== null ? Object.values(value).flatMap(scalars) : [value];

describe('section-split', () => {
  test('JSON at elements and keys: each part is JSON, large ones are split again', async () => {
    const rows = Array.from({ length: 30 }, (_, id) => ({ id, name: `customer ${id}`, note: 'x'.repeat(40) }));
    const part = await run(JSON.stringify({ page: 1, total: 30, customers: rows, next: null }), SPLIT);
    expect(titles(part)).toEqual(['page, total', 'customers', 'next']);
    expect(titles(part.parts?.[1] as Part)[0]).toMatch(/^customers\[0–\d+\]$/);
    expect(texts(part.parts?.[1] as Part).flatMap((text) => JSON.parse(text) as unknown[])).toEqual(rows);
    for (const text of texts(part)) expect(text.length).toBeLessThanOrEqual(1002);
  });

  test('JSON is cut, not written anew', async () => {
    const big = '12345678901234567890.10';
    const list = `[${Array.from({ length: 60 }, () => `{"n": ${big}, "n": 1e400, "s":"\\u0041"}`).join(' , ')}]`;
    const part = await run(list, SPLIT);
    expect(joined(part).split(big)).toHaveLength(61);
    expect(joined(part).split('"n": 1e400, "s":"\\u0041"')).toHaveLength(61);
  });

  test.each([
    ['an empty text', ''],
    ['half of JSON', '{"a": [1, 2'],
    ['JSON in JSON', JSON.stringify(JSON.stringify({ a: 'x'.repeat(3000) }))],
    ['one long string', JSON.stringify({ a: 'é🙂\\"[{'.repeat(800) })],
    ['brackets only', '['.repeat(6000) + ']'.repeat(6000)],
    ['spaces in brackets', `[${' '.repeat(5000)}]`],
    ['one endless line', 'word'.repeat(3000)],
    ['line ends of all kinds', '# a\r\nb\rc\n\n# d\r\n'.repeat(200)],
    ['zeros', '\0'.repeat(3000)],
    ['half characters', '\uD83D'.repeat(3000)],
    ['a bomb of aliases', `a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n`.repeat(60)],
    ['headings that never end', `${'#'.repeat(5000)}\n`.repeat(3)],
    ['lists within lists', lines(300, (at) => `${' '.repeat(at % 40)}- ${at}`)],
  ])('takes %s', async (_what, text) => {
    const part = await run(text, SPLIT);
    expectReadable(part);
    if (!/^\s*[[{]/.test(text)) expect(joined(part)).toBe(text);
    else expect(joined(part).length).toBeGreaterThan(text.trim().length / 2);
  });

  test('YAML at keys, Markdown at headings, code at functions and classes, prose at paragraphs', async () => {
    const yaml = stringify({
      name: 'x',
      services: Object.fromEntries([...'abcdef'].map((key) => [key, { image: key, env: Array(30).fill(`${key}: 1`) }])),
      volumes: 'y',
    });
    const services = await run(yaml, SPLIT);
    expect(titles(services)).toEqual(['name: x', 'services:', 'volumes: y']);
    expect(titles(services.parts?.[1] as Part)).toEqual(['services:, a:', 'b:', 'c:', 'd:', 'e:', 'f:']);

    const long = `${'Some words. '.repeat(60)}\n\n`;
    const markdown = `# Guide\n\n${long}## Install\n\n${long}\`\`\`sh\n# no heading\n\`\`\`\n\n## Use\n\n${long}### Often\n\n${long}\nRarely\n------\n\n${long}`;
    expect(titles(await run(markdown, SPLIT))).toEqual(['Guide', 'Install', 'Use', 'Rarely']);

    const code = `// Adds.\nexport function add(a, b) {\n${'  a++;\n'.repeat(100)}}\n\nclass Shop {\n${'  x;\n'.repeat(60)}  async open() {\n${'    y;\n'.repeat(200)}  }\n}\n`;
    const functions = await run(code, SPLIT);
    expect(titles(functions)).toEqual(['add', 'Shop']);
    expect(texts(functions)[0]).toMatch(/^\/\/ Adds\./);
    const python = `import os\n\n# says it\ndef say(x):\n${'    print(x)\n'.repeat(60)}\n@cached\nclass A(B):\n${'    y = 1\n'.repeat(60)}`;
    expect(titles(await run(python, SPLIT))).toEqual(['beginning, say', 'A']);

    expect(
      titles(
        await run(
          lines(5, (at) => `Paragraph ${at}. ${'Word '.repeat(100)}\n`),
          SPLIT,
        ),
      ),
    ).toHaveLength(5);
    expect([yaml, markdown, code, python, long, '[1]'].map(contentTypeOf)).toEqual([
      'yaml',
      'markdown',
      'code',
      'code',
      'text',
      'json',
    ]);
  });

  test('what is small stays one text; small parts are merged, never beyond what is large', async () => {
    expect(await run('[1,2,3]', SPLIT)).toEqual({ title: '', text: '[1,2,3]' });
    const part = await run(
      lines(400, (at) => `# H${at}\n\nfew words\n`),
      SPLIT,
    );
    for (const text of texts(part)) expect(text.length).toBeLessThanOrEqual(1000);
    expect(texts(part).length).toBeLessThan(20);
  });

  test('property: what is no JSON is all there, in order', async () => {
    const line = fc.oneof(
      fc.string({ maxLength: 120 }),
      fc.constantFrom(
        '# A',
        '## B',
        '```',
        '- item',
        'key: value',
        '  inner: 1',
        'function f() {',
        '}',
        'class A {',
        '',
        '---',
        '\t',
        '"""',
      ),
    );
    const text = fc
      .array(line, { maxLength: 120 })
      .chain((all) => fc.constantFrom('\n', '\r\n', '\r', '\n\n').map((end) => all.join(end)));
    await fc.assert(
      fc.asyncProperty(text, async (given) => {
        const part = await run(` ${given}`, SPLIT);
        expectReadable(part);
        expect(joined(part)).toBe(` ${given}`);
      }),
    );
  });

  test('property: what is JSON is all there, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue({ maxDepth: 4 }), { maxLength: 60 }),
        fc.constantFrom(undefined, 2, '\t'),
        async (value, indent) => {
          const part = await run(JSON.stringify(value, undefined, indent), { ...SPLIT, minSize: 40, maxSize: 4000 });
          expectReadable(part);
          const all = texts(part).flatMap((text) => scalars(JSON.parse(text)));
          expect(all).toEqual(scalars(JSON.parse(JSON.stringify(value))));
        },
      ),
    );
  });
});

describe('paginate', () => {
  test('numbers pages, in as many tables as it takes; a page is found by its number', async () => {
    const text = lines(3000, (at) => `line ${at} ${'x'.repeat(at % 70)}`);
    const part = await run(text, { type: 'paginate', pageSize: 1000 });
    expectReadable(part);
    expect(joined(part)).toBe(text);
    const pages = [...leavesOf(part)];
    expect(pages.map(({ title }) => title)).toEqual(pages.map((_, at) => `Page ${at + 1}`));
    expect(pages.length).toBeGreaterThan(MAX_ENTRIES);
    expect(find(part, 'Page 77')?.[1].text).toBe(pages[76]?.text);
    expect(find(part, '77')?.[1].text).toBe(pages[76]?.text);
    expect(find(part, '1.2')?.[1].text).toBe(pages[1]?.text);
  });

  test('property: nothing is lost, no page is too long, no character is cut in two', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '🙂', 'é'), maxLength: 500 });
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 60 }), (given, size) => {
        const found = pieces(given, size);
        expect(found.join('')).toBe(given);
        for (const piece of found) {
          expect(piece.length).toBeLessThanOrEqual(size);
          expect(piece.isWellFormed()).toBe(true);
        }
      }),
    );
  });
});

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

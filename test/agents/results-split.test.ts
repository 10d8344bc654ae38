/** How texts are split, whatever the text is: nothing of it is lost. */
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { describe, expect, test } from 'vitest';
import { find, leavesOf, MAX_ENTRIES, type Part } from '../../gateway/results/part.ts';
import { pieces } from '../../gateway/results/split/pages.ts';
import { contentTypeOf } from '../../gateway/results/split/split.ts';
import { expectReadable, joined, lines, run, SPLIT, texts, titles } from './helpers/stages.ts';

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

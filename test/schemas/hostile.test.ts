/** Whatever stands in a file, reading it ends soon, throws nothing and points into the file. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_FILE_BYTES, parseFile } from '../../schemas/parse.ts';
import { formatIssue, type Issue } from '../../schemas/resource.ts';
import { FIXTURES, readCases } from '../helpers/corpus.ts';

const SERVER = 'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: a }\nspec:\n  command: [node]\n';

const parse = (text: string): readonly Issue[] => parseFile('a.yaml', new TextEncoder().encode(text)).issues;

const cases = [...(await readCases(`${FIXTURES}/valid`)), ...(await readCases(`${FIXTURES}/invalid`))];
const contents = cases.flatMap((entry) => entry.files.map((file) => Buffer.from(file.content)));

describe('any bytes', () => {
  const words = [
    ['apiVersion: slipway/v1\n', 'kind: Server\n', 'metadata: { name: a }\n', 'spec:\n', '  command: [x]\n'],
    ['- ', '? ', ': ', ':\n', '{', '}', '[', ']', ', ', '&a ', '*a ', '!!set ', '!x ', '|\n', '>-\n', '"', "'", '#'],
    ['---\n', '...\n', '%YAML 1.1\n', '%TAG ! x\n', '<<: ', '\t', '\r\n', '\r', '\uFEFF', '\u0000', '~', 'null', '😀'],
    ['__proto__: ', 'constructor: ', 'a: ', '1', '.inf', '0x1F', '2027-01-31', '  ', '\n'],
  ];
  const token = fc.constantFrom(...words.flat());

  test('made of the words of YAML', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 40 }), (tokens) => {
        const text = tokens.join('');
        expectPointsInto(parse(text), text);
      }),
      { numRuns: 2000 },
    );
  });

  test('made of nothing in particular', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { issues } = parseFile('a.yaml', bytes);
        expectPointsInto(issues, Buffer.from(bytes).toString('utf8'));
      }),
    );
  });

  test('that were a config until something was cut out of it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...contents), fc.nat(), fc.nat({ max: 20 }), (content, from, length) => {
        const start = from % (content.length + 1);
        const bytes = Buffer.concat([content.subarray(0, start), content.subarray(start + length)]);
        expectPointsInto(parseFile('a.yaml', bytes).issues, bytes.toString('utf8'));
      }),
      { numRuns: 1000 },
    );
  });
});

/** Bounds of CPU time, whatever else the machine does: far above what is needed, far below what a quadratic way of reading took (from 3 s up to an hour). */
describe('files made to be slow', () => {
  const SOON_MS = 2500;

  test.each([
    ['many aliases', `a: &a 1\nb: [${'*a, '.repeat(6000)}]\n`],
    ['many aliases of many anchors', `a: [${Array.from({ length: 3000 }, (_, i) => `&a${i} x, *a${i}`).join(', ')}]\n`],
    ['many keys', Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n')],
    ['many unknown fields', SERVER + Array.from({ length: 5000 }, (_, i) => `  k${i}: 1`).join('\n')],
    ['many wrong items', `${SERVER}  dependsOn: [${'A, '.repeat(5000)}]\n`],
    ['many documents', '---\nx\n'.repeat(5000)],
    ['a long line', `# ${'x'.repeat(MAX_FILE_BYTES - 2)}`],
    ['a long word', `${SERVER}${'x'.repeat(500_000)}: 1\n`],
    ['many brackets that open', '['.repeat(100_000)],
    ['many maps that open', '{a: '.repeat(50_000)],
    [
      'deep lists',
      `${SERVER}  probes: { startup: { call: { tool: t, arguments: { a: ${'['.repeat(20_000)}${']'.repeat(20_000)} } } } }\n`,
    ],
    [
      'deep block lists',
      `${SERVER}  probes:\n    startup:\n      call:\n        arguments:\n          a:\n            ${'- '.repeat(20_000)}x\n`,
    ],
  ])('%s', { timeout: 120_000 }, (_, text) => {
    const start = process.cpuUsage();
    const issues = parse(text);
    const { user, system } = process.cpuUsage(start);
    const took = (user + system) / 1000;
    expectPointsInto(issues, text);
    expect(took).toBeLessThan(SOON_MS);
  });
});

function expectPointsInto(issues: readonly Issue[], text: string): void {
  const lines = text.split('\n').length;
  for (const issue of issues) {
    expect(issue.line, formatIssue(issue)).toBeGreaterThanOrEqual(1);
    expect(issue.line, formatIssue(issue)).toBeLessThanOrEqual(lines);
    expect(issue.column, formatIssue(issue)).toBeGreaterThanOrEqual(1);
    expect(issue.message.trim()).not.toBe('');
    expect(issue.hint.trim()).not.toBe('');
  }
}

/** Headings are found as CommonMark means them, however the rest of a text is made. */
import { expect, test } from 'vitest';
import { headingsIn } from '../../gateway/markdown.ts';

const found = (text: string): string[] => headingsIn(text).map(({ level, title }) => `${level} ${title}`);

test.each<[string, string, string[]]>([
  ['hashes', '# One\n   ## Two ##\n###### Six\n#\n', ['1 One', '2 Two', '6 Six', '1 ']],
  ['no hashes', '#One\n    # code\n\t# code\n####### seven\n\\# text\n', []],
  ['underlines', 'One\n===\n\nTwo\nlines\n---\n', ['1 One', '2 Two']],
  ['no underlines', '---\n\n- item\n---\n> quote\n===\n\n    code\n---\n| a | b |\n---\n\n===\n', []],
  ['blocks of code', '```sh\n# no\n~~~\n```\n# One\n~~~~\n# no\n~~~\n# no\n', ['1 One']],
  ['what only looks like a block of code', '``` a`b\n# One\n', ['1 One']],
  ['lines that end as on Windows', '# One\r\ntext\r\n\r\nTwo\r\n---\r\n', ['1 One', '2 Two']],
])('%s', (_what, text, headings) => {
  expect(found(text)).toEqual(headings);
});

test('they are where they stand', () => {
  const text = 'before\n\n# One\n\nTwo\nlines\n===\n';
  expect(headingsIn(text).map(({ at }) => text.slice(at, at + 3))).toEqual(['# O', 'Two']);
});

test('a page that is made to hold up its reader does not', () => {
  const quotes = `# a\n# b\n${'> '.repeat(100_000)}a\n${'b\n'.repeat(100_000)}`;
  expect(found(quotes)).toEqual(['1 a', '1 b']);
  expect(found(`${'* '.repeat(200_000)}x\n${'#'.repeat(200_000)}\n# c\n`)).toEqual(['1 c']);
});

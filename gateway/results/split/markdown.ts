/** Headings of Markdown (CommonMark), as marked's lexer finds them: one in a block of code is none. */
import type { Mark } from './marks.ts';

/** `undefined` for what has fewer than two headings. */
export async function markdownMarks(text: string): Promise<Mark[] | undefined> {
  if (!/^(?: {0,3}#{1,6}[ \t]|(?:=+|-+)[ \t]*\r?$)/m.test(text)) return undefined;
  const { Lexer } = await import('marked');
  // Lines stay the same lines: by them, what the lexer tells is found in the text as it is.
  const starts = [0, ...[...text.matchAll(/\r\n|\r|\n/g)].map((found) => found.index + found[0].length)];
  const marks: Mark[] = [];
  let line = 0;
  // Blocks only: what stands within a line is nothing to us, and most that can take long is there.
  for (const token of new Lexer().blockTokens(text.replaceAll(/\r\n?/g, '\n'))) {
    if (token.type === 'heading' && starts[line] !== undefined) {
      const { depth, text: title } = token as { depth: number; text: string };
      marks.push({ at: starts[line] ?? 0, level: depth, title: title.slice(0, 80) });
    }
    line += token.raw.split('\n').length - 1;
  }
  return marks.length >= 2 ? marks : undefined;
}

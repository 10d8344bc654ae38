/**
 * Headings of Markdown (CommonMark 0.31, 4.2 and 4.3; not those within quotes and lists), told by lines: what a page says must not be
 * able to hold up everybody, as 15 KB of nested quotes do with a parser of the whole.
 */
import { linesOf } from './results/split/lines.ts';
import type { Mark } from './results/split/marks.ts';

const ATX = /^ {0,3}(#{1,6})(?:[ \t]+(\S.*)|$)/;
const UNDERLINE = /^ {0,3}(?:=+|-+)$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
/** A line that begins something else, so no line below it makes a heading of it. */
const NO_PARAGRAPH = /^(?: {4}|\t| {0,3}(?:[>#|<]|[-*+](?:[ \t]|$)|\d{1,9}[.)](?:[ \t]|$)|(?:[-*_][ \t]*){3,}$))/;

/** Where each stands, and what it says (80 characters at most). */
export function headingsIn(text: string): Mark[] {
  const marks: Mark[] = [];
  let fence: string | undefined;
  /** The first line of the paragraph that the line before belongs to. */
  let paragraph: { readonly at: number; readonly text: string } | undefined;
  for (const line of linesOf(text)) {
    const [, ticks, info = ''] = FENCE.exec(line.text) ?? [];
    if (ticks !== undefined && (fence === undefined ? !info.includes('`') : closes(ticks, info, fence)))
      fence = fence === undefined ? ticks : undefined;
    const heading = fence === undefined && ticks === undefined ? ATX.exec(line.text) : null;
    if (heading) marks.push({ at: line.at, level: heading[1]?.length ?? 1, title: titleOf(heading[2]) });
    else if (fence === undefined && paragraph && UNDERLINE.test(line.text))
      marks.push({ at: paragraph.at, level: line.text.includes('=') ? 1 : 2, title: titleOf(paragraph.text) });
    else if (fence === undefined && ticks === undefined && line.text !== '') {
      paragraph ??= NO_PARAGRAPH.test(line.text) ? undefined : line;
      continue;
    }
    paragraph = undefined;
  }
  return marks;
}

const closes = (ticks: string, info: string, fence: string): boolean =>
  ticks[0] === fence[0] && ticks.length >= fence.length && info.trim() === '';

/** Without the hashes that may stand at its end. */
const titleOf = (title = ''): string =>
  title
    .replace(/(?:^|[ \t])#{1,80}$/, '')
    .trim()
    .slice(0, 80);

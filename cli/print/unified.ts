/** The difference between two texts as `diff -u` and git show it. */
import { align } from '../document/align.ts';

const CONTEXT = 3;

interface Line {
  readonly sign: ' ' | '+' | '-';
  readonly text: string;
}

/** @param before null where the file is new @param after null where it goes @returns lines without their ends; none where they are the same */
export function unified(path: string, before: string | null, after: string | null): string[] {
  if (before === after) return [];
  const lines = compare(split(before), split(after));
  const head = [
    `--- ${before === null ? '/dev/null' : `a/${path}`}`,
    `+++ ${after === null ? '/dev/null' : `b/${path}`}`,
  ];
  return [...head, ...hunks(lines)];
}

function split(text: string | null): string[] {
  if (text === null || text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  else lines[lines.length - 1] += '\n\\ No newline at end of file';
  return lines;
}

/** What goes stands before what comes in its place. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  const lines: Line[] = [];
  let added: Line[] = [];
  for (const { from, to } of align(before, after)) {
    const [old, young] = [before[from ?? -1], after[to ?? -1]];
    const stays = from !== undefined && to !== undefined && old === young;
    if (stays) lines.push(...added.splice(0), { sign: ' ', text: old ?? '' });
    if (!stays && from !== undefined) lines.push({ sign: '-', text: old ?? '' });
    if (!stays && to !== undefined) added.push({ sign: '+', text: young ?? '' });
  }
  lines.push(...added);
  return lines;
}

function hunks(lines: readonly Line[]): string[] {
  const near = (index: number): boolean =>
    lines.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({ sign }) => sign !== ' ');
  const output: string[] = [];
  let [old, young] = [1, 1];
  for (let index = 0; index < lines.length;) {
    if (!near(index)) {
      [index, old, young] = [index + 1, old + 1, young + 1];
      continue;
    }
    let end = index;
    while (end < lines.length && near(end)) end++;
    const hunk = lines.slice(index, end);
    const [removed, added] = [
      hunk.filter(({ sign }) => sign !== '+').length,
      hunk.filter(({ sign }) => sign !== '-').length,
    ];
    output.push(
      `@@ -${span(old, removed)} +${span(young, added)} @@`,
      ...hunk.flatMap(({ sign, text }) => `${sign}${text}`.split('\n')),
    );
    [index, old, young] = [end, old + removed, young + added];
  }
  return output;
}

/** Of nothing, the line before is named. */
const span = (start: number, count: number): string =>
  count === 1 ? String(start) : `${count === 0 ? start - 1 : start},${count}`;

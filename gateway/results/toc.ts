/** A table of contents: what an agent gets in place of a long text. */
import { lengthOf, whole, type Part } from './part.ts';

/** Of a section without a summary, so much of its beginning (characters). */
const PREVIEW = 80;

export interface Reading {
  readonly resultId: string;
  /** What a call of the tool that gave the result is to look like; `undefined` where only ours reads on. */
  readonly again: string | undefined;
  /** The section that this is the table of; `''` for the whole. */
  readonly section: string;
}

/** @param part one that is made of parts */
export function tableOf(part: Part, { resultId, again, section }: Reading): string {
  const parts = part.parts ?? [];
  const what = section === '' ? 'The result' : `Section ${section}`;
  const example = section === '' ? '1' : `${section}.1`;
  const orBy =
    again === undefined ? '' : `, or by ${again} with ${JSON.stringify({ _resultId: resultId, _section: example })}`;
  const head =
    `${what} has ${lengthOf(part)} characters, in ${parts.length} sections. Read one with get_section ` +
    `${JSON.stringify({ resultId, section: example })}${orBy}; find text with grep_result ` +
    `${JSON.stringify({ resultId, text: '…' })}. It is kept for 5 minutes.`;
  const lines = parts.map((inner, at) => lineOf(inner, section === '' ? `${at + 1}` : `${section}.${at + 1}`));
  const about = part.summary === undefined ? [] : [part.summary];
  return [head, `_resultId: ${resultId}`, ...about, '', ...lines].join('\n');
}

function lineOf(part: Part, number: string): string {
  const size = `${lengthOf(part)} characters${part.parts ? `, ${part.parts.length} sections` : ''}`;
  // Titles are the server's: one with a line break in it must not make up a line of its own.
  const [title, about] = [part.title, part.summary ?? (part.parts ? '' : beginningOf(part.text ?? ''))].map(onOneLine);
  return `${number}.${title === '' ? '' : ` ${title}`} (${size})${about === '' ? '' : `: ${about}`}`;
}

const onOneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

/** What a text begins with, on one line. */
export function beginningOf(text: string, most = PREVIEW): string {
  const line = onOneLine(text.slice(0, most * 4));
  return line.length <= most ? line : `${whole(line.slice(0, most - 1))}…`;
}

/** What a text is about, in few words: as its author says, or else found in it without a model. */
import { wordsIn } from '../lazy/tool-index.ts';
import { headingsIn } from '../markdown.ts';
import { brief } from '../own/own-tool.ts';
import type { Prompt } from './prompts.ts';

export interface Digest {
  /** One line. */
  readonly summary: string;
  readonly chapters: readonly string[];
}

/** What is kept of a text: so many headings, down to this level, each so long (characters). */
const MAX_CHAPTERS = 64;
const MAX_LEVEL = 3;
const MAX_CHAPTER = 200;
const MAX_SUMMARY = 200;

/** Its author's words, else its first heading, else its first sentence. A link is never read for this: it may be somebody's own. */
export function summaryOf({ entry: { summary, content, link } }: Prompt): string {
  if (summary !== undefined) return summary;
  if (content === undefined) return link ? `The resource ${link.uri} of ${link.server}.` : '';
  const [paragraph = ''] = content.trim().split(/\n[^\S\n]*\n/, 1);
  // Cut first: a line of spaces would keep what looks for its end busy for long.
  const lines = paragraph.slice(0, 2 * MAX_SUMMARY);
  const title = /^#{1,6}\s+(.*?)\s*#*$/m.exec(lines)?.[1];
  if (lines.startsWith('#') && title) return brief(title, MAX_SUMMARY);
  const text = lines.replaceAll(/\s+/g, ' ');
  return brief(/^.*?[.!?](?=\s|$)/.exec(text)?.[0] ?? text, MAX_SUMMARY);
}

/** Its author's words, else its Markdown headings, but for those in blocks of code. */
export function chaptersOf({ entry: { chapters, content = '' } }: Prompt): readonly string[] {
  if (chapters) return chapters;
  const headings = headingsIn(content).filter(({ level }) => level <= MAX_LEVEL);
  return headings.slice(0, MAX_CHAPTERS).map(({ title }) => title);
}

/** What a model said, if it is what it was asked for. */
export function digestIn(answer: string): Digest | undefined {
  const { summary, chapters } = (jsonIn(answer) ?? {}) as { summary?: unknown; chapters?: unknown };
  if (typeof summary !== 'string' || summary.trim() === '' || !Array.isArray(chapters)) return undefined;
  const texts = chapters.filter((one): one is string => typeof one === 'string' && one.trim() !== '');
  return {
    summary: brief(summary, MAX_SUMMARY),
    chapters: texts.slice(0, MAX_CHAPTERS).map((text) => brief(text, MAX_CHAPTER)),
  };
}

/** The first object or list in a text: models like to say something around it. */
export function jsonIn(text: string): unknown {
  const end = Math.max(text.lastIndexOf('}'), text.lastIndexOf(']'));
  try {
    return JSON.parse(text.slice(Math.max(text.search(/[[{]/), 0), end + 1)) as unknown;
  } catch {
    return undefined;
  }
}

/** What tags are looked for in. */
export const wordsOf = ({ name }: Prompt, { summary, chapters: all }: Digest): ReadonlySet<string> =>
  new Set(wordsIn([name, summary, ...all].join(' ')));

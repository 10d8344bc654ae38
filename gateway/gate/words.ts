/** What a gate says to models. */
import type { OwnText } from '../../schemas/kinds/fields/own-texts.ts';
import type { Digest } from '../prompts/digest.ts';
import type { Prompt } from '../prompts/prompts.ts';
import { brief } from '../own/own-tool.ts';

/** Of an index, so many lines, each so long (characters); of tools, so many names. */
const MAX_LINES = 100;
const MAX_LINE = 200;
const MAX_NAMES = 200;

export interface Entry {
  readonly prompt: Prompt;
  readonly digest: Digest;
  /** Why it cannot be had. */
  readonly problem?: string | undefined;
}

/** A line for each, and nothing of their texts. */
export function indexOf(entries: readonly Entry[]): string {
  const lines = entries.slice(0, MAX_LINES).map(({ prompt: { name, entry, isProposed }, digest, problem }) => {
    const notes = [
      `priority ${entry.priority}`,
      ...(isProposed ? ['proposed in this session'] : []),
      ...(problem === undefined ? [] : [`cannot be read: ${problem}`]),
    ];
    return `- ${name} (${notes.join(', ')}): ${brief(digest.summary, MAX_LINE)}`;
  });
  const more = entries.length - lines.length;
  return [...lines, ...(more > 0 ? [`- and ${more} more`] : [])].join('\n');
}

export function namesOf(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return names.slice(0, MAX_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** The instructions of a route whose caller has yet to begin. */
export function closedInstructions(parts: {
  readonly text: string;
  readonly entries: readonly Entry[];
  readonly tools: readonly string[];
  readonly others: string;
}): string {
  const { text, entries, tools, others } = parts;
  return sections([
    text,
    entries.length > 0 && `## Texts\n\n${indexOf(entries)}`,
    tools.length > 0 && `## Tools, once the session has begun\n\n${namesOf(tools)}`,
    others,
  ]);
}

/** The same for one who has begun, maybe in an earlier conversation. */
export function openInstructions(entries: readonly Entry[], others: string): string {
  return sections([others, entries.length > 0 && `## Texts, which read_prompts gives in full\n\n${indexOf(entries)}`]);
}

export interface Delivered {
  readonly full: readonly { readonly prompt: Prompt; readonly text: string }[];
  readonly rest: readonly Entry[];
  /** What else is to be said, at the end. */
  readonly word: string;
}

export function deliveredText({ full, rest, word }: Delivered): string {
  return sections([
    ...full.map(({ prompt: { name, entry, isProposed }, text }) => {
      const proposed = isProposed ? ', proposed in this session and not approved yet' : '';
      return `# ${name} (priority ${entry.priority}${proposed})\n\n${text.trim()}`;
    }),
    rest.length > 0 && `# Other texts\n\n${indexOf(rest)}`,
    word,
  ]);
}

const sections = (parts: readonly (string | false)[]): string =>
  parts.filter((part) => part !== false && part !== '').join('\n\n');

/** What a gate says where no Prompt of the config says it in other words. */
export const OWN_WORDS: Readonly<Record<OwnText, string>> = {
  'slipway-gate':
    'Call the tool begin_session now, before you do anything else: this is required. Its input schema says what it takes. ' +
    'It answers with the texts that fit your task, and from then on the tools of this server are listed.',
  'slipway-gate-begun':
    'Your session has begun, and all tools are listed now. Keep to the texts above while you work. ' +
    'When the task turns to something else, call read_prompts for the texts that fit it: that is cheaper than a mistake.',
  'slipway-gate-skipped':
    'You called a tool without begin_session. It was called all the same, and your session has begun. Read the texts above before ' +
    'you go on, and call read_prompts for others when the task turns to something else.',
};

export const READ = 'Call read_prompts again whenever the task turns to something else.';

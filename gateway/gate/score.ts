/**
 * Which texts fit some tags, and how many of them fit into an answer. Pure.
 *
 * A text's score is `priority + matches × priority` (after mcpctl), where a match is a tag that its name, summary or chapters speak of.
 */
import { wordsIn } from '../lazy/tool-index.ts';

/** Of priority 10: handed out to everybody, besides the budget. */
export const ALWAYS = 10;
/** Work for nothing: tags beyond this are not looked at, and each only so far (characters). */
const MAX_TAGS = 32;
const MAX_TAG = 100;
/** From here on a word also stands for those that it begins, or that begin it: `deploy`, `deployment` (characters). */
const STEM = 4;

export interface Candidate {
  readonly name: string;
  /** 1–10. */
  readonly priority: number;
  /** Whatever tags are looked for in. */
  readonly words: ReadonlySet<string>;
}

export type Scored<C extends Candidate> = C & { readonly matches: number; readonly score: number };

/** Tags as models write them: in a list, or with commas. Each once. */
export function tagsIn(texts: readonly string[]): string[] {
  const tags = texts.flatMap((text) => text.split(',')).map((tag) => tag.trim().slice(0, MAX_TAG));
  return [...new Set(tags.filter((tag) => tag !== ''))].slice(0, MAX_TAGS);
}

/** How many of the tags the words speak of. A tag of several words needs all of them. */
export function matchesOf(tags: readonly string[], words: ReadonlySet<string>): number {
  return tags.filter((tag) => {
    const wanted = wordsIn(tag);
    return wanted.length > 0 && wanted.every((word) => speaksOf(words, word));
  }).length;
}

function speaksOf(words: ReadonlySet<string>, wanted: string): boolean {
  if (words.has(wanted)) return true;
  if (wanted.length < STEM) return false;
  for (const word of words)
    if (word.length >= STEM && (word.startsWith(wanted) || wanted.startsWith(word))) return true;
  return false;
}

export const scoreOf = (priority: number, matches: number): number => priority + matches * priority;

/** The highest score first; those that have the same by name. */
export function ranked<C extends Candidate>(
  candidates: readonly C[],
  matchesWith: (candidate: C) => number,
): Scored<C>[] {
  return candidates
    .map((candidate) => {
      const matches = matchesWith(candidate);
      return { ...candidate, matches, score: scoreOf(candidate.priority, matches) };
    })
    .sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Whether the whole text is wanted. */
export const isWanted = ({ priority, matches }: Pick<Scored<Candidate>, 'priority' | 'matches'>): boolean =>
  matches > 0 || priority >= ALWAYS;

/**
 * Those that fit, in their order: each that still does, so that one long text keeps no other out.
 * @param sizeOf bytes of UTF-8; `undefined` for what cannot be had
 */
export function fitting<C extends Pick<Candidate, 'priority'>>(
  wanted: readonly C[],
  budget: number,
  sizeOf: (one: C) => number | undefined,
): { readonly full: C[]; readonly rest: C[] } {
  let left = budget;
  const full: C[] = [];
  const rest: C[] = [];
  for (const one of wanted) {
    const size = sizeOf(one);
    const isFree = one.priority >= ALWAYS;
    if (size === undefined || (!isFree && size > left)) {
      rest.push(one);
      continue;
    }
    if (!isFree) left -= size;
    full.push(one);
  }
  return { full, rest };
}

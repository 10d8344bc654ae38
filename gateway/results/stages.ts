/** What each stage does to a result. Pure: no clock, no network, nothing but what it is given; so it can run anywhere. */
import { redactText, type Redacted } from '../../schemas/secret-shapes.ts';
import type { StageEntry } from '../../schemas/pipelines.ts';
import type { Side } from '../worker-main.ts';
import { asCsv, asToon } from './encode.ts';
import { lengthOf, mapLeaves, mapTexts, whole, type Part } from './part.ts';
import { paginated } from './split/pages.ts';
import { split } from './split/split.ts';
import { beginningOf } from './toc.ts';

/** What code of the config repo is told of a result. */
export interface About {
  readonly sourceName: string;
  readonly projectName?: string | undefined;
  /** The text as it was before all stages but the guards. */
  readonly originalContent: string;
}

type Type = StageEntry['type'];
export type StageOf<T extends Type> = Extract<StageEntry, { type: T }>;
/** @param side of the thread that it runs on, if it does @throws Error what is wrong: then the result stays as it was */
type Run<T extends Type> = (result: Part, stage: StageOf<T>, about: About, side?: Side) => Part | Promise<Part>;

const SIZES = { minSize: 2048, maxSize: 15_360 };
const PAGE = 8000;

export const STAGES: { readonly [T in Type]: Run<T> } = {
  passthrough: (result) => result,
  paginate: (result, { pageSize }) => mapLeaves(result, (leaf) => paginated(leaf, pageSize)),
  'section-split': (result, sizes) => mapLeaves(result, (leaf) => split(leaf, sizes)),
  'summarize-tree': (result) => described(result.parts ? result : split(result, SIZES)),
  redact: (result, { patterns }) => redacted(result, patterns),
  truncate: (result, stage) => mapLeaves(result, (leaf) => truncated(leaf, stage)),
  toon: (result) => mapTexts(result, asToon),
  csv: (result) => mapTexts(result, asCsv),
  module: async (result, stage, about, side) => {
    const { moduleStage } = await import('./module.ts');
    return moduleStage(result, stage, about, side);
  },
};

/** @throws Error what is wrong */
export async function applyStage(result: Part, stage: StageEntry, about: About, side?: Side): Promise<Part> {
  const run = STAGES[stage.type] as Run<Type>;
  return run(result, stage, about, side);
}

/** What can be said without a model: how something begins, and how large it is. */
function described(part: Part): Part {
  const { parts } = part;
  if (!parts) return { ...part, summary: beginningOf(firstLineOf(part.text ?? ''), 120) };
  const inner = parts.map(described);
  const titles = inner.slice(0, 5).map(({ title }) => title);
  const more = inner.length - titles.length;
  const list = `${titles.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
  return { ...part, parts: inner, summary: `${lengthOf(part)} characters: ${list}` };
}

const firstLineOf = (text: string): string => text.trimStart().split('\n', 1)[0] ?? '';

/** What is kept stands in pages behind its beginning, so that all of it can be read. */
function truncated(leaf: Part, { maxChars, keep }: StageOf<'truncate'>): Part {
  const { title, text = '' } = leaf;
  if (text.length <= maxChars) return leaf;
  const kept = whole(text.slice(0, maxChars));
  const shown = `${kept}\n[… ${text.length - kept.length} more characters were left out]`;
  if (!keep) return { ...leaf, text: shown };
  return { title, summary: shown, parts: [paginated({ title: '', text }, PAGE)].flatMap((all) => all.parts ?? [all]) };
}

async function redacted(result: Part, patterns: readonly string[]): Promise<Part> {
  const clean = redactor(patterns);
  const change = async (part: Part): Promise<Part> => ({
    ...part,
    title: clean(part.title).text,
    ...(part.text === undefined ? {} : { text: clean(part.text).text }),
    ...(part.summary === undefined ? {} : { summary: clean(part.summary).text }),
    ...(part.parts ? { parts: await Promise.all(part.parts.map(change)) } : {}),
  });
  return change(result);
}

/** Takes secrets out of one text. ReDoS: own patterns can take for ever, so they are only used where the clock can end them. */
export function redactor(patterns: readonly string[]): (text: string) => Redacted {
  const own = patterns.map((source) => new RegExp(source, 'gu'));
  return (text) =>
    own.reduce((found, shape) => {
      let { count } = found;
      const mask = (): string => {
        count++;
        return '[redacted]';
      };
      return { text: found.text.replace(shape, mask), count };
    }, redactText(text));
}

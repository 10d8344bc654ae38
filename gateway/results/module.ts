/** A stage that is code of the config repo. It sees the text, what it is told of it, and the doors in its ctx; it has no way to anything else. */
import { moduleAnswer, type ModuleSection } from '../../schemas/pipelines.ts';
import { doors, QUESTION_CHARS } from '../code/doors.ts';
import { runShutIn } from '../script/sandbox.ts';
import type { Side } from '../worker-main.ts';
import { mapLeaves, partOf, type Part } from './part.ts';
import { contentTypeOf } from './split/split.ts';
import type { About, StageOf } from './stages.ts';

/** What code may give back at most: characters of JSON, and levels of sections. */
const MAX_RESULT = 16 * 2 ** 20;
const MAX_DEPTH = 8;

/** So that a text which is the same twice is handed over once. */
const AROUND = `import stage from 'stage';
export default (input, ctx, { changed, ...doors }) =>
  stage(input, { ...ctx, ...doors, originalContent: ctx.originalContent ?? input });`;

/**
 * Runs it on each part of what was split, in a world of its own each.
 * @throws Error where it throws, takes too long or too much, or gives back something else
 */
export function moduleStage(result: Part, stage: StageOf<'module'>, about: About, side: Side = NOBODY): Promise<Part> {
  const open = doors(side);
  return mapLeaves(result, (leaf) => runModule(leaf, stage, about, open));
}

/** For code that runs where nobody answers. */
const NOBODY: Side = { tell: () => {}, ask: async () => undefined };

async function runModule(
  leaf: Part,
  { code, file, config, timeoutMs, memoryBytes }: StageOf<'module'>,
  { originalContent, ...about }: About,
  open: ReturnType<typeof doors>,
): Promise<Part> {
  const input = leaf.text ?? '';
  const context = {
    ...about,
    contentType: contentTypeOf(input),
    config,
    ...(originalContent === input ? {} : { originalContent }),
  };
  const ended = await runShutIn({
    as: 'module',
    code: AROUND,
    name: file,
    modules: { stage: code },
    args: [input, context],
    caps: { cpuMs: timeoutMs, memoryBytes, resultChars: MAX_RESULT, questionChars: QUESTION_CHARS },
    ...open,
  });
  if (!ended.ok) throw new Error(ended.why);
  const given = moduleAnswer.parse(JSON.parse(ended.json ?? 'null'));
  if (typeof given === 'string') return { ...leaf, text: given };
  if (!('sections' in given)) return { ...leaf, text: given.content };
  const whole = partOf(
    leaf.title,
    given.sections.map((inner) => partIn(inner)),
  );
  return given.content === undefined ? whole : { ...whole, summary: given.content };
}

function partIn({ title, content = '', sections = [] }: ModuleSection, depth = 1): Part {
  if (depth > MAX_DEPTH) throw new Error('its sections are too deep');
  if (sections.length === 0) return { title, text: content };
  return {
    ...partOf(
      title,
      sections.map((inner) => partIn(inner, depth + 1)),
    ),
    title,
  };
}

/** What becomes of results on their way to an agent, as the gateway is told it. Sizes are characters, durations milliseconds. */
import { z } from 'zod';
import { codeRights } from './code-questions.ts';

/** What goes through a pipeline: what tools answer, and the texts of prompts. */
export const PIPELINE_INPUTS = ['toolResult', 'prompt'] as const;
export type PipelineInput = (typeof PIPELINE_INPUTS)[number];

const stage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('passthrough') }),
  z.strictObject({ type: z.literal('paginate'), pageSize: z.number() }),
  z.strictObject({ type: z.literal('section-split'), minSize: z.number(), maxSize: z.number() }),
  z.strictObject({ type: z.literal('summarize-tree'), maxTokens: z.number() }),
  z.strictObject({ type: z.literal('redact'), patterns: z.array(z.string()) }),
  z.strictObject({ type: z.literal('truncate'), maxChars: z.number(), keep: z.boolean().optional() }),
  z.strictObject({ type: z.literal('toon') }),
  z.strictObject({ type: z.literal('csv') }),
  z.strictObject({
    type: z.literal('module'),
    file: z.string(),
    /** What the file says: an ES module. */
    code: z.string(),
    config: z.record(z.string(), z.unknown()),
    timeoutMs: z.number(),
    memoryBytes: z.number(),
    ...codeRights,
  }),
]);

export const pipelineSchema = z.strictObject({
  appliesTo: z.array(z.enum(PIPELINE_INPUTS)),
  /** Shorter texts stay as they are. */
  minBytes: z.number(),
  stages: z.array(stage),
});

export type PipelineEntry = z.output<typeof pipelineSchema>;
export type StageEntry = z.output<typeof stage>;

/** In place of a pipeline's name: none, whatever is said elsewhere. */
export const NO_PIPELINE = 'none';

/** A section, as code of the config repo gives it back. */
export interface ModuleSection {
  readonly title: string;
  readonly content?: string | undefined;
  readonly sections?: readonly ModuleSection[] | undefined;
}

const moduleSection: z.ZodType<ModuleSection> = z.lazy(() =>
  z.object({
    title: z.string().max(200),
    content: z.string().optional(),
    sections: z.array(moduleSection).optional(),
  }),
);

/** What code of the config repo may give back: the text, or sections with a word on all of them. */
export const moduleAnswer = z.union([
  z.string(),
  z.object({ content: z.string().optional(), sections: z.array(moduleSection).min(1) }),
  z.object({ content: z.string() }),
]);

import { z } from 'zod';
import { NO_PIPELINE, PIPELINE_INPUTS } from '../pipelines.ts';
import type { Resource } from '../resource.ts';
import { duration, size } from './fields.ts';
import { codeFields, unallowed } from './fields/code.ts';
import { configFile } from './fields/given.ts';
import { defineKind, type Problem } from './kind.ts';

const chars = z.int().min(200).max(1_000_000);

/** In code, so that the clock alone decides how long it may take: see `gateway/results`. */
const pattern = z
  .string()
  .min(1)
  .max(512)
  .describe('A regular expression (JavaScript, with the flags g and u); what it matches is taken out.');

const stage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('passthrough').describe('Leaves everything as it is.') }),
  z.strictObject({
    type: z.literal('paginate').describe('Cuts a text into numbered pages, at the ends of lines where it can.'),
    pageSize: chars.default(8000).describe('Characters of a page at most.'),
  }),
  z.strictObject({
    type: z
      .literal('section-split')
      .describe(
        'Splits a text where it is made of parts: JSON at elements and keys, YAML at keys, Markdown at headings, code at functions and classes, prose at paragraphs.',
      ),
    minSize: chars.default(2048).describe('Parts that are smaller are merged with the next (characters).'),
    maxSize: chars.default(15_360).describe('Parts that are larger are split again (characters).'),
  }),
  z.strictObject({
    type: z
      .literal('summarize-tree')
      .describe(
        'Puts a summary of each part into the table of contents: by the model, or its first line and its size.',
      ),
    maxTokens: z.int().min(20).max(2000).default(200).describe('Tokens of one summary, about.'),
  }),
  z.strictObject({
    type: z
      .literal('redact')
      .describe(
        'Takes out secrets of a known shape, wherever they stand in a result, and what its own patterns match.',
      ),
    patterns: z.array(pattern).max(32).default([]).describe('What is taken out besides.'),
  }),
  z.strictObject({
    type: z.literal('truncate').describe('Cuts a text off, and says how much was left out.'),
    maxChars: chars.default(8000).describe('Characters that stay.'),
    keep: z.boolean().optional().describe('Keep the whole, in pages, for agents that read on.'),
  }),
  z.strictObject({
    type: z.literal('toon').describe('Writes JSON as TOON, where that is shorter: made for lists of like objects.'),
  }),
  z.strictObject({
    type: z.literal('csv').describe('Writes a JSON list of like objects as CSV (RFC 4180), where that is shorter.'),
  }),
  z.strictObject({
    type: z
      .literal('module')
      .describe('Runs code of the config repo, shut in: it sees the text and nothing else. A Policy must allow it.'),
    file: configFile.describe(
      'An ES module; its default export is async (input, ctx) => text or { content, sections }.',
    ),
    config: z.record(z.string(), z.json()).default({}).describe('What the code gets as ctx.config.'),
    timeout: duration.default('1s').describe('How long it may take: at most 10s.'),
    memory: size.default('32Mi').describe('Memory that it may use: at most 128Mi.'),
    ...codeFields,
  }),
]);

const pipelineSpec = z.strictObject({
  description: z.string().max(4096).optional().describe('What it is for.'),
  appliesTo: z
    .array(z.enum(PIPELINE_INPUTS))
    .min(1)
    .default(['toolResult'])
    .describe(
      'What goes through it: what tools answer; the texts of prompts, those of servers and the config’s own Prompts.',
    ),
  minBytes: z
    .int()
    .min(0)
    .max(1_073_741_824)
    .default(2048)
    .describe('A text of fewer bytes stays as it is; but for redact, which looks at all.'),
  stages: z
    .array(stage)
    .min(1)
    .max(16)
    .describe(
      'In this order: each gets what the one before made of it. After a stage that splits, each part by itself.',
    ),
});

export type PipelineSpec = z.output<typeof pipelineSpec>;
type Resources = readonly Resource<PipelineSpec>[];

/** A pattern that cannot be read, or takes out nothing at all places. */
function badPatterns(pipelines: Resources): Problem[] {
  return pipelines.flatMap((resource) =>
    resource.spec.stages.flatMap((one, at) =>
      (one.type === 'redact' ? one.patterns : []).flatMap((source, index): Problem[] => {
        const problem = wrongWith(source);
        const path = ['stages', at, 'patterns', index];
        return problem === undefined ? [] : [{ resource, path, code: 'invalid-value', message: problem }];
      }),
    ),
  );
}

const SPLITS: readonly string[] = ['paginate', 'section-split', 'summarize-tree'];
const splits = (one: PipelineSpec['stages'][number]): boolean =>
  SPLITS.includes(one.type) || (one.type === 'truncate' && one.keep === true);

const asks = (one: PipelineSpec['stages'][number]): boolean => one.type === 'module' && one.llm === true;

/** A secret that is cut in two is found in neither part; one that a model was told is out. */
function guardsBehind(pipelines: Resources): Problem[] {
  return pipelines.flatMap((resource) => {
    const { stages } = resource.spec;
    const first = stages.findIndex((one) => splits(one) || asks(one));
    const guard = stages.findLastIndex(({ type }) => type === 'redact');
    const leak = stages[first];
    if (!leak || guard < first) return [];
    const why = asks(leak)
      ? 'what it asks a model leaves this host'
      : 'a secret that is cut in two is found in neither part';
    const message = `redact must stand before ${leak.type}: ${why}.`;
    return [{ resource, path: ['stages', guard], code: 'conflicting-fields' as const, message, hint: 'Put it first.' }];
  });
}

function wrongWith(source: string): string | undefined {
  try {
    return new RegExp(source, 'u').test('') ? 'The pattern matches nothing at all, and so at every place.' : undefined;
  } catch (error) {
    return `The pattern cannot be read: ${(error as Error).message}.`;
  }
}

export const pipeline = defineKind({
  kind: 'Pipeline',
  plural: 'pipelines',
  short: ['pipe', 'pm', 'proxymodel'],
  description:
    'What becomes of long results before an agent gets them: a table of contents with sections to ask for, pages, fewer tokens, no secrets.',
  reserved: {
    [NO_PIPELINE]: 'it means that there is no pipeline',
    gate: 'a gate is no Pipeline here; write gate: {} on the Project',
    default:
      'none applies by itself; give it a name of its own, and name it in pipeline of the Gateway, a Project or a Server',
  },
  builtIn: [NO_PIPELINE],
  spec: pipelineSpec,
  references: () => [],
  together: (pipelines, all) => [
    ...pipelines.flatMap((resource) => {
      const { stages } = resource.spec;
      const at = stages.findIndex(({ type }) => type === 'module');
      const asking = stages.findIndex(asks);
      return [
        ...(at < 0 ? [] : unallowed(resource, { all, field: 'code', path: ['stages', at, 'file'] })),
        ...(asking < 0 ? [] : unallowed(resource, { all, field: 'llm', path: ['stages', asking, 'llm'] })),
      ];
    }),
    ...badPatterns(pipelines),
    ...guardsBehind(pipelines),
  ],
  files: (spec) =>
    spec.stages.flatMap((one, at) =>
      one.type === 'module' ? [{ path: ['stages', at, 'file'], file: one.file, content: 'text' as const }] : [],
    ),
  example: `apiVersion: slipway/v1
kind: Pipeline
metadata: { name: sections }
spec:
  minBytes: 4096
  stages:
    - { type: redact }
    - { type: section-split }
`,
});

/** What a project calls the tools of a server, and which of them it shows. */
import { z } from 'zod';
import { name } from '../fields.ts';
import type { Reference } from '../kind.ts';
import { pipeline, pipelineReference } from './pipeline.ts';

const toolName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1–64 of A–Z, a–z, 0–9, _, . and -')
  .describe('What it is called here, after the prefix.');

const override = z.strictObject({
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{0,32}$/, 'must be up to 32 of A–Z, a–z, 0–9, _, . and -')
    .optional()
    .describe('What stands before the names of its tools and prompts, in place of its name and the separator.'),
  hide: z
    .array(z.string().min(1).max(128))
    .max(512)
    .optional()
    .describe(
      'Tools that are left out here; * stands for anything, ? for one character. Who may call them elsewhere still may.',
    ),
  pipeline: pipeline.describe('Pipeline of its results here, in place of the project’s; none: no pipeline.'),
  tools: z
    .record(
      z.string().min(1).max(128),
      z.strictObject({
        name: toolName.optional(),
        description: z.string().min(1).max(8192).optional().describe('What a model is told that it does.'),
      }),
    )
    .optional()
    .describe('By the server’s own names of tools.'),
});

export const overrides = z
  .record(name, override)
  .default({})
  .describe('By server of the project: how its tools appear here. Rules and audit go by their own names.');

export const overrideReferences = (given: z.output<typeof overrides>): Reference[] =>
  Object.entries(given).flatMap(([server, one]) => pipelineReference(one.pipeline, ['overrides', server, 'pipeline']));

/** A tool as the config describes it to agents. */
import { z } from 'zod';
import { toolDefinition } from '../../plugins.ts';

/** Of its schema, as JSON: it stands before a model in each session (characters). */
const MAX_SCHEMA = 16_000;

const isPattern = (source: string): boolean => {
  try {
    return new RegExp(source, 'u') instanceof RegExp;
  } catch {
    return false;
  }
};

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;

/** What JSON Schema 2020-12 says of the keywords that arguments are described with; others are let through as they are. */
const part: z.ZodType = z.lazy(() => z.union([z.boolean(), z.looseObject(keywords)]));
const parts = z.record(z.string(), part);
const count = z.int().min(0);
const keywords = {
  type: z.union([z.enum(TYPES), z.array(z.enum(TYPES)).min(1)]).optional(),
  description: z.string().optional(),
  title: z.string().optional(),
  properties: parts.optional(),
  patternProperties: parts.optional(),
  $defs: parts.optional(),
  required: z.array(z.string()).optional(),
  additionalProperties: part.optional(),
  items: part.optional(),
  prefixItems: z.array(part).min(1).optional(),
  allOf: z.array(part).min(1).optional(),
  anyOf: z.array(part).min(1).optional(),
  oneOf: z.array(part).min(1).optional(),
  not: part.optional(),
  enum: z.array(z.json()).min(1).optional(),
  pattern: z.string().refine(isPattern, 'is no regular expression').optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: count.optional(),
  maxLength: count.optional(),
  minItems: count.optional(),
  maxItems: count.optional(),
};

const vocabulary = z.looseObject({ ...keywords, type: z.literal('object') });

/** Its keywords are looked at here rather than told by our own schemas, in which they would have no end. */
const inputSchema = z.record(z.string(), z.json()).check((context) => {
  const { value, issues } = context;
  const found = vocabulary.safeParse(value).error?.issues ?? [];
  for (const { path, message } of found) issues.push({ code: 'custom', input: value, path, message });
  if (JSON.stringify(value).length > MAX_SCHEMA)
    issues.push({ code: 'custom', input: value, path: [], message: `has more than ${MAX_SCHEMA} characters as JSON` });
});

export const toolField = toolDefinition
  .extend({
    name: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be letters, digits, _ or -, and begin with a letter')
      .describe('What agents call it, as it stands: no server’s name comes before it.'),
    title: z.string().min(1).max(200).optional().describe('Its name for people.'),
    description: z.string().min(1).max(2_000).describe('What it does, for models.'),
    inputSchema: inputSchema
      .default({ type: 'object', properties: {} })
      .describe('JSON Schema of its arguments; the code sees none that do not fit.'),
  })
  .describe('A tool that the file answers.');

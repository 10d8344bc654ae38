/** How much is kept of what need not be made again (Gateway), and which results of tools (Server). */
import { z } from 'zod';
import { duration } from '../fields.ts';

const share = z
  .string()
  .regex(
    /^([1-9][0-9]{0,11}(Ki|Mi|Gi)?|([1-9][0-9]?|100)%)$/,
    'must be a size such as 256Mi, or a share of the partition such as 10%',
  );

export const cache = z
  .strictObject({
    maxSize: share
      .default('256Mi')
      .describe('How large it may become on disk. A percentage is of the partition that the state directory is on.'),
    ttl: duration.default('30d').describe('What was not used for so long is forgotten.'),
    maxMemoryEntries: z.int().min(1).max(100_000).default(500).describe('How many texts are kept in memory.'),
  })
  .prefault({})
  .describe('Texts that language models made, kept so that the same is not paid for twice.');

const rule = z
  .strictObject({
    tools: z
      .array(z.string().min(1).max(128))
      .min(1)
      .max(256)
      .describe('Tools by the server’s own names; * stands for anything, ? for one character.'),
    ttl: duration
      .optional()
      .describe('How long a result may be given again. Default: as long as the server says in its result (ttlMs).'),
    force: z
      .boolean()
      .default(false)
      .describe('Also tools that do not say of themselves that they only read (readOnlyHint).'),
  })
  .describe('The last rule that matches a tool counts.');

export const toolCache = z
  .array(rule)
  .max(64)
  .default([])
  .describe('Results of tools that may be given again for the same arguments, without asking the server.');

export type CacheSpec = z.output<typeof cache>;
export type ToolCacheSpec = z.output<typeof toolCache>;

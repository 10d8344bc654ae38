/** What code of the config repo may ask of the gateway. It says so itself, so nothing of it is believed before it was looked at here. */
import { z } from 'zod';
import { LLM_TIERS } from './llm.ts';

/** Lists that a client can be told to ask for again. */
export const CHANGEABLE = ['tools', 'resources', 'prompts'] as const;
export type Changeable = (typeof CHANGEABLE)[number];

/** Huge input: what a model is asked and what is kept, at most (characters). */
const MAX_PROMPT = 32_000;
const MAX_KEPT = 64_000;
const key = z.string().max(1_000);

export const codeQuestion = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('llm'),
    prompt: z.string().min(1).max(MAX_PROMPT),
    tier: z.enum(LLM_TIERS).optional(),
    maxTokens: z.int().min(1).max(100_000).optional(),
  }),
  z.strictObject({ op: z.literal('get'), key }),
  /** JSON of any value. */
  z.strictObject({ op: z.literal('set'), key, json: z.string().max(MAX_KEPT, 'more than 64,000 characters of JSON') }),
  z.strictObject({ op: z.literal('changed'), list: z.enum(CHANGEABLE) }),
]);

export type CodeQuestion = z.output<typeof codeQuestion>;

/** Whose what code keeps is: that of each caller, or of all callers of a route. */
export const CACHE_SCOPES = ['principal', 'route'] as const;

/** What a resource says of what its code may ask. */
export const codeRights = {
  /** Whether it may ask a model. */
  llm: z.boolean().optional(),
  /** Absent: `principal`. */
  cache: z.enum(CACHE_SCOPES).optional(),
};

/** Language models as the gateway needs them, and what it tells of them. References to secrets, no values. */
import { z } from 'zod';
import { headersSchema, secretUse } from './upstream-auth.ts';

/** How a provider is spoken to. */
export type Wire = 'openai' | 'anthropic' | 'google' | 'azure' | 'compatible';

export interface LlmType {
  readonly wire: Wire;
  /** Where it is if the config does not say. */
  readonly url?: string;
  /** Whether that is this host, where nobody asks for a key. */
  readonly local?: true;
}

/** What `LlmProvider.spec.type` may be. Those that speak OpenAI's chat completions differ by their address alone. */
export const LLM_TYPES = {
  openai: { wire: 'openai', url: 'https://api.openai.com/v1' },
  anthropic: { wire: 'anthropic', url: 'https://api.anthropic.com/v1' },
  google: { wire: 'google', url: 'https://generativelanguage.googleapis.com/v1beta' },
  azure: { wire: 'azure' },
  ollama: { wire: 'compatible', url: 'http://127.0.0.1:11434/v1', local: true },
  vllm: { wire: 'compatible', url: 'http://127.0.0.1:8000/v1', local: true },
  deepseek: { wire: 'compatible', url: 'https://api.deepseek.com/v1' },
  groq: { wire: 'compatible', url: 'https://api.groq.com/openai/v1' },
  mistral: { wire: 'compatible', url: 'https://api.mistral.ai/v1' },
  openrouter: { wire: 'compatible', url: 'https://openrouter.ai/api/v1' },
  'openai-compatible': { wire: 'compatible' },
} as const satisfies Readonly<Record<string, LlmType>>;

export type LlmTypeName = keyof typeof LLM_TYPES;
export const LLM_TYPE_NAMES = Object.keys(LLM_TYPES) as [LlmTypeName, ...LlmTypeName[]];

/** `fast`: small and cheap, for titles and summaries; `heavy`: for what needs thought. */
export const LLM_TIERS = ['fast', 'heavy'] as const;
export type LlmTier = (typeof LLM_TIERS)[number];

export const llmSchema = z.strictObject({
  name: z.string(),
  type: z.enum(LLM_TYPE_NAMES),
  model: z.string(),
  url: z.string(),
  /** Whether private networks are out of bounds. */
  publicOnly: z.boolean(),
  apiKey: secretUse.optional(),
  headers: headersSchema.optional(),
  tier: z.enum(LLM_TIERS).optional(),
  isDefault: z.boolean(),
  timeoutMs: z.number(),
  maxOutputTokens: z.number(),
  maxConcurrent: z.number(),
});

/** Which providers a route is served by, by name, and by no others. Empty or absent: all there are. */
export const llmChoiceSchema = z.strictObject({ fast: z.string().optional(), heavy: z.string().optional() });

export type LlmEntry = z.output<typeof llmSchema>;
export type LlmChoice = z.output<typeof llmChoiceSchema>;

/** How a provider is doing, as far as calls have shown it: nothing is asked only to find out. */
export const llmStatusSchema = z.strictObject({
  name: z.string(),
  type: z.enum(LLM_TYPE_NAMES),
  model: z.string(),
  tier: z.enum(LLM_TIERS).optional(),
  default: z.boolean(),
  /** `unknown`: nothing was asked of it yet. */
  state: z.enum(['unknown', 'ok', 'failing']),
  /** `open`: it failed too often, and is not asked until the next try. */
  breaker: z.enum(['closed', 'half-open', 'open']),
  calls: z.int(),
  errors: z.int(),
  inFlight: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  /** In words of our own: never what a provider sent. */
  lastError: z.string().optional(),
  /** ISO 8601: when it last answered, and when it last did not. */
  answeredAt: z.string().optional(),
  failedAt: z.string().optional(),
});

export type LlmStatus = z.output<typeof llmStatusSchema>;

/** What came of asking a provider for a word. */
export interface LlmCheck {
  readonly name: string;
  readonly ok: boolean;
  /** How long the answer took (ms). */
  readonly tookMs: number;
  readonly error?: string;
}

/** Who said what a text is about: a model, or the text itself, where none could be had. */
export type DigestBy = 'model' | 'text';

/** What a Prompt is about, made anew. */
export interface PromptDigest {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly chapters: readonly string[];
  readonly by: DigestBy;
  /** SHA-256 of the text that it is of, in hex. */
  readonly text: string;
}

/** What operators ask of the models of a running gateway. */
export interface LlmDesk {
  statuses(): LlmStatus[];
  /** Asks each of them, or all, for a word: that costs as much as it does. @throws SlipwayError not-found */
  check(names: readonly string[], signal: AbortSignal): Promise<LlmCheck[]>;
  /** Has the fast model of its routes say what a Prompt is about. @throws SlipwayError not-found, bad-request where it has no text of its own */
  summarize(name: string, signal: AbortSignal): Promise<PromptDigest>;
}

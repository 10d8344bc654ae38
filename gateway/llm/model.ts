/** One question to one model, by the AI SDK (https://ai-sdk.dev). Its parts are loaded with the first question that needs them. */
import type { LanguageModel } from 'ai';
import type { LlmEntry, Wire } from '../../schemas/llm.ts';
import { LLM_TYPES } from '../../schemas/llm.ts';

/** Tries after the first; the SDK waits as long as a provider asks for, or longer each time (2 s, 4 s). */
const RETRIES = 2;

export interface Question {
  /** What the model is to do: words of ours. */
  readonly system: string | undefined;
  /** What it is to do it with. Prompt injection: nothing in it is ours, and it is never joined with {@link system}. */
  readonly prompt: string;
  readonly maxTokens: number;
}

export interface Answer {
  readonly text: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Why it ended, in the SDK's words: `stop`, `length`, `content-filter` … */
  readonly finish: string;
}

interface Settings {
  readonly baseURL: string;
  readonly apiKey: string;
  readonly fetch: typeof fetch;
}

/** @param key absent where none is needed @throws what the SDK throws: see {@link wordsFor} */
export async function ask(
  entry: LlmEntry,
  key: string | undefined,
  fetch: typeof globalThis.fetch,
  { system, prompt, maxTokens }: Question,
  signal: AbortSignal,
): Promise<Answer> {
  // 70 ms and 24 MB, for those who have a model only.
  const { generateText } = await import('ai');
  // Its warnings go to the console otherwise, past our log.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  // Never undefined: an SDK would look for a key in our environment then, and send it wherever the config says.
  const settings = { baseURL: entry.url.replace(/\/+$/, ''), apiKey: key ?? 'none', fetch };
  const { text, usage, finishReason } = await generateText({
    model: await MODELS[LLM_TYPES[entry.type].wire](entry, settings),
    ...(system === undefined ? {} : { system }),
    prompt,
    maxOutputTokens: maxTokens,
    maxRetries: RETRIES,
    // What is asked is not ours alone: OpenAI would keep it for 30 days.
    providerOptions: { openai: { store: false } },
    abortSignal: signal,
  });
  return {
    text,
    inputTokens: usage.inputTokens ?? 0,
    outputTokens: usage.outputTokens ?? 0,
    finish: finishReason,
  };
}

type Make = (entry: LlmEntry, settings: Settings) => Promise<LanguageModel>;

const MODELS: Readonly<Record<Wire, Make>> = {
  openai: async ({ model }, settings) => (await import('@ai-sdk/openai')).createOpenAI(settings)(model),
  anthropic: async ({ model }, settings) => (await import('@ai-sdk/anthropic')).createAnthropic(settings)(model),
  google: async ({ model }, settings) => (await import('@ai-sdk/google')).createGoogleGenerativeAI(settings)(model),
  azure: async ({ model }, settings) => (await import('@ai-sdk/azure')).createAzure(settings).chat(model),
  compatible: async ({ model, type }, settings) =>
    (await import('@ai-sdk/openai-compatible')).createOpenAICompatible({ ...settings, name: type })(model),
};

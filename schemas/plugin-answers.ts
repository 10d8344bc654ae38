/** What hooks of Plugins may give back. Code of the config repo says it, so nothing of it is believed before it was looked at here. */
import { z } from 'zod';
import type { Hook } from './plugins.ts';

const record = z.record(z.string(), z.unknown());

const toolResult = z.looseObject({
  content: z.array(z.looseObject({ type: z.string() })),
  structuredContent: z.unknown().optional(),
  isError: z.boolean().optional(),
});

/** What each hook on a result is given, and gives back. What has another shape (a question, a task) is none. */
export const HOOK_RESULTS = {
  onToolCallAfter: toolResult,
  onResourceRead: z.looseObject({ contents: z.array(z.looseObject({ uri: z.string() })) }),
  onPromptGet: z.looseObject({
    messages: z.array(
      z.looseObject({ role: z.enum(['user', 'assistant']), content: z.looseObject({ type: z.string() }) }),
    ),
  }),
} as const satisfies Partial<Record<Hook, z.ZodType>>;

export type ResultHook = keyof typeof HOOK_RESULTS;

export const resultAnswer = (hook: ResultHook) => z.strictObject({ result: HOOK_RESULTS[hook] });

export const beforeAnswer = z.union([
  z.strictObject({ arguments: record }),
  z.strictObject({ result: toolResult }),
  z.strictObject({ refuse: z.string().min(1).max(10_000) }),
]);

/** What becomes of a call: other arguments, an answer in the server's place, or none at all. */
export type Before = z.output<typeof beforeAnswer>;

/** What a tool of a Plugin answers: a text, or a result. */
export const toolAnswer = z.union([z.string(), toolResult]);

export const initializeAnswer = z.strictObject({ instructions: z.string().max(1_000_000) });

/** An entry of a list, by what tells it from the others. */
type Shown = Readonly<Record<string, unknown>>;

/** @param field of the list @param key of its entries */
export function listAnswer(field: string, key: string): z.ZodType<Readonly<Record<string, readonly Shown[]>>> {
  const words = { title: z.string().optional(), description: z.string().optional() };
  return z.strictObject({ [field]: z.array(z.looseObject({ [key]: z.string(), ...words })) });
}

/** What comes out of the sandbox: an answer, and what the session keeps. */
export const hookOutput = z.object({ answer: z.unknown().optional(), state: record });

/** @throws Error in words */
export function readAnswer<T>(schema: z.ZodType<T>, answer: unknown): T {
  const { success, data, error } = schema.safeParse(answer);
  if (success) return data;
  throw new Error(z.prettifyError(error));
}

/** What went wrong with a model, in words of ours: a provider's own may hold the key, or what it was asked. */
import { SlipwayError } from '../../schemas/errors.ts';

export interface LlmFailure {
  readonly message: string;
  /** Whether it tells of this one question, and nothing of how the provider is doing. */
  readonly isOfQuestion: boolean;
}

const MEANINGS: Readonly<Record<number, string>> = {
  400: 'the question was refused',
  401: 'the key is refused',
  403: 'the key may not do this',
  404: 'there is no such model, or the url is wrong',
  408: 'it took too long',
  413: 'the question is too long',
  422: 'the question was refused',
  429: 'too many requests, or nothing is left of what was paid for',
};

const OF_QUESTION: ReadonlySet<number> = new Set([400, 413, 422]);

/** @param error whatever was thrown: by the SDK, the guard, or the opener of secrets */
export function failureOf(error: unknown): LlmFailure {
  const last = (error as { lastError?: unknown } | undefined)?.lastError ?? error;
  if (last instanceof SlipwayError) return { message: last.message, isOfQuestion: false };
  const status = (last as { statusCode?: unknown } | undefined)?.statusCode;
  if (typeof status === 'number' && status >= 300) {
    const meaning = MEANINGS[status] ?? (status >= 500 ? 'it is broken, or overloaded' : 'it cannot be used so');
    return { message: `It answered ${status}: ${meaning}.`, isOfQuestion: OF_QUESTION.has(status) };
  }
  return { message: 'It answered what cannot be read.', isOfQuestion: false };
}

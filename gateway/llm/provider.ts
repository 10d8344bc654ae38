/** One provider of models: asked with care, and never more often than needed. */
import type { LlmCheck, LlmEntry, LlmStatus } from '../../schemas/llm.ts';
import type { Log } from '../../schemas/log.ts';
import { Durations } from '../../schemas/metrics.ts';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import { openHeaders } from '../upstream/auth/authorization.ts';
import { Breaker } from '../upstream/breaker.ts';
import { failureOf } from './failure.ts';
import { ModelHttp } from './http.ts';
import { ask, type Answer, type Question } from './model.ts';
import { Places } from './places.ts';

/** From a small model on this host to a long answer of a large one (s). */
const BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** `refused`: it was not asked, because it failed too often just now, or because too many wait for it. */
export const LLM_OUTCOMES = ['ok', 'error', 'timeout', 'cancelled', 'refused'] as const;
export type LlmOutcome = (typeof LLM_OUTCOMES)[number];

export interface ProviderOptions {
  readonly entry: LlmEntry;
  readonly secrets: OpenSecret;
  readonly log: Log;
}

/** A question on its way, and how many wait for the answer. */
interface Asked {
  readonly answer: Promise<string | undefined>;
  readonly controller: AbortController;
  waiting: number;
}

export class Provider {
  readonly entry: LlmEntry;
  readonly durations = new Durations(BOUNDS);
  readonly outcomes: Record<LlmOutcome, number> = { ok: 0, error: 0, timeout: 0, cancelled: 0, refused: 0 };
  readonly #options: ProviderOptions;
  readonly #breaker = new Breaker();
  readonly #places: Places;
  readonly #http: ModelHttp;
  readonly #asked = new Map<string, Asked>();
  #inputTokens = 0;
  #outputTokens = 0;
  #lastError: string | undefined;
  #answeredAt: string | undefined;
  #failedAt: string | undefined;
  #isFailing = false;
  #isRetired = false;

  constructor(options: ProviderOptions) {
    this.entry = options.entry;
    this.#options = options;
    this.#places = new Places(options.entry.maxConcurrent);
    this.#http = new ModelHttp(options.entry.url, options.entry.publicOnly);
  }

  /**
   * The same question is asked once, however many ask it meanwhile.
   * @returns `undefined` where there is no answer to be had @throws the signal's reason, and nothing else
   */
  async complete(question: Question, signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    const key = JSON.stringify([question.system, question.maxTokens, question.prompt]);
    const asked = this.#asked.get(key) ?? this.#begin(key, question);
    asked.waiting++;
    try {
      return await untilGone(asked.answer, signal);
    } finally {
      if (--asked.waiting === 0) this.#end(key, asked);
    }
  }

  /** Asks, whatever came of it before. @throws the signal's reason, and nothing else */
  async check({ maxTokens, ...question }: Question, signal: AbortSignal): Promise<LlmCheck> {
    const began = performance.now();
    this.#breaker.succeeded();
    const most = Math.min(maxTokens, this.entry.maxOutputTokens);
    const text = await this.complete({ ...question, maxTokens: most }, signal);
    const tookMs = Math.round(performance.now() - began);
    const { name } = this.entry;
    return { name, ok: text !== undefined, tookMs, ...(text === undefined ? { error: this.#lastError ?? '' } : {}) };
  }

  get status(): LlmStatus {
    const { name, type, model, tier, isDefault } = this.entry;
    const { ok, error, timeout } = this.outcomes;
    return {
      name,
      type,
      model,
      ...(tier === undefined ? {} : { tier }),
      default: isDefault,
      state: this.#isFailing ? 'failing' : this.#answeredAt === undefined ? 'unknown' : 'ok',
      breaker: this.#breaker.state,
      calls: ok + error + timeout,
      errors: error + timeout,
      inFlight: this.#places.taken,
      inputTokens: this.#inputTokens,
      outputTokens: this.#outputTokens,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#answeredAt === undefined ? {} : { answeredAt: this.#answeredAt }),
      ...(this.#failedAt === undefined ? {} : { failedAt: this.#failedAt }),
    };
  }

  /** It is not in the config any more. What runs may end; its connections go with the last. */
  retire(): void {
    this.#isRetired = true;
    if (this.#asked.size === 0) this.#http[Symbol.dispose]();
  }

  /** Nobody waits for an answer any more. */
  close(): void {
    for (const { controller } of this.#asked.values()) controller.abort();
    this.retire();
  }

  #begin(key: string, question: Question): Asked {
    const controller = new AbortController();
    const asked: Asked = { answer: this.#ask(question, controller.signal), controller, waiting: 0 };
    this.#asked.set(key, asked);
    return asked;
  }

  /** Nobody waits for it any more, because it is there or because all went away. */
  #end(key: string, asked: Asked): void {
    asked.controller.abort();
    if (this.#asked.get(key) === asked) this.#asked.delete(key);
    if (this.#isRetired && this.#asked.size === 0) this.#http[Symbol.dispose]();
  }

  /** Never rejects. @param gone nobody wants the answer any more */
  async #ask(question: Question, gone: AbortSignal): Promise<string | undefined> {
    if (this.#isOpen()) return this.#refused();
    try {
      using _ = await this.#places.take(gone);
      // It may have failed for those who went before.
      return this.#isOpen() ? this.#refused() : await this.#try(question, gone);
    } catch {
      // That so many want it is no failure of its own.
      if (!gone.aborted) return this.#refused();
      this.outcomes.cancelled++;
      return undefined;
    }
  }

  /** @throws where nobody wants the answer any more */
  async #try(question: Question, gone: AbortSignal): Promise<string | undefined> {
    this.#breaker.pass();
    const late = AbortSignal.timeout(this.entry.timeoutMs);
    const signal = AbortSignal.any([gone, late]);
    const began = performance.now();
    try {
      const answer = await untilGone(this.#send(question, signal), signal);
      this.durations.observe((performance.now() - began) / 1000);
      return this.#answered(answer);
    } catch (error) {
      gone.throwIfAborted();
      const { message, isOfQuestion } = failureOf(error);
      if (late.aborted) this.#failed('timeout', `It did not answer within ${this.entry.timeoutMs / 1000} s.`);
      else this.#failed('error', message, isOfQuestion);
      return undefined;
    }
  }

  #isOpen(): boolean {
    return this.#breaker.state === 'open';
  }

  #refused(): undefined {
    this.outcomes.refused++;
  }

  async #send(question: Question, signal: AbortSignal): Promise<Answer> {
    const { apiKey, headers } = this.entry;
    const { secrets } = this.#options;
    // At the moment of use: one that was changed where it lies is in force with the next question.
    const key = apiKey && (await openHeaders([{ name: 'key', value: apiKey }], secrets))['key'];
    const door = { apiKey: key, headers: await openHeaders(headers ?? [], secrets) };
    return ask(this.entry, key, this.#http.fetchWith(door), question, signal);
  }

  #answered({ text, inputTokens, outputTokens, finish }: Answer): string | undefined {
    this.#inputTokens += inputTokens;
    this.#outputTokens += outputTokens;
    if (text.trim() === '') {
      this.#failed('error', `Its answer has no text (${finish}).`, true);
      return undefined;
    }
    this.#breaker.succeeded();
    this.outcomes.ok++;
    this.#answeredAt = new Date().toISOString();
    if (this.#isFailing) this.#options.log('info', 'a language model answers again', { provider: this.entry.name });
    this.#isFailing = false;
    return text;
  }

  /** Told once, until it answers again. */
  #failed(outcome: LlmOutcome, why: string, isOfQuestion = false): void {
    this.outcomes[outcome]++;
    this.#lastError = why;
    this.#failedAt = new Date().toISOString();
    if (!isOfQuestion) this.#breaker.failed(new Error(why));
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.log('warn', 'a language model does not answer: what it is wanted for is done without', {
      provider: this.entry.name,
      why,
    });
  }
}

/** The promise, or the signal's reason, whichever is first. */
function untilGone<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(signal.reason as Error);
    if (signal.aborted) gone();
    signal.addEventListener('abort', gone, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', gone));
  });
}

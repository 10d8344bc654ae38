/** The language models that the gateway itself may ask. Where none can be had, whoever asks goes on without. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { LlmCheck, LlmChoice, LlmDesk, LlmEntry, LlmStatus, LlmTier } from '../../schemas/llm.ts';
import type { Log } from '../../schemas/log.ts';
import { counter, gauge, histogram, type MetricFamily, type MetricValue } from '../../schemas/metrics.ts';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import { LLM_OUTCOMES, Provider } from './provider.ts';

/** Which model is wanted. */
export interface LlmWish {
  readonly tier: LlmTier;
  /** The one that is named where it is wanted. */
  readonly provider?: string | undefined;
  /** What the route says (`Route.llm`). Data leak: where it names any, no other is asked, whatever `provider` says. */
  readonly choice?: LlmChoice | undefined;
}

export interface LlmRequest extends LlmWish {
  /** What it is for, in a word or two of ours: for the log. */
  readonly purpose: string;
  /** What is to be done. Nothing that came from a server or a client belongs in it. */
  readonly system?: string | undefined;
  readonly prompt: string;
  /** At most what the provider's config allows. */
  readonly maxTokens?: number | undefined;
  readonly signal: AbortSignal;
}

export interface Llm {
  /** @returns `undefined` where no model could be had: go on without @throws the signal's reason, and nothing else */
  complete(request: LlmRequest): Promise<string | undefined>;
  /** `<provider>--<model>` of the one that would be asked first: half of a cache's namespace. `undefined`: there is none. */
  modelFor(wish: LlmWish): string | undefined;
}

export interface LlmsOptions {
  readonly secrets: OpenSecret;
  readonly log: Log;
}

/** Room enough for a model that thinks before it says a word (tokens). */
const WORD = { system: undefined, prompt: 'Answer with the word OK and nothing else.', maxTokens: 512 };

export class Llms implements Llm, Omit<LlmDesk, 'summarize'>, Disposable {
  readonly #options: LlmsOptions;
  #providers: ReadonlyMap<string, Provider> = new Map();

  constructor(options: LlmsOptions) {
    this.#options = options;
  }

  /** Another snapshot is in force. Providers that it leaves as they are go on as they are. */
  configure(entries: readonly LlmEntry[] = []): void {
    const before = this.#providers;
    const same = (entry: LlmEntry): Provider | undefined => {
      const known = before.get(entry.name);
      return known && JSON.stringify(known.entry) === JSON.stringify(entry) ? known : undefined;
    };
    const made = entries.map((entry) => same(entry) ?? new Provider({ ...this.#options, entry }));
    this.#providers = new Map(made.map((provider) => [provider.entry.name, provider]));
    for (const provider of before.values()) if (!made.includes(provider)) provider.retire();
  }

  async complete(request: LlmRequest): Promise<string | undefined> {
    const { system, prompt, signal, purpose } = request;
    for (const provider of this.#candidates(request)) {
      const { maxOutputTokens, name } = provider.entry;
      const maxTokens = Math.min(request.maxTokens ?? maxOutputTokens, maxOutputTokens);
      const text = await provider.complete({ system, prompt, maxTokens }, signal);
      if (text !== undefined) {
        this.#options.log('debug', 'a language model answered', { provider: name, purpose });
        return text;
      }
    }
    return undefined;
  }

  modelFor(wish: LlmWish): string | undefined {
    const [first] = this.#candidates(wish);
    return first && `${first.entry.name}--${first.entry.model}`;
  }

  statuses(): LlmStatus[] {
    return [...this.#providers.values()].map(({ status }) => status);
  }

  async check(names: readonly string[], signal: AbortSignal): Promise<LlmCheck[]> {
    const wanted = names.length === 0 ? [...this.#providers.keys()] : names;
    const unknown = wanted.find((name) => !this.#providers.has(name));
    if (unknown !== undefined) throw new SlipwayError('not-found', `There is no LlmProvider ${unknown}.`);
    const found = wanted.flatMap((name) => this.#providers.get(name) ?? []);
    return Promise.all(found.map((provider) => provider.check(WORD, signal)));
  }

  families(): MetricFamily[] {
    const each = (valuesOf: (provider: Provider, labels: { provider: string }) => readonly MetricValue[]) =>
      [...this.#providers.values()].flatMap((provider) => valuesOf(provider, { provider: provider.entry.name }));
    const duration = 'slipway_llm_call_duration_seconds';
    return [
      counter(
        'slipway_llm_calls_total',
        'Questions to language models, by what became of them.',
        each(({ outcomes }, labels) =>
          LLM_OUTCOMES.map((outcome) => ({ labels: { ...labels, outcome }, value: outcomes[outcome] })),
        ),
      ),
      histogram(
        duration,
        'How long answers of language models took.',
        each(({ durations }, labels) => durations.values(duration, labels)),
      ),
      counter(
        'slipway_llm_tokens_total',
        'Tokens of questions to language models (input) and of their answers (output), as the providers count them.',
        each(({ status }, labels) => [
          { labels: { ...labels, direction: 'input' }, value: status.inputTokens },
          { labels: { ...labels, direction: 'output' }, value: status.outputTokens },
        ]),
      ),
      gauge(
        'slipway_llm_failing',
        'Whether a language model failed when it was last asked.',
        each(({ status }, labels) => [{ labels, value: status.state === 'failing' ? 1 : 0 }]),
      ),
    ];
  }

  [Symbol.dispose](): void {
    for (const provider of this.#providers.values()) provider.close();
  }

  /** Those that may be asked, the best first: the next is asked where one does not answer. */
  #candidates({ tier, provider, choice = {} }: LlmWish): readonly Provider[] {
    const other: LlmTier = tier === 'fast' ? 'heavy' : 'fast';
    const chosen = [choice[tier], choice[other]].filter((name) => name !== undefined);
    const isNamed = provider !== undefined && (chosen.length === 0 || chosen.includes(provider));
    const names = isNamed ? [provider] : chosen.length > 0 ? chosen : undefined;
    const all = [...this.#providers.values()];
    const of = (wanted: LlmTier): Provider[] => all.filter(({ entry }) => entry.tier === wanted);
    const found = names
      ? names.flatMap((name) => this.#providers.get(name) ?? [])
      : [...of(tier), ...of(other), ...all.filter(({ entry }) => entry.isDefault || all.length === 1)];
    return [...new Set(found)];
  }
}

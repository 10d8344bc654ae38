/** What code of the config repo asks of the gateway, answered: the model of the route, what it kept, a list that has changed. */
import { codeQuestion, type Changeable, type CodeQuestion } from '../../schemas/code-questions.ts';
import type { LlmChoice, LlmTier } from '../../schemas/llm.ts';
import { textKey } from '../cache/texts.ts';
import type { State } from '../exchange.ts';
import type { Task } from '../workers.ts';

/** How long all questions of one run to models may take together (ms): somebody waits for its answer. */
export const MODEL_PATIENCE = 20_000;

/** Code that runs, and for whom. */
export interface Asker {
  readonly state: Pick<State, 'llm' | 'texts' | 'askers' | 'workers'>;
  readonly kind: 'pipeline' | 'plugin';
  readonly name: string;
  readonly code: string;
  /** What the config lets it do. */
  readonly rights: { readonly llm?: boolean | undefined; readonly cache?: 'principal' | 'route' | undefined };
  /** `Identity.key`. */
  readonly principal: string;
  readonly path: string;
  /** Which models the route is served by. */
  readonly choice: LlmChoice | undefined;
  /** Absent where it is nobody's list, or just being made. */
  readonly onChanged?: ((list: Changeable) => void) | undefined;
}

/** For one run. */
export class CodeDesk {
  readonly #asker: Asker;
  readonly #gone: AbortSignal;
  readonly #over = new AbortController();
  #patience: AbortSignal | undefined;

  /** @param gone its run is given up */
  constructor(asker: Asker, gone: AbortSignal) {
    this.#asker = asker;
    this.#gone = gone;
  }

  /**
   * Runs it. What may wait for a model has threads of its own: one that waits keeps its thread, and would keep others from theirs.
   * @param task whose `timeoutMs` is what it may take besides waiting for models
   */
  run(task: Omit<Task, 'onAsked' | 'signal' | 'by'>): Promise<unknown> {
    const { state, rights, principal } = this.#asker;
    const waits = rights.llm === true;
    const running = (waits ? state.askers : state.workers).run({
      ...task,
      by: principal,
      timeoutMs: task.timeoutMs + (waits ? MODEL_PATIENCE : 0),
      signal: this.#gone,
      onAsked: (question) => this.#answer(codeQuestion.parse(question)),
    });
    // Cost, and others who wait for the same model: what code asked and did not wait for, nobody hears any more.
    return running.finally(() => this.#over.abort());
  }

  /** @returns `undefined` where there is no model, or nothing was kept @throws Error in words for the code */
  async #answer(question: CodeQuestion): Promise<unknown> {
    const { state, onChanged } = this.#asker;
    if (question.op === 'llm') return this.#complete(question);
    if (question.op === 'changed') return onChanged?.(question.list);
    const at = [this.#namespace, this.#keyOf(question.key)] as const;
    if (question.op === 'set') return state.texts.set(...at, question.json);
    const json = await state.texts.get(...at);
    return json === undefined ? undefined : (JSON.parse(json) as unknown);
  }

  async #complete({
    prompt,
    tier = 'fast',
    maxTokens,
  }: Extract<CodeQuestion, { op: 'llm' }>): Promise<string | undefined> {
    const { state, rights, choice, kind, name } = this.#asker;
    // Cost, and texts that go to strangers: it is for the config to say that this code may.
    if (!rights.llm)
      throw new Error(`The ${kind} ${name} may not ask a model: it must say llm: true, and a Policy allow it.`);
    this.#patience ??= AbortSignal.timeout(MODEL_PATIENCE);
    const signal = AbortSignal.any([this.#gone, this.#over.signal, this.#patience]);
    const wish: { tier: LlmTier; choice: LlmChoice | undefined } = { tier, choice };
    return state.llm
      .complete({ ...wish, purpose: `${kind} ${name}`, prompt, maxTokens, signal })
      .catch(() => undefined);
  }

  get #namespace(): string {
    return `code--${this.#asker.kind}--${this.#asker.name}`;
  }

  /**
   * Leak between callers: whatever the code calls it, it is kept for one principal on one route, unless the config says that all
   * callers of the route share it. Another version of the code finds nothing of the one before.
   */
  #keyOf(key: string): string {
    const { rights, principal, path, code } = this.#asker;
    return textKey(rights.cache === 'route' ? 'route' : `principal ${principal}`, path, code, key);
  }
}

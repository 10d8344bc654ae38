/**
 * The gate of a route (after mcpctl): a session first says what it is about, and gets the Prompts that fit and the tools. It guides a
 * model and is no boundary: a call that comes before that goes through, and brings the Prompts with its result.
 */
import { parseExact } from '../../schemas/exact-json.ts';
import { variablesIn, withVariables, type OwnText } from '../../schemas/kinds/fields/own-texts.ts';
import type { Route } from '../../schemas/snapshot.ts';
import type { Catalog } from '../catalog.ts';
import type { Call } from '../era/era.ts';
import type { Caller } from '../exchange.ts';
import { Discovery } from '../lazy/discovery.ts';
import { wordsIn } from '../lazy/tool-index.ts';
import type { OwnTools } from '../own/own-tools.ts';
import type { OwnWords, Prompts } from '../prompts/prompts.ts';
import { lineOf, type Json } from '../rpc/json.ts';
import { tellChanged } from '../sessions/changed.ts';
import { LISTS } from '../upstream/lists.ts';
import { deliver, entriesOf, record, type Topic } from './deliver.ts';
import { passOf } from './passed.ts';
import { closedInstructions, OWN_WORDS, openInstructions } from './words.ts';

type Config = NonNullable<Route['gate']>;

export interface GateParts {
  readonly config: Config;
  /** What it says in the config's words instead of its own. */
  readonly words: OwnWords;
  readonly project: string | undefined;
  readonly prompts: Prompts | undefined;
  readonly own: OwnTools;
  /** Of the tools behind it. */
  readonly tools: Catalog;
  /** Whether the gateway's own tools are all that is listed behind it. */
  readonly discovers: boolean;
}

/** The tools that it is passed with, and that are its own. */
export const GATE_TOOLS = { begin: 'begin_session', read: 'read_prompts', propose: 'propose_prompt' } as const;
const OURS: ReadonlySet<string> = new Set(Object.values(GATE_TOOLS));

/** How long instructions wait for names of tools (ms). */
const PREVIEW = 1_000;
/** What a call is about is seen in its name and arguments: so many words of them, from so many characters. */
const MAX_WORDS = 32;
const MAX_ARGUMENTS = 2_000;
/** Shorter words say nothing of what a call is about (characters). */
const MIN_WORD = 3;

export class Gate {
  readonly config: Config;
  readonly #parts: GateParts;
  /** What is listed before. */
  readonly closed: Discovery;

  constructor(parts: GateParts) {
    const begin = parts.own.get(GATE_TOOLS.begin);
    this.config = parts.config;
    this.#parts = parts;
    this.closed = new Discovery({ items: begin ? [begin.define(parts.own.front)] : [] }, 0);
  }

  /** Whether the caller has yet to begin. @param session none for a client that keeps none, or has just come */
  isClosed(caller: Caller, session: string | undefined): boolean {
    return !caller.state.prompts.passed.has(passOf(caller, session), this.config.ttlMs);
  }

  /** What is listed instead of the tools; `undefined` for who has begun. */
  listFor({ caller, trace }: Call): Discovery | undefined {
    return this.isClosed(caller, trace.session) ? this.closed : undefined;
  }

  /** @param others what the route says besides */
  async instructions(caller: Caller, session: string | undefined, others: string): Promise<string> {
    const entries = await entriesOf(caller, this.#parts.prompts?.all ?? []);
    if (!this.isClosed(caller, session)) return openInstructions(entries, others);
    const text = await this.#say('slipway-gate');
    return closedInstructions({ text, entries, tools: await this.#preview(), others });
  }

  /** Nothing is looked up for a variable that does not stand in it. */
  async #say(name: OwnText): Promise<string> {
    const { words, project, prompts } = this.#parts;
    const text = words[name] ?? OWN_WORDS[name];
    const wanted = variablesIn(text);
    if (wanted.size === 0) return text;
    return withVariables(text, {
      project: project ?? 'slipway',
      texts: String(prompts?.all.length ?? 0),
      byteBudget: String(this.config.budgetBytes),
      tools: wanted.has('tools') ? String((await this.#preview()).length) : '',
    });
  }

  /** The names of the tools that are listed behind it. */
  async #preview(): Promise<string[]> {
    const { own, tools, discovers } = this.#parts;
    const ours = own.items.map((item) => String(item['name']));
    if (discovers) return ours;
    const loading = tools.load();
    if (loading) await Promise.race([loading, new Promise((resolve) => setTimeout(resolve, PREVIEW).unref())]);
    return [...tools.targets.keys(), ...ours];
  }

  /** Hands out what fits the topic; from then on the caller has begun. */
  async begin(call: Call, topic: Topic): Promise<string> {
    const text = await this.read(call, topic, await this.#say('slipway-gate-begun'));
    this.#open(call, GATE_TOOLS.begin);
    return text;
  }

  read(call: Call, topic: Topic, word: string): Promise<string> {
    return this.#deliver(call, topic, word, this.config.byModel === true);
  }

  #deliver(call: Call, topic: Topic, word: string, byModel: boolean): Promise<string> {
    return deliver(call, topic, { prompts: this.#parts.prompts, budget: this.config.budgetBytes, byModel, word });
  }

  /** Whether a call comes from somebody who should have begun before. Hot path of routes with a gate. */
  isSkippedBy({ caller, trace }: Call, tool: string): boolean {
    return !OURS.has(tool) && this.isClosed(caller, trace.session);
  }

  /**
   * The result of such a call, with the Prompts that fit it: a client that did not read the instructions, or that lost its list of
   * tools, works all the same. A question to its client is no result yet.
   * @throws what the call throws: then nothing has begun
   */
  async after(call: Call, tool: string, answer: Promise<Json>): Promise<Json> {
    const json = await answer;
    const result = parseExact(lineOf(json)) as { content?: unknown; resultType?: unknown };
    const isResult = Array.isArray(result.content) && [undefined, 'complete'].includes(result.resultType as undefined);
    if (!isResult || !this.isClosed(call.caller, call.trace.session)) return json;
    this.#open(call, 'call');
    const topic = { tags: topicOf(tool, call.request.params?.['arguments']) };
    // A model is not waited for: nobody asked for this.
    const text = await this.#deliver(call, topic, await this.#say('slipway-gate-skipped'), false);
    return JSON.stringify({ ...result, content: [...(result.content as unknown[]), { type: 'text', text }] });
  }

  #open(call: Call, by: string): void {
    const { caller, trace } = call;
    const { state } = caller;
    if (!state.prompts.passed.add(passOf(caller, trace.session), this.config.ttlMs)) return;
    record(call, 'gate_decision', { decision: 'opened', by });
    tellChanged(call, LISTS.tools.changed);
  }
}

/** Words of a call that may be tags. */
function topicOf(tool: string, args: unknown): string[] {
  const texts =
    typeof args === 'object' && args !== null ? Object.values(args).filter((one) => typeof one === 'string') : [];
  const words = [...wordsIn(tool), ...wordsIn(texts.join(' ').slice(0, MAX_ARGUMENTS))];
  return [...new Set(words.filter((word) => word.length >= MIN_WORD))].slice(0, MAX_WORDS);
}

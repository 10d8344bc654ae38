/** What a script asks the gateway: to call a tool, or what there is to call. */
import { toSlipwayError, SlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { suggest } from '../../schemas/suggest.ts';
import type { Target } from '../catalog.ts';
import type { Call } from '../era/era.ts';
import type { Caller } from '../exchange.ts';
import { ToolIndex } from '../lazy/tool-index.ts';
import type { Permit } from '../limits/limiter.ts';
import type { Slot } from '../limits/meter.ts';
import { callTool } from '../methods/tools-call.ts';
import { cardOf } from '../own/card.ts';
import type { Front } from '../own/own-tool.ts';
import { lineOf, sizeOf, type Json } from '../rpc/json.ts';
import { viewOf } from '../steps/authorize.ts';
import { settle } from '../steps/limit.ts';
import type { Question } from './in-worker.ts';
import { expressionOf, nameFor } from './names.ts';
import { forScripts, ScriptCall, type Around } from './script-call.ts';

const DEFAULT_FOUND = 20;
const MOST_FOUND = 200;
/** More is said of no name (characters). */
const MAX_NAME = 100;

export interface AskedOptions {
  /** Of the script. */
  readonly call: Call;
  readonly front: Front;
  readonly signal: AbortSignal;
  /** A person is asked something because of a call, or no longer. */
  readonly onAsking: (isAsking: boolean) => void;
  /** A call is over. */
  readonly onCalled: (name: string) => void;
}

export class Asked {
  readonly #options: AskedOptions;
  readonly #around: Around;
  /** Calls that are on their way. */
  #running = 0;
  /** Calls that were made, and those that came to nothing. */
  calls = 0;
  failed = 0;
  /** Words on budgets that calls brought along: they are said once, so they must not get lost. */
  budgets: unknown[] = [];

  constructor(options: AskedOptions) {
    this.#options = options;
    const { call, signal, onAsking } = options;
    this.#around = { outer: call, route: forScripts(call.caller.route), signal, onAsking };
  }

  /** @returns the answer as JSON; of a call, the tool's result @throws an Error whose message the script gets */
  async answer(question: Question): Promise<string> {
    const { op, query, limit } = question;
    if (op === 'call') return this.#call(question);
    return JSON.stringify(op === 'list' ? await this.#list(query, limit) : await this.#describe(question));
  }

  async #list(query: unknown, limit: unknown): Promise<unknown> {
    const { tools } = this.#options.front.view.catalogs;
    await tools.load();
    const { targets } = tools;
    const most = Math.min(MOST_FOUND, Math.max(1, Math.floor(Number(limit ?? DEFAULT_FOUND)) || DEFAULT_FOUND));
    const names = (await ToolIndex.of(targets)).find(typeof query === 'string' ? query : '', most);
    return names.flatMap((name) => {
      const target = targets.get(name);
      return target ? [{ ...cardOf(name, target.shown), call: expressionOf(name, target, tools) }] : [];
    });
  }

  async #describe(question: Question): Promise<unknown> {
    const { front } = this.#options;
    const { tools } = front.view.catalogs;
    const name = await nameFor(front, question);
    const target = name === undefined ? undefined : (tools.known(name) ?? (await tools.find(name)));
    if (name === undefined || !target) throw new Error(this.#unknown(name));
    return { ...target.shown, name, call: expressionOf(name, target, tools) };
  }

  async #call(question: Question): Promise<string> {
    const { front, onCalled } = this.#options;
    const name = await nameFor(front, question);
    const args = question['args'] ?? {};
    if (name === undefined) throw new Error('Name a tool: callTool(name, args).');
    if (typeof args !== 'object' || Array.isArray(args)) throw new Error(`The arguments of ${name} must be an object.`);
    const inner = new ScriptCall(this.#around, name, args);
    inner.trace.bodyBytes = Buffer.byteLength(JSON.stringify(args));
    this.calls++;
    const isFirst = this.#running++ === 0;
    let permit: Permit | undefined;
    try {
      permit = this.#admit(inner, name, isFirst ? undefined : 'concurrency');
      const json = await callTool(inner, name, args as Record<string, unknown>, () => {
        throw new RpcFailure({ code: RPC.invalidParams, message: this.#unknown(name) });
      });
      inner.trace.resultBytes = sizeOf(json);
      return this.#read(json);
    } catch (error) {
      if (inner.trace.outcome === 'ok') inner.trace.failed(error);
      throw error instanceof SlipwayError ? new Error(wordsOf(error)) : error;
    } finally {
      this.#running--;
      if (permit) settle(permit, inner.trace);
      permit?.release();
      if (inner.trace.outcome !== 'ok') this.failed++;
      inner.finish();
      onCalled(name);
    }
  }

  /**
   * Each is a request as good as the script's own.
   * @param slot what it holds: one at a time is in the place of the script itself
   * @throws SlipwayError `body-too-large`, `concurrency-limited`, `rate-limited`, `forbidden`
   */
  #admit({ caller, trace }: ScriptCall, name: string, slot: Slot | undefined): Permit {
    const { state, generation, course, route } = caller;
    if ((trace.bodyBytes ?? 0) > course.bodyBytes) throw new SlipwayError('body-too-large');
    if (state.current !== generation && this.#isClosed(caller, route.catalogs.tools.known(name)))
      throw new SlipwayError('forbidden');
    return state.limiter.admit(course.counted, slot);
  }

  /** Stale rights: a script that waits for a person may outlive the commit that allowed it, or its calls. */
  #isClosed({ state, identity, source, route }: Caller, target: Target | undefined): boolean {
    const now = viewOf(state.current, { identity, source, route: route.path });
    if (!now?.own?.get(String(this.#options.call.request.params?.['name']))) return true;
    if (!target) return false;
    const { server, name } = target;
    return !now.servers.some((one) => one.name === server.name) || now.catalogs.tools.refuses(server.name, name);
  }

  /** A large result is taken apart on the script's thread, not here. */
  #read(json: Json): string {
    const text = lineOf(json);
    if (!text.includes('"slipway/budgets"')) return text;
    const { _meta } = JSON.parse(text) as { _meta?: Readonly<Record<string, unknown>> };
    const notices = _meta?.['slipway/budgets'];
    if (Array.isArray(notices)) this.budgets.push(...notices);
    return text;
  }

  #unknown(name = ''): string {
    const nearest = suggest(name.slice(0, MAX_NAME), this.#options.front.view.catalogs.tools.targets.keys());
    const hint = nearest === undefined ? 'listTools(query) finds those that are there.' : `Did you mean ${nearest}?`;
    return `There is no tool ${name.slice(0, MAX_NAME)}. ${hint}`;
  }
}

function wordsOf(error: SlipwayError): string {
  const { message, hint } = toSlipwayError(error);
  return `${message} ${hint}`;
}

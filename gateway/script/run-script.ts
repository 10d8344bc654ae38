/** `run_script`: one call in which an agent calls many tools, and puts only what it needs before its model. */
import { progressTokenOf } from '../../schemas/jsonrpc.ts';
import { setMaxListeners } from 'node:events';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Route } from '../../schemas/snapshot.ts';
import type { Call } from '../era/era.ts';
import { outcomeOf, type CallOutcome } from '../metrics.ts';
import { mistaken, textAt, type Front, type OwnTool } from '../own/own-tool.ts';
import type { Json } from '../rpc/json.ts';
import { TaskLost } from '../workers.ts';
import { Asked } from './asked.ts';
import { Clock } from './clock.ts';
import type { Question, ScriptInput } from './in-worker.ts';
import type { Ended } from './sandbox.ts';

type CodeMode = NonNullable<Route['codeMode']>;

/** With all that people were asked meanwhile, a script holds its thread no longer than this beyond its own time (ms). */
const PATIENCE = 5 * 60_000;
/** What one call may send to a tool, or one line to the console (characters). */
const QUESTION = 1024 * 1024;

const runScript: OwnTool = {
  name: 'run_script',
  define: () => ({
    name: 'run_script',
    description:
      'Runs JavaScript that calls many tools in one go; only what it returns comes back. In it: await tools.<server>.<tool>(args) or callTool(name, args) give a result as data and throw if it failed; await listTools(words) finds tools, await describeTool(name) gives a schema; console.log. No network, files or timers.',
    inputSchema: {
      type: 'object',
      properties: { script: { type: 'string', description: 'Body of an async function: use await and return.' } },
      required: ['script'],
    },
    // It can do whatever its tools can.
    annotations: { readOnlyHint: false, destructiveHint: true },
  }),
  run(call, args, front) {
    const { codeMode } = front.route;
    const script = textAt(args, 'script', 'code', 'source');
    if (script === undefined || !codeMode) return Promise.resolve(mistaken(call, 'Give the JavaScript in script.'));
    if (Buffer.byteLength(script) > codeMode.scriptBytes)
      return Promise.resolve(mistaken(call, `The script is longer than ${codeMode.scriptBytes} bytes.`));
    return new Execution(call, front, codeMode).run(script);
  },
};

/** The tool of routes with code mode. */
export const scriptTools = ({ codeMode }: Route): readonly OwnTool[] => (codeMode ? [runScript] : []);

/** It took longer than it may. */
class TimeOver extends Error {}

class Execution {
  readonly #call: Call;
  readonly #codeMode: CodeMode;
  readonly #stop = new AbortController();
  readonly #timeoutMs: number;
  readonly #resultBytes: number;
  readonly #asked: Asked;
  readonly #console: string[] = [];
  readonly #token: unknown;
  #clock: Clock | undefined;

  constructor(call: Call, front: Front, codeMode: CodeMode) {
    this.#call = call;
    // Each call that runs listens.
    setMaxListeners(0, this.#stop.signal);
    this.#codeMode = codeMode;
    const { timeout, result } = call.caller.course;
    this.#timeoutMs = Math.min(codeMode.timeoutMs, timeout?.value ?? Infinity);
    this.#resultBytes = Math.min(codeMode.resultBytes, result?.value ?? Infinity);
    this.#token = progressTokenOf(call.request.params);
    this.#asked = new Asked({
      call,
      front,
      signal: this.#stop.signal,
      onAsking: (isAsking) => this.#clock?.hold(isAsking),
      onCalled: (name) => this.#progress(name),
    });
  }

  /** @throws SlipwayError when its client took it back, or the gateway cannot run it */
  async run(script: string): Promise<Json> {
    const { caller, request, id } = this.#call;
    const { scripts, calls } = caller.state;
    this.#call.trace.event('script_execution', request.method);
    const stay = this.#call.onGone(() => this.#stop.abort(new SlipwayError('cancelled', 'The client went away.')));
    const running = calls.add(id, request.id, this.#stop);
    const began = performance.now();
    let outcome: CallOutcome = 'failed';
    try {
      const ended = await this.#execute(script);
      outcome = ended.ok ? 'ok' : ended.why === 'cpu' ? 'timeout' : 'error';
      return this.#answer(ended);
    } catch (error) {
      const isLate = error instanceof TimeOver || (error instanceof TaskLost && error.why === 'time');
      outcome = isLate ? 'timeout' : outcomeOf(error);
      if (isLate) return this.#failed('time', `longer than ${this.#timeoutMs} ms`);
      if (error instanceof TaskLost) return this.#lost(error);
      throw error;
    } finally {
      // What it did not wait for ends with it.
      this.#stop.abort(new SlipwayError('cancelled', 'The script has ended.'));
      stay();
      calls.remove(running);
      scripts.ended(outcome, began);
      // Of the request that carries it by now: its client may have come back with an answer.
      const { trace } = this.#call;
      trace.event('script_execution', request.method);
      trace.detail = { ...trace.detail, calls: this.#asked.calls, failed: this.#asked.failed };
    }
  }

  async #execute(script: string): Promise<Ended> {
    const { state, identity } = this.#call.caller;
    const { cpuMs, memoryBytes, consoleBytes, maxCalls, maxConcurrentCalls } = this.#codeMode;
    const input: ScriptInput = {
      script,
      caps: { cpuMs, memoryBytes, resultChars: this.#resultBytes, questionChars: QUESTION },
      maxCalls,
      // What is more than the limits allow waits for its turn rather than being refused.
      maxConcurrentCalls: Math.min(
        maxConcurrentCalls,
        ...this.#call.caller.course.counted.map(({ limits }) => limits.concurrency ?? Infinity),
      ),
      consoleChars: consoleBytes,
    };
    const tooMany = new SlipwayError('concurrency-limited', 'Too many scripts run at once.');
    const waiting = setTimeout(() => this.#stop.abort(tooMany), this.#timeoutMs);
    const ended = state.scripts.run({
      input,
      by: identity.key,
      timeoutMs: this.#timeoutMs + PATIENCE,
      signal: this.#stop.signal,
      onStarted: () => {
        clearTimeout(waiting);
        this.#clock = new Clock(this.#timeoutMs, () => this.#stop.abort(new TimeOver()));
      },
      onTold: (line) => this.#console.push(String(line)),
      onAsked: (question) => this.#asked.answer(question as Question),
    });
    try {
      return await ended;
    } finally {
      clearTimeout(waiting);
      this.#clock?.[Symbol.dispose]();
    }
  }

  #progress(name: string): void {
    if (this.#token === undefined || this.#stop.signal.aborted) return;
    const progress = { progressToken: this.#token, progress: this.#asked.calls, message: name };
    this.#call.notify('notifications/progress', progress);
  }

  #answer(ended: Ended): Json {
    if (!ended.ok) return this.#failed(ended.why, ended.message);
    if (ended.json === undefined) return this.#result('The script returned nothing.');
    const isTooMuch = Buffer.byteLength(ended.json) > this.#resultBytes;
    return isTooMuch
      ? this.#failed('result', `more than ${this.#resultBytes} bytes`)
      : this.#result(textOf(ended.json));
  }

  #lost({ why }: TaskLost): Json {
    const { log } = this.#call.caller.state;
    if (why === 'crash') log('warn', 'the thread of a script ended, and should not have');
    return this.#failed(why, 'its thread ended');
  }

  #failed(why: keyof typeof WORDS, message: string): Json {
    this.#call.trace.toolFailed(`script_${why}`);
    return this.#result(WORDS[why](message), true);
  }

  #result(text: string, isError = false): Json {
    const { budgets } = this.#asked;
    const console = this.#console.length === 0 ? [] : [{ type: 'text', text: `console:\n${this.#console.join('\n')}` }];
    return this.#call.encode({
      content: [{ type: 'text', text }, ...console],
      ...(isError ? { isError } : {}),
      ...(budgets.length === 0 ? {} : { _meta: { 'slipway/budgets': budgets } }),
    });
  }
}

/** A text goes to a model as it is, and all else as JSON. */
function textOf(json: string): string {
  const value: unknown = json.startsWith('"') ? JSON.parse(json) : undefined;
  return typeof value === 'string' ? value : json;
}

/** What a model is told of a script that came to nothing, so that it writes a better one. */
const WORDS = {
  failed: (message: string) => `The script failed: ${message}`,
  cpu: (message: string) => `The script was stopped: it computed ${message}.`,
  time: (message: string) => `The script was stopped: it ran ${message}.`,
  memory: (message: string) => `The script was stopped: it ran out of memory (${message}).`,
  crash: (message: string) => `The script was stopped: ${message}.`,
  result: (message: string) => `The script returned ${message}. Return less: filter, count or summarise in the script.`,
  stuck: (message: string) =>
    `The script was stopped: ${message}. Did it forget an await, or wait for a promise of its own?`,
} as const;

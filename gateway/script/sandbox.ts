/**
 * Runs code of others, shut in: QuickJS within WebAssembly. In there is nothing but the language and what the host answers, and all that
 * goes in or out is text. Each run has an instance of its own (`engine`), which is dropped with all that was in it. For workers: code that
 * computes holds up its thread, and a few things that it may do (one long `join`) end only with the thread.
 */
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from 'quickjs-emscripten-core';
import { newEngine } from './engine.ts';
import { FRAME } from './frame.ts';

export interface Caps {
  /** What it may compute; waiting does not count (ms). */
  readonly cpuMs: number;
  /** Its heap (bytes). */
  readonly memoryBytes: number;
  /** Of what it returns, as JSON, and of one question to the host (characters). */
  readonly resultChars: number;
  readonly questionChars: number;
}

export interface Program {
  /** `script`: the body of an async function. `module`: an ES module, whose default export is called with `args`. */
  readonly as: 'script' | 'module';
  readonly code: string;
  /** What it is called in stacks. */
  readonly name: string;
  readonly args?: readonly unknown[];
  /** What a module may import, by path: `./b.js` from `lib/a.js` is `lib/b.js`. There is nothing else. */
  readonly modules?: Readonly<Record<string, string>>;
  /**
   * A function as an expression, `({ ask, say }) => …`, that lays out globals before the code runs. It is ours, not theirs. What it
   * gives back is the last argument of a module's default export.
   */
  readonly prelude?: string;
  readonly caps: Caps;
  /** Answers `ask(text)`. What it throws, the code gets as an Error of that message. */
  readonly onAsked?: (question: string) => Promise<string>;
  /** Hears `say(text)`. */
  readonly onSaid?: (text: string) => void;
}

/** `stuck`: it waits for what can never come. */
export type Failure = 'failed' | 'cpu' | 'memory' | 'result' | 'stuck';

/** `json` is absent for `undefined`. */
export type Ended =
  | { readonly ok: true; readonly json?: string }
  | { readonly ok: false; readonly why: Failure; readonly message: string };

/** Deep recursion: QuickJS gives up before the thread has to (bytes). */
const STACK = 256 * 1024;
/** The rest of the thread gets its turn after this (ms), looked at after so many jobs. */
const TURN = 10;
const JOBS = 100;
/** Questions that are not answered. Promise flood: those beyond are refused on the spot. */
const MAX_OPEN = 1_000;
/** And so many of the longest, at most. */
const MAX_LONG = 4;

/** Runs it to its end. Stops nothing but what is over its caps: how long it may wait is the caller's business. Never rejects for what the code does. */
export async function runShutIn(program: Program): Promise<Ended> {
  const { memoryBytes } = program.caps;
  const quickjs = await newEngine(memoryBytes);
  return new Run(program, quickjs.newRuntime({ memoryLimitBytes: memoryBytes, maxStackSizeBytes: STACK })).ended;
}

class Run {
  readonly ended: Promise<Ended>;
  readonly #program: Program;
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #end: (ended: Ended) => void;
  #receive: QuickJSHandle | undefined;
  #isOver = false;
  #open = 0;
  #openChars = 0;
  #used = 0;
  #began = 0;

  constructor(program: Program, runtime: QuickJSRuntime) {
    const ended = Promise.withResolvers<Ended>();
    this.ended = ended.promise;
    this.#program = program;
    this.#runtime = runtime;
    this.#context = runtime.newContext();
    this.#end = (how) => {
      this.#isOver = true;
      ended.resolve(how);
    };
    runtime.setInterruptHandler(() => this.#interrupts());
    const { modules = {} } = program;
    runtime.setModuleLoader((name) =>
      Object.hasOwn(modules, name) ? (modules[name] as string) : { error: new Error(`There is no module ${name}`) },
    );
    this.#turn(() => this.#begin());
  }

  get #isSpent(): boolean {
    return this.#used + performance.now() - this.#began > this.#program.caps.cpuMs;
  }

  get #tooSlow(): Ended {
    return { ok: false, why: 'cpu', message: `more than ${this.#program.caps.cpuMs} ms` };
  }

  /** Much swallows an interruption (a promise's executor, an async function); but without memory none of that can begin again. */
  #interrupts(): boolean {
    if (this.#isSpent) this.#runtime.setMemoryLimit(1);
    return this.#isSpent;
  }

  #begin(): void {
    const context = this.#context;
    const { prelude = '() => {}', code, as, name, args = [] } = this.#program;
    const frame = context.unwrapResult(context.evalCode(`(${FRAME})`, 'slipway'));
    const host = [this.#function(this.#asked), this.#function(this.#said), this.#function(this.#done)];
    const parts = context.unwrapResult(context.callFunction(frame, context.undefined, ...host));
    const part = (key: string): QuickJSHandle => context.getProp(parts, key);
    this.#receive = part('receive');
    const laidOut = context.unwrapResult(context.evalCode(`(${prelude})`, 'slipway', { strict: true }));
    const given = context.unwrapResult(context.callFunction(laidOut, context.undefined, part('doors')));
    // On one line with its first, so that lines of stacks are theirs; a comment at its end must not swallow ours.
    const source = as === 'script' ? `(async () => {${code}\n})` : code;
    const made = context.evalCode(
      source,
      name,
      as === 'script' ? { type: 'global', strict: true } : { type: 'module' },
    );
    const run = made.error ? part('failed') : part(as);
    const what = made.error ?? made.value;
    const text = context.newString(JSON.stringify(args));
    context.unwrapResult(context.callFunction(run, context.undefined, what, text, given));
  }

  #function(serve: (...args: QuickJSHandle[]) => string | undefined): QuickJSHandle {
    return this.#context.newFunction('', (...args) => {
      const answer = serve.apply(this, args);
      return answer === undefined ? this.#context.undefined : this.#context.newString(answer);
    });
  }

  /** A text that came out of it. Huge output: what is too long is not even copied. @returns `undefined` for that, and for no text */
  #text(handle: QuickJSHandle | undefined, most: number): string | undefined {
    if (!handle || this.#context.typeof(handle) !== 'string') return undefined;
    using length = this.#context.getProp(handle, 'length');
    return this.#context.getNumber(length) > most ? undefined : this.#context.getString(handle);
  }

  /** @returns why it will get no answer */
  #asked(id: QuickJSHandle, question: QuickJSHandle): string | undefined {
    const { caps } = this.#program;
    const text = this.#text(question, caps.questionChars);
    if (text === undefined) return 'This is too much at once.';
    const isTooMuch = this.#open >= MAX_OPEN || this.#openChars + text.length > MAX_LONG * caps.questionChars;
    if (isTooMuch) return 'Too much is asked at once.';
    const key = this.#context.getNumber(id);
    this.#open++;
    this.#openChars += text.length;
    const answer = async (): Promise<string> => (await this.#program.onAsked?.(text)) ?? '';
    answer().then(
      (said) => this.#answer(key, text, true, said),
      (error: unknown) => this.#answer(key, text, false, error instanceof Error ? error.message : String(error)),
    );
    return undefined;
  }

  #said(text: QuickJSHandle): undefined {
    this.#program.onSaid?.(this.#text(text, this.#program.caps.questionChars) ?? '…');
  }

  #done(ok: QuickJSHandle, text: QuickJSHandle): undefined {
    const succeeded = this.#context.dump(ok) === true;
    const { resultChars } = this.#program.caps;
    const said = this.#text(text, resultChars);
    if (said === undefined && this.#context.typeof(text) === 'string')
      return this.#end({ ok: false, why: 'result', message: `more than ${resultChars} characters` }) as undefined;
    if (succeeded) return this.#end({ ok: true, ...(said === undefined ? {} : { json: said }) }) as undefined;
    // It was stopped, and could still say so itself.
    if (this.#isSpent) return this.#end(this.#tooSlow) as undefined;
    const message = said ?? 'unknown';
    this.#end({ ok: false, why: message.startsWith('InternalError: out of memory') ? 'memory' : 'failed', message });
    return undefined;
  }

  #answer(id: number, question: string, ok: boolean, said: string): void {
    this.#open--;
    this.#openChars -= question.length;
    // One that takes up all of its memory would break it before QuickJS can say so.
    const tooLong = said.length > this.#program.caps.memoryBytes / 8;
    const text = tooLong ? `The answer has ${said.length} characters, more than fit in here.` : said;
    this.#turn(() => {
      const context = this.#context;
      using key = context.newNumber(id);
      using words = context.newString(text);
      const isGood = ok && !tooLong ? context.true : context.false;
      if (this.#receive) context.callFunction(this.#receive, context.undefined, key, isGood, words).dispose();
    });
  }

  /** Lets it compute: `begin`, and then whatever is ready to go on. All that it does happens in here. */
  #turn(begin?: () => void): void {
    if (this.#isOver) return;
    this.#began = performance.now();
    try {
      begin?.();
      while (!this.#isOver && this.#runtime.hasPendingJob() && performance.now() - this.#began < TURN && !this.#isSpent)
        this.#runtime.executePendingJobs(JOBS).dispose();
    } catch (error) {
      // The instance is broken, and is not touched again.
      if (!this.#isSpent) this.#end(brokenBy(error));
    }
    const spent = this.#isSpent;
    this.#used += performance.now() - this.#began;
    if (this.#isOver) return;
    if (spent) this.#end(this.#tooSlow);
    else if (this.#runtime.hasPendingJob()) setImmediate(() => this.#turn());
    else if (this.#open === 0) this.#end({ ok: false, why: 'stuck', message: 'nothing it waits for can happen' });
  }
}

function brokenBy(error: unknown): Ended {
  if (error instanceof RangeError) return { ok: false, why: 'failed', message: 'RangeError: too deeply nested' };
  const { name, message } = error as Error;
  return { ok: false, why: name === 'RuntimeError' ? 'memory' : 'failed', message };
}

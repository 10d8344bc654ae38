/**
 * Threads for what must not hold up the event loop, or must be stopped whatever it does. They are started when there is work, work
 * on one task each, and end when there has been none for a while. The only door to `node:worker_threads` in this room.
 */
import { Worker } from 'node:worker_threads';
import { SlipwayError } from '../schemas/errors.ts';
import { rounded } from '../schemas/exact-json.ts';
import type { FromWorker, TaskName, ToWorker } from './worker-main.ts';

/** Few: they compute, and what they do is short. */
const MOST = 2;
/** How long a worker waits for the next task (ms). */
const IDLE = 30_000;
/** Tasks that wait for a worker. Beyond that they are refused: memory exhaustion. */
const MAX_WAITING = 100;
/** Those of one principal: nobody can fill the queue alone, and so have others refused. */
const MAX_WAITING_BY = 20;
/** The JavaScript heap and stack of one (MB). What is WebAssembly's is bounded by whoever makes it. */
const RESOURCES = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };

export interface Task {
  /** Its row in `worker-main`. */
  readonly name: TaskName;
  /** What it is given; a structured clone of it (HTML, 2.7.3). */
  readonly input: unknown;
  /** Whose it is: nobody has all workers at once. */
  readonly by?: string;
  /** How long it may take once it has a worker (ms); then it is stopped with its worker. */
  readonly timeoutMs: number;
  /** Stops it with its worker. The task rejects with its reason. */
  readonly signal?: AbortSignal;
  /** It has a worker. */
  readonly onStarted?: () => void;
  /** What it says on its way. */
  readonly onTold?: (message: unknown) => void;
  /** Answers what it asks; what this rejects with, the task gets as an error of that message. */
  readonly onAsked?: (question: unknown) => Promise<unknown>;
}

/** Why a task came to nothing although nobody gave it up; otherwise it rejects with what it threw: an `Error` of that message. */
export class TaskLost extends Error {
  readonly why: 'time' | 'memory' | 'crash';

  constructor(why: TaskLost['why']) {
    super(`the task was lost: ${why}`);
    this.why = why;
  }
}

interface Waiting {
  readonly task: Task;
  start(worker: Worker): void;
  fail(error: unknown): void;
}

export interface WorkersOptions {
  /** How many there are at most. */
  readonly most?: number;
  readonly idleMs?: number;
}

export class Workers implements AsyncDisposable {
  readonly #most: number;
  readonly #idleMs: number;
  /** Those that wait for a task, with what ends them. */
  readonly #idle = new Map<Worker, NodeJS.Timeout>();
  readonly #busy = new Map<Worker, Waiting>();
  readonly #ending = new Set<Promise<unknown>>();
  #waiting: Waiting[] = [];
  #closed = false;

  constructor({ most = MOST, idleMs = IDLE }: WorkersOptions = {}) {
    this.#most = most;
    this.#idleMs = idleMs;
  }

  /** How many threads there are. */
  get size(): number {
    return this.#idle.size + this.#busy.size;
  }

  /**
   * @returns what the task returns
   * @throws the signal's reason; {@link TaskLost}; SlipwayError `concurrency-limited`, `shutting-down`; Error of the task
   */
  run(task: Task): Promise<unknown> {
    if (this.#closed) return Promise.reject(new SlipwayError('shutting-down'));
    if (task.signal?.aborted) return Promise.reject(task.signal.reason);
    const own = task.by === undefined ? 0 : this.#waiting.filter((one) => one.task.by === task.by).length;
    if (this.#waiting.length >= MAX_WAITING || own >= MAX_WAITING_BY)
      return Promise.reject(new SlipwayError('concurrency-limited', 'Too much work waits already.'));
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(task.signal?.reason);
      };
      const waiting: Waiting = {
        task,
        fail: reject,
        start: (worker) => {
          task.signal?.removeEventListener('abort', giveUp);
          this.#work(worker, waiting).then(resolve, reject);
        },
      };
      task.signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiting);
      this.#next();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { fail } of this.#waiting.splice(0)) fail(new SlipwayError('shutting-down'));
    for (const [worker, { fail }] of this.#busy) {
      fail(new SlipwayError('shutting-down'));
      this.#end(worker);
    }
    for (const worker of this.#idle.keys()) this.#end(worker);
    await Promise.all(this.#ending);
  }

  #next(): void {
    // Those are about to be told so.
    this.#waiting = this.#waiting.filter(({ task }) => !task.signal?.aborted);
    while (this.#waiting.length > 0 && (this.#idle.size > 0 || this.size < this.#most)) {
      const at = this.#waiting.findIndex(({ task }) => !this.#hasTooMany(task.by));
      const [waiting] = this.#waiting.splice(at, at < 0 ? 0 : 1);
      if (!waiting) return;
      const worker = this.#idle.keys().next().value ?? this.#start();
      clearTimeout(this.#idle.get(worker));
      this.#idle.delete(worker);
      this.#busy.set(worker, waiting);
      waiting.start(worker);
    }
  }

  /** Starving others: whoever is alone with their tasks leaves one worker to those who come. */
  #hasTooMany(by: string | undefined): boolean {
    if (by === undefined || this.#most === 1) return false;
    const own = [...this.#busy.values()].filter(({ task }) => task.by === by).length;
    return own >= this.#most - 1;
  }

  #start(): Worker {
    // Neither flags nor environment of ours: secrets could be in either.
    const worker = new Worker(ENTRY, { env: {}, execArgv: [], argv: [], resourceLimits: RESOURCES });
    worker.unref();
    // One that ends while nobody waits for it.
    worker.on('error', () => {});
    worker.once('exit', () => this.#forget(worker));
    return worker;
  }

  /** Numbers in their own words have no clone: there they are as JavaScript has them. */
  #hand({ name, input }: Task, send: (message: ToWorker) => void): void {
    try {
      send({ type: 'start', name, input });
    } catch {
      send({ type: 'start', name, input: rounded(input) });
    }
  }

  async #work(worker: Worker, { task }: Waiting): Promise<unknown> {
    const over = Promise.withResolvers<unknown>();
    const send = (message: ToWorker): void => worker.postMessage(message, []);
    const onMessage = (message: FromWorker): void => {
      if (message.type === 'told') task.onTold?.(message.value);
      else if (message.type === 'asked') void this.#answer(task, message, send);
      else if (message.type === 'done') over.resolve(message.value);
      else over.reject(new Error(message.message));
    };
    const onError = (error: NodeJS.ErrnoException): void =>
      over.reject(new TaskLost(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'crash'));
    const onExit = (): void => over.reject(new TaskLost('crash'));
    const onAbort = (): void => stop(task.signal?.reason);
    const stop = (reason: unknown): void => {
      over.reject(reason);
      this.#end(worker);
    };
    worker.on('message', onMessage).once('error', onError).once('exit', onExit);
    task.signal?.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(() => stop(new TaskLost('time')), task.timeoutMs);
    try {
      task.onStarted?.();
      this.#hand(task, send);
      return await over.promise;
    } finally {
      clearTimeout(timer);
      task.signal?.removeEventListener('abort', onAbort);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      this.#free(worker);
    }
  }

  async #answer(
    task: Task,
    { id, value }: Extract<FromWorker, { type: 'asked' }>,
    send: (message: ToWorker) => void,
  ): Promise<void> {
    // To one that has ended it goes nowhere.
    try {
      send({ type: 'answer', id, value: await task.onAsked?.(value) });
    } catch (error) {
      send({ type: 'refusal', id, message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Its task is over. One that was ended meanwhile is no longer among the busy. */
  #free(worker: Worker): void {
    if (this.#busy.delete(worker)) {
      const timer = setTimeout(() => this.#end(worker), this.#idleMs);
      timer.unref();
      this.#idle.set(worker, timer);
    }
    this.#next();
  }

  #end(worker: Worker): void {
    this.#forget(worker);
    const ended = worker.terminate().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  #forget(worker: Worker): void {
    clearTimeout(this.#idle.get(worker));
    this.#idle.delete(worker);
    this.#busy.delete(worker);
    if (!this.#closed) this.#next();
  }
}

/** From source, or as the build puts it: a program of its own, since it must not begin the other one again. */
const ENTRY = new URL(import.meta.filename.endsWith('.ts') ? 'worker-main.ts' : '../worker/main.js', import.meta.url);

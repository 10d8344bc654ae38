/**
 * Decides when a pass runs: one at a time, requests merge, a user's push goes before everything else and cuts short
 * whatever an older commit waits for, failures are tried again with growing pauses. It knows nothing of what a pass does.
 */
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import type { Log } from '../schemas/log.ts';

/** Higher goes first. A pass does the work of all requests that came before it began. */
export const PRIORITY = { resync: 0, retry: 1, wake: 2, push: 3 } as const;
export type Priority = keyof typeof PRIORITY;

export interface LoopOptions<Result> {
  /** One pass. Level-triggered: it looks at the world, not at why it was called. */
  readonly pass: (priority: Priority, signal: AbortSignal) => Promise<Result>;
  /** True if what the pass left undone should be tried again by itself. */
  readonly wantsRetry: (result: Result) => boolean;
  readonly log: Log;
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
  /** 0 … 1, for jitter. */
  readonly random?: () => number;
}

interface Request<Result> {
  priority: Priority;
  readonly done: PromiseWithResolvers<Result>;
}

export class Loop<Result> implements AsyncDisposable {
  readonly #options: LoopOptions<Result>;
  readonly #stop = new AbortController();
  #waiting: Request<Result> | undefined;
  #current: AbortController | undefined;
  #worker: Promise<void> = Promise.resolve();
  #retryTimer: NodeJS.Timeout | undefined;
  #failures = 0;

  constructor(options: LoopOptions<Result>) {
    this.#options = options;
  }

  /**
   * Asks for a pass.
   * @param interrupt ends what a running pass waits for: something newer makes it worthless
   * @returns the result of a pass that began after this call
   */
  request(priority: Priority, interrupt = false): Promise<Result> {
    if (this.#stop.signal.aborted) return Promise.reject(new SlipwayError('shutting-down'));
    if (interrupt) this.#current?.abort(new SlipwayError('superseded'));
    if (this.#waiting) {
      if (PRIORITY[priority] > PRIORITY[this.#waiting.priority]) this.#waiting.priority = priority;
      return this.#waiting.done.promise;
    }
    const request: Request<Result> = { priority, done: Promise.withResolvers<Result>() };
    request.done.promise.catch(() => {}); // A timer's request has nobody who waits for it.
    this.#waiting = request;
    this.#worker = this.#worker.then(() => this.#run());
    return request.done.promise;
  }

  /** True while a pass runs. */
  get busy(): boolean {
    return this.#current !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#stop.abort(new SlipwayError('shutting-down'));
    this.#current?.abort(new SlipwayError('shutting-down'));
    await this.#worker;
  }

  async #run(): Promise<void> {
    const request = this.#waiting;
    this.#waiting = undefined;
    if (!request) return;
    clearTimeout(this.#retryTimer);
    this.#current = new AbortController();
    const { signal } = this.#current;
    try {
      this.#stop.signal.throwIfAborted();
      const result = await this.#options.pass(request.priority, signal);
      if (this.#options.wantsRetry(result)) this.#retryLater();
      else this.#failures = 0;
      request.done.resolve(result);
    } catch (error) {
      this.#failed(error);
      request.done.reject(error);
    } finally {
      this.#current = undefined;
    }
  }

  #failed(error: unknown): void {
    const known = toSlipwayError(error);
    if (known.code === 'superseded' || known.code === 'shutting-down') return;
    this.#options.log('error', known.message, {
      code: known.code,
      ...(known.code === 'internal' ? { cause: String((error as Error).stack) } : {}),
    });
    if (known.row.next === 'retry') this.#retryLater();
  }

  /** Exponential, with ±20 % jitter so that many Slipways do not hit one remote in step. */
  #retryLater(): void {
    if (this.#stop.signal.aborted) return;
    const { firstPauseMs = 1000, longestPauseMs = 300_000, random = Math.random } = this.#options;
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++) * (0.8 + 0.4 * random());
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.request('retry').catch(() => {}), pause);
  }
}

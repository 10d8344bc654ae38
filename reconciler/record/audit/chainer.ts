/** Where lines become links of the chain: here while they are few, in a thread beside the calls while they are many. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type * as Program from './chain.mjs';

type Links = ReturnType<typeof Program.chain>;

/** From here on it is worth the way there and back (lines). */
const MANY = 100;
/** A thread costs 10 MB, so one that was not needed for as long ends (ms). */
const IDLE = 10_000;

/** A file of its own in a build as well, so it is not imported by name: both threads are to run the same. */
const PROGRAM = new URL('./chain.mjs', import.meta.url);

export class Chainer implements AsyncDisposable {
  readonly #program = import(PROGRAM.href) as Promise<typeof Program>;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Where there can be no thread, all is done here. */
  #alone = false;

  /** As `chain` does. One at a time. */
  async chain(pieces: readonly string[], seq: number, prev: string): Promise<Links> {
    const { chain } = await this.#program;
    if (pieces.length < 3 * MANY || this.#alone) return chain(pieces, seq, prev);
    try {
      return await this.#beside(pieces, seq, prev);
    } catch {
      this.#alone = true;
      await this[Symbol.asyncDispose]();
      return chain(pieces, seq, prev);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  /** @throws when the thread ends instead */
  async #beside(pieces: readonly string[], seq: number, prev: string): Promise<Links> {
    const worker = (this.#worker ??= new Worker(PROGRAM, {
      workerData: (await this.#program).WORKER,
      execArgv: [],
      env: {},
    }));
    const over = new AbortController();
    const ended = once(worker, 'exit', over).then(() => {
      throw new Error('the thread has ended');
    });
    try {
      worker.ref();
      worker.postMessage({ pieces, seq, prev });
      const [links] = (await Promise.race([once(worker, 'message', over), ended])) as [Links];
      return links;
    } finally {
      ended.catch(() => {});
      over.abort();
      worker.unref();
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => void this[Symbol.asyncDispose](), IDLE).unref();
    }
  }
}

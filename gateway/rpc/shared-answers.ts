/** The answers to several requests that came together: one event stream, which ends when each has its own. */
import type { Id, RpcMessage } from '../../schemas/jsonrpc.ts';
import { lineOf } from './json.ts';
import type { Answer, LastingWriter } from './reply.ts';

export class SharedAnswers {
  readonly #writer: LastingWriter;
  readonly #onGone = new Set<() => void>();
  #due: number;
  #isGone = false;

  /** @param due how many answers it ends with */
  constructor(writer: LastingWriter, due: number) {
    this.#writer = writer;
    this.#due = due;
    writer.onAbandoned(() => {
      this.#isGone = true;
      for (const listener of this.#onGone) listener();
    });
  }

  /** Where the answer to this one goes. */
  to(id: Id): Answer {
    const send = (message: RpcMessage): boolean => {
      // For a client that is away answers are kept, and so many of these would push them out.
      if (!this.#writer.keepsUp || !this.#writer.attached) return false;
      this.#writer.event(JSON.stringify(message));
      return true;
    };
    return {
      onGone: (listener) => {
        if (this.#isGone) listener();
        else this.#onGone.add(listener);
        return () => void this.#onGone.delete(listener);
      },
      // A session is there before several can be asked in it.
      sessionId: () => undefined,
      notify: (method, params) => void send({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }),
      send,
      result: (json) => this.#answered(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${lineOf(json)}}`),
      error: (error) => this.#answered(JSON.stringify({ jsonrpc: '2.0', id, error })),
    };
  }

  /** Memory exhaustion: a client that reads none of many large answers is cut off; what comes then is kept within bounds. */
  #answered(json: string): void {
    if (this.#writer.overflows) this.#writer.destroy();
    this.#writer.event(json);
    if (--this.#due > 0) return;
    this.#writer.onAbandoned(undefined);
    this.#writer.end();
  }
}

/** What comes over one wire, in its order, and in turns of the event loop that let its reader keep up. */
import { isRequest, type RpcMessage } from './jsonrpc.ts';

/**
 * Hands messages on in their order. What the other side asks comes a turn after what it said before, with all that follows: an answer
 * that came in the same chunk has reached whoever waits for it by then, so that it is known whose call the question can be about.
 */
export class Turns {
  readonly #take: (message: RpcMessage) => void;
  #waiting: RpcMessage[] | undefined;

  /** @param take must not throw */
  constructor(take: (message: RpcMessage) => void) {
    this.#take = take;
  }

  push(message: RpcMessage): void {
    if (this.#waiting) return void this.#waiting.push(message);
    if (!isRequest(message)) return this.#take(message);
    this.#waiting = [message];
    setImmediate(() => this.#next());
  }

  #next(): void {
    const [first, ...rest] = this.#waiting ?? [];
    this.#waiting = undefined;
    if (first) this.#take(first);
    for (const message of rest) this.push(message);
  }
}

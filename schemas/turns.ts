/** What comes over one wire, in its order, and in turns of the event loop that let its reader keep up. */
import { isRequest, type RpcMessage } from './jsonrpc.ts';

/** Where more waits, order is all that is kept: who floods a wire must not be given a turn for each message. */
const MOST = 1_000;

/**
 * Hands messages on in their order. What the other side asks comes a turn after what it said before, with all that follows: an answer
 * that came in the same chunk has reached whoever waits for it by then, so that it is known whose call the question can be about.
 */
export class Turns {
  readonly #take: (message: RpcMessage) => void;
  #waiting: RpcMessage[] = [];

  /** @param take must not throw */
  constructor(take: (message: RpcMessage) => void) {
    this.#take = take;
  }

  push(message: RpcMessage): void {
    if (this.#waiting.length > 0) return void this.#waiting.push(message);
    if (!isRequest(message)) return this.#take(message);
    this.#waiting.push(message);
    setImmediate(this.#next);
  }

  readonly #next = (): void => {
    const all = this.#waiting;
    let hasAnswered = false;
    let at = 0;
    for (; at < all.length; at++) {
      const message = all[at] as RpcMessage;
      if (hasAnswered && isRequest(message) && all.length - at <= MOST) break;
      hasAnswered ||= !('method' in message);
      this.#take(message);
    }
    this.#waiting = all.slice(at);
    if (this.#waiting.length > 0) setImmediate(this.#next);
  };
}

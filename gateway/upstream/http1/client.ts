/** HTTP towards servers: to one origin, over connections that are kept. Redirects are not followed (SSRF). */
import { leave } from '../../rpc/turn.ts';
import { NotDelivered } from '../link.ts';
import { checkLiteral, publicLookup } from '../reach.ts';
import { PendingRequest } from './pending.ts';
import { requestBytes, type HttpCall } from './request.ts';
import type { Head, Reader } from './response.ts';
import { Wire, type Target, type WireHandlers } from './wire.ts';

const MAX_WIRES = 256;

export class HttpClient {
  readonly #target: Target;
  readonly #wires = new Set<Wire>();
  /** What was used last is used next, so that what nobody needs grows old. */
  #free: Wire[] = [];
  /** What no wire was free for, in order. */
  readonly #waiting = new Set<PendingRequest>();
  #closed = false;
  readonly #handlers: WireHandlers = {
    onFree: (wire) => {
      this.#free.push(wire);
      this.#serveNext();
    },
    onGone: (wire) => {
      this.#wires.delete(wire);
      this.#free = this.#free.filter((each) => each !== wire);
      this.#serveNext();
    },
  };

  /**
   * @param publicOnly whether private addresses are out of bounds
   * @throws NotDelivered for a URL that names one outright
   */
  constructor(url: URL, publicOnly: boolean) {
    if (publicOnly) checkLiteral(url);
    this.#target = { url, lookup: publicOnly ? publicLookup() : undefined };
  }

  /**
   * Resolves at the end of the answer.
   * @param url of which only path and query matter: where it goes was settled before
   * @throws NotDelivered when nothing was sent, SlipwayError when the connection broke or the answer could not be read
   */
  send({ pathname, search }: URL, call: HttpCall, reader: Reader = {}): Promise<Head> {
    return new Promise((resolve, reject) => {
      const request = new PendingRequest(this.#bytesOf(pathname + search, call), reader, call.signal, resolve, reject);
      leave(() => this.#dispatch(request));
    });
  }

  close(): void {
    this.#closed = true;
    for (const wire of this.#wires) wire.destroy();
    for (const request of this.#waiting) request.broken(new Error('closed'));
    this.#waiting.clear();
  }

  #bytesOf(path: string, call: HttpCall): Buffer {
    try {
      return requestBytes(this.#target.url.host, path, call);
    } catch (cause) {
      throw new NotDelivered('The request cannot be sent.', cause);
    }
  }

  #dispatch(request: PendingRequest): void {
    if (request.settled) return;
    if (this.#closed) return request.broken(new Error('closed'));
    const free = this.#free.pop();
    if (free) return free.send(request);
    if (this.#wires.size < MAX_WIRES && !this.#isOneComing())
      return void this.#wires.add(new Wire(this.#target, request, this.#handlers));
    this.#waiting.add(request);
    request.onAbort = () => this.#waiting.delete(request);
  }

  /** Whether a wire is free in a moment that nobody waits for yet. */
  #isOneComing(): boolean {
    let resting = 0;
    for (const wire of this.#wires) if (wire.isResting) resting++;
    return resting > this.#waiting.size;
  }

  #serveNext(): void {
    const [next] = this.#waiting;
    if (!next) return;
    this.#waiting.delete(next);
    this.#dispatch(next);
  }
}

/** What carries requests to a server. */
export type Http = Pick<HttpClient, 'send' | 'close'>;

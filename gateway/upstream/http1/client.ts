/** HTTP towards servers: to one origin, over connections that are kept. Redirects are not followed (SSRF). */
import { leave } from '../../rpc/turn.ts';
import { NotDelivered } from '../link.ts';
import { checkLiteral, publicLookup } from '../reach.ts';
import { PendingRequest } from './pending.ts';
import { RequestWriter, type HttpCall } from './request.ts';
import type { Head, Reader } from './response.ts';
import { Wire, type Target, type WireHandlers } from './wire.ts';

const MAX_WIRES = 256;

export class HttpClient {
  readonly #url: URL;
  readonly #lookup: Target['lookup'];
  readonly #writer: RequestWriter;
  #session: Target['session'];
  readonly #wires = new Set<Wire>();
  /** What was used last is used next, so that what nobody needs grows old. */
  #free: Wire[] = [];
  /** What answered in this turn, and is free in the next. */
  #answered: Wire[] = [];
  /** What no wire was free for, in order. */
  readonly #waiting = new Set<PendingRequest>();
  #closed = false;
  readonly #handlers: WireHandlers = {
    onSession: (session) => (this.#session = session),
    onAnswered: (wire) => {
      if (this.#answered.push(wire) === 1) setImmediate(this.#rest);
    },
    onGone: (wire) => {
      this.#wires.delete(wire);
      this.#free = this.#free.filter((each) => each !== wire);
      this.#serveNext();
    },
  };

  /**
   * @param publicOnly whether private addresses are out of bounds
   * @throws NotDelivered for a URL that names one outright, or leads to no web server
   */
  constructor(url: URL, publicOnly: boolean) {
    if (publicOnly) checkLiteral(url);
    if (!/^https?:$/.test(url.protocol)) throw new NotDelivered(`${url.protocol} is not spoken here.`);
    this.#url = url;
    this.#writer = new RequestWriter(url.host);
    this.#lookup = publicOnly ? publicLookup() : undefined;
  }

  /**
   * Resolves at the end of the answer.
   * @param url of which only path and query matter: where it goes was settled before
   * @throws NotDelivered when nothing was sent, SlipwayError when the connection broke or the answer could not be read
   */
  send({ pathname, search }: URL, call: HttpCall, reader: Reader = {}): Promise<Head> {
    return new Promise((resolve, reject) => {
      const request = new PendingRequest(this.#bytesOf(pathname + search, call), reader, call.signal, resolve, reject);
      if ('cut' in reader) reader.cut = () => request.cut();
      leave(() => {
        if (!this.#place(request)) this.#wait(request);
      });
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
      return this.#writer.write(path, call);
    } catch (cause) {
      throw new NotDelivered('The request cannot be sent.', cause);
    }
  }

  /** @returns whether there is no need to wait */
  #place(request: PendingRequest): boolean {
    if (request.settled) return true;
    const free = this.#free.pop();
    if (this.#closed) request.broken(new Error('closed'));
    else if (free) free.send(request);
    else if (this.#wires.size < MAX_WIRES && !this.#isOneComing()) this.#open(request);
    else return false;
    return true;
  }

  #open(request: PendingRequest): void {
    const target = { url: this.#url, lookup: this.#lookup, session: this.#session };
    try {
      this.#wires.add(new Wire(target, request, this.#handlers));
    } catch (error) {
      request.broken(error);
    }
  }

  #wait(request: PendingRequest): void {
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
    if (next && this.#place(next)) this.#waiting.delete(next);
  }

  /**
   * Not free at once, but when what came right behind the answer has been read: many a server hangs up without having said
   * so, and one that says too much must not be heard as the answer to the next.
   */
  readonly #rest = (): void => {
    const answered = this.#answered;
    this.#answered = [];
    // This turn has read what there was before; the next reads what is there by now.
    setImmediate(() => {
      for (const wire of answered) {
        if (!wire.isResting) continue;
        this.#free.push(wire);
        this.#serveNext();
      }
    });
  };
}

/** What carries requests to a server. */
export type Http = Pick<HttpClient, 'send' | 'close'>;

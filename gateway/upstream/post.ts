/** HTTP towards upstreams: requests and the messages in what they answer. Redirects are not followed (SSRF). */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import { SlipwayError } from '../../schemas/errors.ts';
import { asMessage, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { leave } from '../rpc/turn.ts';
import { VIA } from '../steps/loop.ts';
import { MAX_MESSAGE_BYTES, NotDelivered } from './link.ts';
import { checkLiteral, publicLookup } from './reach.ts';
import { LARGE } from './raw-result.ts';
import { SseParser, type SseEvent } from '../../schemas/sse.ts';

const MAX_SOCKETS = 256;
/** How long a connection may take to stand (ms). */
const CONNECT_TIMEOUT = 15_000;
/** How long a server may take to accept a message that no answer is due to; a call has its own limit (ms). */
export const NOTICE_TIMEOUT = 10_000;

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** What is done with an answer as it comes. What it throws ends the answer. */
export interface Reader {
  onHead?(head: Head): void;
  onData?(chunk: Buffer): void;
  onEnd?(): void;
}

/** One origin's keep-alive connections. */
export class HttpClient {
  readonly #pool: Pool;

  /**
   * @param publicOnly whether private addresses are out of bounds
   * @throws NotDelivered for a URL that names one outright
   */
  constructor(url: URL, publicOnly: boolean) {
    if (publicOnly) checkLiteral(url);
    this.#pool = new Pool(url.origin, {
      connections: MAX_SOCKETS,
      connect: { timeout: CONNECT_TIMEOUT, ...(publicOnly ? { lookup: publicLookup() } : {}) },
      // How long an answer may take is a matter of the call, and a stream may be silent for ever.
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
    });
  }

  /**
   * Resolves at the end of the answer.
   * @throws NotDelivered when nothing was sent, SlipwayError when the connection broke or the answer could not be read
   */
  send(url: URL, { method, headers, body, signal }: HttpCall, reader: Reader = {}): Promise<Head> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(reader, signal, resolve, reject);
      const path = url.pathname + url.search;
      leave(() =>
        this.#pool.dispatch({ path, method, headers: { Via: VIA, ...headers }, body: body ?? null }, exchange),
      );
    });
  }

  close(): void {
    void this.#pool.destroy();
  }
}

/** What carries requests to a server. */
export type Http = Pick<HttpClient, 'send' | 'close'>;

/** One request on its way, as undici tells of it. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #reader: Reader;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (head: Head) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #head: Head | undefined;

  constructor(
    reader: Reader,
    signal: AbortSignal | undefined,
    resolve: (head: Head) => void,
    reject: (error: unknown) => void,
  ) {
    this.#reader = reader;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal?.aborted) this.#onAbort();
  }

  onResponseStart(_: unknown, status: number, headers: IncomingHttpHeaders): void {
    // `100 Continue` and the like are no answer.
    if (status < 200) return;
    this.#head = { status, headers };
    this.#read(() => this.#reader.onHead?.(this.#head as Head));
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#read(() => this.#reader.onData?.(chunk));
  }

  onResponseEnd(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#read(() => this.#reader.onEnd?.());
    this.#resolve(this.#head as Head);
  }

  onResponseError(_: unknown, cause: Error): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#reject(
      this.#controller
        ? new SlipwayError('upstream-unavailable', 'The connection to the server broke.', { cause })
        : cause instanceof NotDelivered
          ? cause
          : new NotDelivered('The server cannot be reached.', cause),
    );
  }

  #read(step: () => void): void {
    try {
      step();
    } catch (cause) {
      this.#reject(
        new SlipwayError('upstream-unavailable', 'The server sent an answer that cannot be read.', { cause }),
      );
      this.#controller?.abort(new Error('unreadable'));
    }
  }

  readonly #onAbort = (): void => {
    this.#reject(this.#signal?.reason);
    this.#controller?.abort(new Error('aborted'));
  };
}

/** A place in an event stream, and the pause that the server wants before it is taken up again there (ms). */
export interface Place {
  readonly lastEventId: string;
  readonly pause: number | undefined;
}

/** Hands on every JSON-RPC message of an answer, be it one JSON document or an event stream. */
export class MessageReader implements Reader {
  readonly #onMessage: (message: RpcMessage) => void;
  #events: SseParser | undefined;
  #place: Place | undefined;
  #json = false;
  #chunks: Buffer[] = [];
  /** Where all of it goes, if the server said how much that is. */
  #whole: Buffer | undefined;
  #size = 0;
  /** Takes a whole document that is large. @returns whether it did; if not, it is parsed */
  onLarge: ((document: Buffer) => boolean) | undefined;
  /** Of the HTTP response, as soon as it begins. */
  status = 0;

  constructor(onMessage: (message: RpcMessage) => void) {
    this.#onMessage = onMessage;
  }

  onHead({ status, headers }: Head): void {
    this.status = status;
    this.#place = this.resume;
    const type = String(headers['content-type'] ?? '');
    this.#json = type.startsWith('application/json');
    const length = Number(headers['content-length']);
    // Held once: pieces of what is large go where they belong as they come. Pages that are not written to take no memory.
    const isLarge = this.#json && length >= LARGE && length <= MAX_MESSAGE_BYTES;
    this.#whole = isLarge ? Buffer.allocUnsafeSlow(length) : undefined;
    if (type.startsWith('text/event-stream'))
      this.#events = new SseParser((event) => this.#onEvent(event), MAX_MESSAGE_BYTES);
  }

  onData(chunk: Buffer): void {
    if (this.#events) return this.#events.push(chunk);
    if (!this.#json) return;
    this.#size += chunk.length;
    if (this.#size > MAX_MESSAGE_BYTES) throw new RangeError('answer too long');
    if (!this.#whole) return void this.#chunks.push(chunk);
    chunk.copy(this.#whole, this.#size - chunk.length);
  }

  onEnd(): void {
    const [first] = this.#chunks;
    const joined = this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : first;
    const bytes = this.#whole?.subarray(0, this.#size) ?? joined;
    this.#chunks = [];
    if (!bytes) return;
    if (bytes.length >= LARGE && this.onLarge?.(bytes)) return;
    this.#take(bytes.toString('utf8'));
  }

  /** Where a stream that broke off can be taken up again; `undefined` where it cannot. */
  get resume(): Place | undefined {
    const { lastId, retry } = this.#events ?? {};
    return lastId ? { lastEventId: lastId, pause: retry } : this.#place;
  }

  /** An event without data only names a place to come back to. */
  #onEvent({ event, data }: SseEvent): void {
    if (event === 'message' && data !== '') this.#take(data);
  }

  #take(json: string): void {
    const message = asMessage(JSON.parse(json));
    if (message) this.#onMessage(message);
  }
}

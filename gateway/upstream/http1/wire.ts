/** One connection to a server over HTTP/1.1: a request at a time, and the next once that is answered. */
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { PendingRequest } from './pending.ts';
import { ResponseParser, type Head } from './response.ts';

/** How long a connection may take to stand (ms). */
const CONNECT_TIMEOUT = 15_000;
/** How long one is kept that nobody uses, if the server does not say; at most; and how much earlier than the server ends it (ms). */
const IDLE_TIMEOUT = 4_000;
const IDLE_TIMEOUT_MAX = 600_000;
const IDLE_MARGIN = 1_000;
/** What is read at once (bytes). */
const READ_BYTES = 32 * 1024;

/** Where connections go to. */
export interface Target {
  readonly url: URL;
  readonly lookup: LookupFunction | undefined;
  /** What the next TLS connection may begin with. */
  session?: Buffer;
}

export interface WireHandlers {
  /** It can take another request. */
  onFree(wire: Wire): void;
  /** It never will, from now on. Called once. */
  onGone(wire: Wire): void;
}

export class Wire {
  readonly #socket: Socket;
  readonly #handlers: WireHandlers;
  #request: PendingRequest | undefined;
  /** Of the response to the request that was sent. */
  #parser: ResponseParser | undefined;
  #error: Error | undefined;
  /** Whether it was answered and is not free yet. */
  isResting = false;

  /** @param first is sent as soon as the connection stands */
  constructor(target: Target, first: PendingRequest, handlers: WireHandlers) {
    this.#handlers = handlers;
    this.#take(first);
    this.#socket = open(target, this.#onBytes);
    const late = setTimeout(() => this.#socket.destroy(new Error('timeout')), CONNECT_TIMEOUT);
    const ready = (): void => {
      clearTimeout(late);
      this.#socket.setTimeout(IDLE_TIMEOUT);
      this.#write(first);
    };
    this.#socket
      .once(target.url.protocol === 'https:' ? 'secureConnect' : 'connect', ready)
      .on('session', (session: Buffer) => (target.session = session))
      .on('timeout', () => {
        if (!this.#request) this.destroy();
      })
      .on('end', this.#onEnd)
      .on('error', (error) => (this.#error = error))
      .on('close', () => {
        clearTimeout(late);
        this.#onClose();
      });
  }

  /** Only while it is free. */
  send(request: PendingRequest): void {
    this.#take(request);
    this.#write(request);
  }

  /** Ends it, with what is under way. */
  destroy(): void {
    this.#socket.destroy();
  }

  #take(request: PendingRequest): void {
    this.#request = request;
    request.onAbort = () => this.destroy();
  }

  #write(request: PendingRequest): void {
    this.#parser = new ResponseParser(request.reader);
    request.sent = true;
    this.#socket.write(request.bytes);
  }

  readonly #onBytes = (size: number, buffer: Uint8Array): boolean => {
    const parser = this.#parser;
    // Response queue poisoning: what nobody asked for would be taken for the answer to what is asked next.
    if (parser) this.#read(parser, () => parser.push(Buffer.from(buffer.buffer, buffer.byteOffset, size)) > 0);
    else this.destroy();
    return true;
  };

  readonly #onEnd = (): void => {
    const parser = this.#parser;
    if (parser) this.#read(parser, () => parser.end());
  };

  /** @param step reads on, and says whether the connection is of no use after it */
  #read(parser: ResponseParser, step: () => boolean): void {
    const request = this.#request as PendingRequest;
    let isSpent: boolean;
    try {
      isSpent = step();
    } catch (error) {
      this.destroy();
      return request.unreadable(error);
    }
    if (!parser.done) return;
    this.#request = undefined;
    this.#parser = undefined;
    const head = parser.head as Head;
    const idle = idleTimeout(head);
    // What is still being written is a request whose end the server did not care to hear.
    if (isSpent || !parser.keepAlive || idle <= 0 || this.#socket.writableLength > 0) this.destroy();
    else {
      if (this.#socket.timeout !== idle) this.#socket.setTimeout(idle);
      this.#rest();
    }
    request.resolve(head);
  }

  /**
   * Not free at once, but when what came right behind the answer has been read: many a server hangs up without having said
   * so, and one that says too much must not be heard as the answer to the next.
   */
  #rest(): void {
    this.isResting = true;
    // The first comes before anything more is read, the second after it.
    setImmediate(() => setImmediate(this.#onRested));
  }

  readonly #onRested = (): void => {
    this.isResting = false;
    if (!this.#socket.destroyed && !this.#socket.readableEnded) this.#handlers.onFree(this);
  };

  #onClose(): void {
    this.#handlers.onGone(this);
    this.#request?.broken(this.#error);
  }
}

/** How long it may be kept, by what the server says of itself (`Keep-Alive: timeout=5`, in seconds; RFC 2068 §19.7.1.1). */
function idleTimeout({ headers }: Head): number {
  const [, seconds] = /\btimeout=(\d{1,6})/i.exec(headers['keep-alive'] ?? '') ?? [];
  return seconds === undefined ? IDLE_TIMEOUT : Math.min(IDLE_TIMEOUT_MAX, Number(seconds) * 1000 - IDLE_MARGIN);
}

function open({ url, lookup, session }: Target, callback: (size: number, buffer: Uint8Array) => boolean): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isSecure = url.protocol === 'https:';
  const options = {
    host,
    port: Number(url.port || (isSecure ? 443 : 80)),
    noDelay: true,
    // Read into one place again and again: a stream takes 64 kB for each piece.
    onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback },
    ...(lookup ? { lookup } : {}),
  };
  if (!isSecure) return connectTcp(options);
  return connectTls({
    ...options,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(session ? { session } : {}),
  });
}

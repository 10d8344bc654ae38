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
/** After what silence it is asked whether the other side is still there, for streams that are silent for hours (ms). */
const KEEP_ALIVE = 60_000;
/** What is read at once (bytes): 1 MB in 32 pieces, and a small answer touches one page of it. */
const READ_BYTES = 32 * 1024;

/** Where to, and what there is to begin with. */
export interface Target {
  readonly url: URL;
  readonly lookup: LookupFunction | undefined;
  /** Of an earlier connection over TLS to the same place. */
  readonly session: Buffer | undefined;
}

export interface WireHandlers {
  /** What a connection over TLS can begin with next time; nothing, where that did not help. */
  onSession(session: Buffer | undefined): void;
  /** The request is answered, and another may follow: see {@link Wire.isResting}. */
  onAnswered(wire: Wire): void;
  /** It takes no request any more. Called once, before its request hears of it. */
  onGone(wire: Wire): void;
}

type State = 'connecting' | 'busy' | 'resting' | 'over';

export class Wire {
  readonly #socket: Socket;
  readonly #handlers: WireHandlers;
  readonly #late: NodeJS.Timeout;
  #state: State = 'connecting';
  #request: PendingRequest | undefined;
  /** Of the response to the request that was sent. */
  #parser: ResponseParser | undefined;

  /** @param first is sent as soon as the connection stands @throws Error where TLS cannot even begin */
  constructor(target: Target, first: PendingRequest, handlers: WireHandlers) {
    this.#handlers = handlers;
    this.#socket = open(target, this.#onBytes);
    this.#take(first);
    this.#late = setTimeout(() => this.#end(new Error('timeout')), CONNECT_TIMEOUT);
    this.#socket
      .once(target.url.protocol === 'https:' ? 'secureConnect' : 'connect', () => this.#onReady())
      .on('session', (session: Buffer) => handlers.onSession(session))
      .on('timeout', () => this.#onIdle())
      .on('end', () => this.#onEnd())
      .on('error', (error) => this.#end(error))
      .on('close', () => this.#end());
  }

  /** Whether it has answered and has nothing to do since, so that another request may be sent. */
  get isResting(): boolean {
    return this.#state === 'resting';
  }

  /** Only while it is resting. */
  send(request: PendingRequest): void {
    this.#take(request);
    this.#write(request);
  }

  /** Ends it, with what is under way. */
  destroy(): void {
    this.#end();
  }

  #take(request: PendingRequest): void {
    this.#request = request;
    request.onAbort = this.#onAbort;
  }

  #write(request: PendingRequest): void {
    this.#state = 'busy';
    this.#parser = new ResponseParser(request.reader);
    this.#socket.write(request.toSend());
  }

  readonly #onAbort = (): void => this.#end();

  #onReady(): void {
    clearTimeout(this.#late);
    this.#socket.setTimeout(IDLE_TIMEOUT);
    if (this.#request) this.#write(this.#request);
  }

  readonly #onBytes = (size: number, buffer: Uint8Array): boolean => {
    const parser = this.#parser;
    try {
      const more = parser?.push(Buffer.from(buffer.buffer, buffer.byteOffset, size)) ?? size;
      if (parser?.done) this.#answered(parser);
      // Response queue poisoning: what nobody asked for would be taken for the answer to what is asked next.
      if (more > 0) this.#end();
    } catch (error) {
      this.#unreadable(error);
    }
    return true;
  };

  /** The server has nothing more to say, and nothing that is said to it will be answered. */
  #onEnd(): void {
    try {
      if (this.#parser?.end()) this.#answered(this.#parser);
    } catch (error) {
      this.#unreadable(error);
    }
    this.#end();
  }

  #onIdle(): void {
    if (this.isResting) this.#end();
  }

  #answered(parser: ResponseParser): void {
    const request = this.#request;
    const head = parser.head as Head;
    this.#request = undefined;
    this.#parser = undefined;
    const idle = idleTimeout(head);
    // What is still being written is a request whose end the server did not care to hear.
    if (!parser.keepAlive || idle <= 0 || this.#socket.writableLength > 0) this.#end();
    else {
      this.#state = 'resting';
      if (this.#socket.timeout !== idle) this.#socket.setTimeout(idle);
      this.#handlers.onAnswered(this);
    }
    request?.resolve(head);
  }

  #unreadable(error: unknown): void {
    this.#request?.unreadable(error);
    this.#end();
  }

  /** The one way in which it ends. */
  #end(error?: Error): void {
    if (this.#state === 'over') return;
    if (this.#state === 'connecting') this.#handlers.onSession(undefined);
    this.#state = 'over';
    clearTimeout(this.#late);
    this.#socket.destroy();
    this.#parser?.abandon();
    this.#parser = undefined;
    const request = this.#request;
    this.#request = undefined;
    this.#handlers.onGone(this);
    request?.broken(error);
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
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE,
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

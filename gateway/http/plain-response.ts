/** The answer to a plain request: as `node:http` would write it, for half of what that takes. */
import { EventEmitter } from 'node:events';
import type { OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { STATUS_CODES } from '../../schemas/node-http.ts';
import type { HttpResponse } from './message.ts';

/** What no header may hold (RFC 9110 §5.5): a line end in what somebody else said would begin another header, or another answer. */
const FORBIDDEN = /[^\t\u0020-\u007e\u0080-\u00ff]/;

export class PlainResponse extends EventEmitter<{ close: []; drain: [] }> implements HttpResponse {
  requestId: string | undefined;
  statusCode = 200;
  shouldKeepAlive = true;
  headersSent = false;
  writableEnded = false;
  destroyed = false;
  readonly #socket: Socket;
  readonly #keepAlive: string;
  readonly #onSent: () => void;
  #set: OutgoingHttpHeaders | undefined;
  /** What of it is not sent: the head goes with what comes first. */
  #head = '';
  /** It was begun without a word on how long it will be. */
  #chunked = false;
  #corked = false;

  /** @param keepAlive the headers that a connection that stays is told with @param onSent called when all of it has left */
  constructor(socket: Socket, keepAlive: string, onSent: () => void) {
    super();
    this.#socket = socket;
    this.#keepAlive = keepAlive;
    this.#onSent = onSent;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  setHeader(name: string, value: string): void {
    (this.#set ??= {})[name] = value;
  }

  /** @throws TypeError for what no header may hold, Error when it has been sent */
  writeHead(status: number, headers: OutgoingHttpHeaders = {}): void {
    if (this.headersSent) throw new Error('The head of this answer has been sent.');
    const all = this.#set === undefined ? headers : { ...this.#set, ...headers };
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
    for (const name in all) if (all[name] !== undefined) head += lineOf(name, all[name]);
    if (this.requestId !== undefined) head += lineOf('X-Request-Id', this.requestId);
    if (all['Connection'] === 'close') this.shouldKeepAlive = false;
    else head += this.shouldKeepAlive ? this.#keepAlive : 'Connection: close\r\n';
    this.#chunked = all['Content-Length'] === undefined && status !== 204 && status !== 304;
    if (this.#chunked) head += 'Transfer-Encoding: chunked\r\n';
    this.#head = `${head}${dateLine()}\r\n`;
    this.statusCode = status;
    this.headersSent = true;
  }

  flushHeaders(): void {
    this.#send('');
  }

  cork(): void {
    this.#corked = true;
    this.#socket.cork();
  }

  write(chunk: string | Uint8Array): boolean {
    if (chunk.length === 0 || this.writableEnded || this.destroyed) return true;
    if (!this.headersSent) this.writeHead(this.statusCode);
    if (!this.#chunked) return this.#send(chunk);
    const size = Buffer.byteLength(chunk).toString(16);
    if (typeof chunk === 'string') return this.#send(`${size}\r\n${chunk}\r\n`);
    this.#socket.cork();
    this.#send(`${size}\r\n`);
    this.#send(chunk);
    const keepsUp = this.#send('\r\n');
    this.#socket.uncork();
    return keepsUp;
  }

  end(chunk = ''): void {
    if (this.writableEnded || this.destroyed) return;
    if (!this.headersSent) this.writeHead(this.statusCode, { 'Content-Length': Buffer.byteLength(chunk) });
    this.write(chunk);
    this.#send(this.#chunked ? '0\r\n\r\n' : '');
    this.writableEnded = true;
    if (this.#corked) this.#socket.uncork();
    if (this.#socket.writableLength === 0) this.#sent();
    // After all that waits. Only here: to be told costs each write a turn.
    else this.#socket.write('', () => this.#sent());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  writeContinue(): void {
    // Who asks has its body still to send, and is not read here.
  }

  /** Its connection is no more. */
  gone(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }

  #send(chunk: string | Uint8Array): boolean {
    const head = this.#head;
    this.#head = '';
    // In one write, which is most of what an answer costs.
    if (typeof chunk === 'string') return (head === '' && chunk === '') || this.#socket.write(head + chunk);
    if (head !== '') this.#socket.write(head);
    return this.#socket.write(chunk);
  }

  #sent(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    // As with node:http, not while somebody is still about to send it.
    if (this.listenerCount('close') > 0) process.nextTick(() => this.emit('close'));
    this.#onSent();
  }
}

/** @throws TypeError */
function lineOf(name: string, value: OutgoingHttpHeader | undefined): string {
  const text = String(value);
  if (FORBIDDEN.test(text)) throw new TypeError(`The header ${name} has a character that no header may have.`);
  return `${name}: ${text}\r\n`;
}

/** Answers of one second have the same. */
let second = 0;
let line = '';
function dateLine(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    line = `Date: ${new Date(now * 1000).toUTCString()}\r\n`;
  }
  return line;
}

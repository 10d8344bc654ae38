/** Reads the messages in what an upstream answers over HTTP. */
import { parseExact } from '../../schemas/exact-json.ts';
import { messagesIn, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { SseParser, type SseEvent } from '../../schemas/sse.ts';
import { Body } from './http1/body.ts';
import type { Head, Reader } from './http1/response.ts';
import { MAX_MESSAGE_BYTES } from './link.ts';
import { LARGE } from './raw-result.ts';

/** How long a stream may go on that has brought its answer; MCP says that it should end then (ms). */
const LINGER = 1000;

/** What is read of the words of a refusal (characters), and those that speak of the session. */
const LONGEST_REFUSAL = 1000;
export const SESSION = /session|not initialized/i;

/** A place in an event stream, and the pause that the server wants before it is taken up again there (ms). */
export interface Place {
  readonly lastEventId: string;
  readonly pause: number | undefined;
}

/** Hands on every JSON-RPC message of an answer, be it one JSON document or an event stream. */
export class MessageReader implements Reader {
  readonly #onMessage: (message: RpcMessage) => void;
  #events: SseParser | undefined;
  /** Whether what came last was an event stream. */
  isStream = false;
  #place: Place | undefined;
  #json = false;
  readonly #body = new Body(MAX_MESSAGE_BYTES);
  /** Takes a whole document that is large. @returns whether it did; if not, it is parsed */
  onLarge: ((document: Buffer) => boolean) | undefined;
  /** Of the HTTP response, as soon as it begins. */
  status = 0;
  cut: (() => void) | undefined = undefined;
  #lingering: NodeJS.Timeout | undefined;
  #refusal = '';

  constructor(onMessage: (message: RpcMessage) => void) {
    this.#onMessage = onMessage;
  }

  onHead(head: Head): void {
    this.status = head.status;
    this.#refusal = '';
    this.#place = this.resume;
    const type = head.headers['content-type']?.toLowerCase() ?? '';
    this.#json = type.startsWith('application/json');
    if (this.#json) this.#body.onHead(head);
    this.isStream = type.startsWith('text/event-stream');
    if (this.isStream) this.#events = new SseParser((event) => this.#onEvent(event), MAX_MESSAGE_BYTES);
  }

  onData(chunk: Buffer): void {
    if (this.status === 400 && this.#refusal.length < LONGEST_REFUSAL) this.#refusal += chunk.toString('latin1');
    if (this.#events) return this.#events.push(chunk);
    if (this.#json) this.#body.onData(chunk);
  }

  /** Whether it says that the session is not known: 404 means it (MCP), and with 400 many an SDK does, in words. */
  get forgot(): boolean {
    return this.status === 404 || (this.status === 400 && SESSION.test(this.#refusal));
  }

  /** Connection exhaustion: nothing more is due, so that a server which keeps the stream open must not keep a connection with it. */
  settled(): void {
    if (this.#events) this.#lingering ??= setTimeout(() => this.cut?.(), LINGER).unref();
  }

  onEnd(): void {
    clearTimeout(this.#lingering);
    const { bytes } = this.#body;
    this.#body.clear();
    if (bytes.length === 0) return;
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
    for (const message of messagesIn(parseExact(json))) this.#onMessage(message);
  }
}

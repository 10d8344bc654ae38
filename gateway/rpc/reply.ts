/** The answer to one JSON-RPC request over POST: plain JSON, or an event stream as soon as something precedes it. */
import type { HttpResponse } from '../http/message.ts';
import type { Id, RpcError, RpcMessage } from '../../schemas/jsonrpc.ts';
import type { HttpSide } from './errors.ts';
import { JsonBytes, lineOf, type Json } from './json.ts';
import { sendJsonBytes, sendText } from './respond.ts';
import { SseWriter, type EventWriter } from './sse-writer.ts';

/** An event stream that goes on without its connection, until nobody comes back for it. */
export interface LastingWriter extends EventWriter {
  /** Whether not even an answer may be added to what waits for its client. */
  readonly overflows: boolean;
  onAbandoned(listener: (() => void) | undefined): void;
}

/** Where the answer to one request goes, and what comes before it. */
export interface Answer {
  /** @param listener called when the client goes away, or has gone, and will not come back. @returns stops listening */
  onGone(listener: () => void): () => void;
  /** To be called before anything is sent. @returns the session that the answer is for, where it had one before */
  sessionId(value: string): string | undefined;
  /** Sends a notification ahead of the answer, in order. A client that does not keep up misses some, never the answer. */
  notify(method: string, params: Record<string, unknown> | undefined): void;
  /** @returns whether it was sent: not after the answer, nor to a client that does not keep up */
  send(message: RpcMessage): boolean;
  /** @param json the `result` as JSON text, so that prepared bytes go out as they are */
  result(json: Json): void;
  /** @param http the HTTP response, unless that has begun */
  error(error: RpcError, http?: HttpSide): void;
}

const END = Buffer.from('}');

export class Reply implements Answer {
  readonly #response: HttpResponse;
  readonly #id: Id;
  readonly #lasting: (() => LastingWriter) | undefined;
  #stream: EventWriter | undefined;
  #abandonable: LastingWriter | undefined;
  #ended = false;

  /** @param lasting makes its event stream one that the client can come back to */
  constructor(response: HttpResponse, id: Id, lasting?: () => LastingWriter) {
    this.#response = response;
    this.#id = id;
    this.#lasting = lasting;
  }

  onGone(listener: () => void): () => void {
    const closed = (): void => (this.#abandonable ? this.#abandonable.onAbandoned(listener) : listener());
    if (this.#response.destroyed) closed();
    else this.#response.once('close', closed);
    return () => {
      this.#response.off('close', closed);
      this.#abandonable?.onAbandoned(undefined);
    };
  }

  sessionId(value: string): undefined {
    this.#response.setHeader('Mcp-Session-Id', value);
  }

  notify(method: string, params: Record<string, unknown> | undefined): void {
    this.send({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) });
  }

  send(message: RpcMessage): boolean {
    if (this.#ended || (this.#response.destroyed && !this.#abandonable)) return false;
    const stream = (this.#stream ??= this.#open());
    if (!stream.keepsUp) return false;
    stream.event(JSON.stringify(message));
    return true;
  }

  result(json: Json): void {
    const head = `{"jsonrpc":"2.0","id":${JSON.stringify(this.#id)},"result":`;
    if (typeof json === 'string' || this.#stream || this.#response.destroyed)
      return this.#finish(`${head}${lineOf(json)}}`);
    this.#ended = true;
    sendJsonBytes(this.#response, new JsonBytes(Buffer.from(head), ...json.parts, END));
  }

  error(error: RpcError, http?: HttpSide): void {
    this.#finish(JSON.stringify({ jsonrpc: '2.0', id: this.#id, error }), http);
  }

  #open(): EventWriter {
    this.#abandonable = this.#lasting?.();
    return this.#abandonable ?? new SseWriter(this.#response);
  }

  #finish(json: string, { status, headers }: HttpSide = { status: 200 }): void {
    this.#ended = true;
    if (this.#response.destroyed && !this.#abandonable) return;
    if (!this.#stream) return sendText(this.#response, status, json, 'application/json', headers);
    this.#stream.event(json);
    this.#stream.end();
  }
}

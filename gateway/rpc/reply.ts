/** The answer to one JSON-RPC request over POST: plain JSON, or an event stream as soon as something precedes it. */
import type { ServerResponse } from 'node:http';
import type { Id, RpcError, RpcMessage } from '../../schemas/jsonrpc.ts';
import { sendText } from './respond.ts';
import { SseWriter } from './sse-writer.ts';

export class Reply {
  readonly #response: ServerResponse;
  readonly #id: Id;
  #stream: SseWriter | undefined;

  constructor(response: ServerResponse, id: Id) {
    this.#response = response;
    this.#id = id;
  }

  /** To be called before anything is sent. */
  sessionId(value: string): void {
    this.#response.setHeader('Mcp-Session-Id', value);
  }

  /** Sends a notification ahead of the answer, in order. A client that does not keep up misses some, never the answer. */
  notify(method: string, params: Record<string, unknown> | undefined): void {
    this.send({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) });
  }

  /** @returns whether it was sent: not after the answer, nor to a client that does not keep up */
  send(message: RpcMessage): boolean {
    if (this.#response.writableEnded || this.#response.destroyed) return false;
    this.#stream ??= new SseWriter(this.#response);
    if (!this.#stream.keepsUp) return false;
    this.#stream.event(JSON.stringify(message));
    return true;
  }

  /** @param json the `result` as JSON text, so that prepared bytes go out as they are */
  result(json: string): void {
    this.#finish(`{"jsonrpc":"2.0","id":${JSON.stringify(this.#id)},"result":${json}}`);
  }

  /** @param status of the HTTP response, unless that has begun */
  error(error: RpcError, status = 200): void {
    this.#finish(JSON.stringify({ jsonrpc: '2.0', id: this.#id, error }), status);
  }

  #finish(json: string, status = 200): void {
    if (this.#response.destroyed) return;
    if (!this.#stream) return sendText(this.#response, status, json, 'application/json');
    this.#stream.event(json);
    this.#stream.end();
  }
}

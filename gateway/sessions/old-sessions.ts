/** Sessions of the HTTP+SSE transport (MCP 2024-11-05): each is one open stream, on which everything is answered. */
import type { Id, RpcError, RpcMessage } from '../../schemas/jsonrpc.ts';
import { lineOf, type Json } from '../rpc/json.ts';
import type { Answer } from '../rpc/reply.ts';
import type { SseWriter } from '../rpc/sse-writer.ts';
import type { Session } from './seal.ts';

export interface OldSession {
  /** What it can be asked is known once it has initialized. */
  session: Session;
  readonly writer: SseWriter;
  /** Called when the stream ends. */
  readonly onGone: Set<() => void>;
}

/** By {@link Session.id}. They live as long as their connections. */
export type OldSessions = Map<string, OldSession>;

/** The answer to one request, on the session's stream. */
export class StreamedAnswer implements Answer {
  readonly #on: OldSession;
  readonly #id: Id;

  constructor(on: OldSession, id: Id) {
    this.#on = on;
    this.#id = id;
  }

  onGone(listener: () => void): () => void {
    const { onGone, writer } = this.#on;
    onGone.add(listener);
    if (writer.ended) listener();
    return () => void onGone.delete(listener);
  }

  /** The stream is the session. */
  sessionId(): string {
    return this.#on.session.id;
  }

  notify(method: string, params: Record<string, unknown> | undefined): void {
    this.send({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) });
  }

  send(message: RpcMessage): boolean {
    const { writer } = this.#on;
    if (!writer.keepsUp) return false;
    writer.event(JSON.stringify(message));
    return true;
  }

  result(json: Json): void {
    this.#finish(`{"jsonrpc":"2.0","id":${JSON.stringify(this.#id)},"result":${lineOf(json)}}`);
  }

  error(error: RpcError): void {
    this.#finish(JSON.stringify({ jsonrpc: '2.0', id: this.#id, error }));
  }

  /** Memory exhaustion: calls without end by a client that reads nothing. It loses the stream, and with it the session. */
  #finish(json: string): void {
    const { writer } = this.#on;
    if (writer.overflows) writer.destroy();
    else writer.event(json);
  }
}

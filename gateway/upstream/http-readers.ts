/** What is read of a server's HTTP responses (MCP 2025-03-26 to 2025-11-25): the answer to a POST, and the stream of GET. */
import { isRequest, type Id, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { offersOurs } from '../../schemas/modern.ts';
import type { Peer } from '../../schemas/peer.ts';
import type { Head } from './http1/response.ts';
import { MessageReader, SESSION } from './message-reader.ts';
import { findResult } from './raw-result.ts';

/** Reads what the server says unasked. */
export class ListenReader extends MessageReader {
  /** Called when the server begins to say something. */
  onBegin: (() => void) | undefined;

  constructor(peer: Peer) {
    super((message) => peer.receive(message));
  }

  override onHead(head: Head): void {
    super.onHead(head);
    if (head.status === 200) this.onBegin?.();
  }
}

/** Reads what answers one POST: on the way to the answer, what the server asks and says for its sake. */
export class AnswerReader extends MessageReader {
  /** Called with the session that the server opened, or with nothing. */
  onSession: ((id: string | undefined) => void) | undefined;
  answered = false;
  readonly session: string | undefined;
  readonly #onAnswered: () => void;
  readonly #peer: Peer;
  /** Whether the server refused to speak like this, but offers the way we speak as well. */
  foreign = false;

  /**
   * @param session which the server may have forgotten: what only says so is no answer
   * @param onAnswered called when the request is answered, although its stream may go on
   */
  constructor(sent: RpcMessage, peer: Peer, session: string | undefined, onAnswered: () => void) {
    super((received) => {
      if (!isRequest(sent) || (session !== undefined && (this.status === 404 || this.#isForgotten(received)))) return;
      if ('method' in received) return peer.receive(received, sent.id);
      // A server that could not even read the id answers `null`; over HTTP it is clear what it means.
      const own = received.id === sent.id || (received.id === null && this.status >= 400);
      if (!own) return;
      this.foreign = received.error !== undefined && offersOurs(received.error);
      if (this.foreign) return;
      this.answered = true;
      this.settled();
      peer.receive(received.id === sent.id ? received : { ...received, id: sent.id });
      onAnswered();
    });
    this.#peer = peer;
    this.#onAnswered = onAnswered;
    this.session = session;
  }

  /** The SDKs answer a session that is none of theirs with 400, and tell nothing about the request. */
  #isForgotten(message: RpcMessage): boolean {
    if (this.status !== 400 || 'method' in message || typeof message.id === 'number') return false;
    return SESSION.test(message.error?.message ?? '');
  }

  /** @returns whether it is an answer whose result can be passed on as it came */
  takeRaw(id: Id, document: Buffer): boolean {
    const result = this.status === 200 ? findResult(document, id) : undefined;
    if (!result) return false;
    this.answered = true;
    this.#peer.receive({ jsonrpc: '2.0', id, result });
    this.#onAnswered();
    return true;
  }

  override onHead(head: Head): void {
    const { 'mcp-session-id': session } = head.headers;
    this.onSession?.(typeof session === 'string' ? session : undefined);
    super.onHead(head);
  }
}

/** What servers ask of clients: sent on the stream of the call that is in flight, answered by a POST of its own. */
import { randomUUID } from 'node:crypto';
import { SlipwayError } from '../../schemas/errors.ts';
import { isNotification, isRequest, type Id, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { Peer } from '../../schemas/peer.ts';

export class Asks {
  /** By session and id: an answer settles only what its own session was asked. */
  readonly #waiting = new Map<string, Peer>();
  readonly #onStreams = new WeakMap<object, Peer>();

  /**
   * Opens a conversation with the client of a session. Many run side by side, so ids are drawn, not counted.
   * @param send whether it could be sent
   */
  open(sessionId: string, send: (message: RpcMessage) => boolean): Peer {
    const peer: Peer = new Peer({
      newId: randomUUID,
      send: (message) => {
        if (isNotification(message)) this.#waiting.delete(keyOf(sessionId, message.params?.['requestId'] as Id));
        if (!send(message)) throw new SlipwayError('cancelled', 'The client cannot be reached any more.');
        if (isRequest(message)) this.#waiting.set(keyOf(sessionId, message.id), peer);
      },
    });
    return peer;
  }

  /** The one conversation on a stream that belongs to no call: one, so that what waits on it is counted. */
  onStream(stream: object, sessionId: string, send: (message: RpcMessage) => boolean): Peer {
    const peer = this.#onStreams.get(stream) ?? this.open(sessionId, send);
    this.#onStreams.set(stream, peer);
    return peer;
  }

  /** Hands on an answer, or the progress of one, to where it is waited for. What nobody waits for is ignored. */
  receive(sessionId: string, message: RpcMessage): void {
    const id = isNotification(message) ? message.params?.['progressToken'] : message.id;
    const key = keyOf(sessionId, id as Id);
    this.#waiting.get(key)?.receive(message);
    if (!isNotification(message)) this.#waiting.delete(key);
  }
}

function keyOf(sessionId: string, id: Id): string {
  return `${sessionId} ${id}`;
}

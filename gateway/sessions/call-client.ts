/** The client's end of a call that is in flight: what the server asks or says meanwhile goes out on the call's stream. */
import type { RpcNotification, RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Asked, Peer } from '../../schemas/peer.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { CallEnd } from '../era/era.ts';
import type { LegacyCall } from '../era/legacy-call.ts';
import { askClient } from './asking.ts';
import { capabilitiesFrom } from './capabilities.ts';

export class CallClient implements CallEnd {
  readonly id: string;
  /** Said once for all, in `initialize`. */
  readonly info = undefined;
  readonly takesInput = false;
  readonly #call: LegacyCall;
  readonly #server: string;
  readonly #onWaiting: (waiting: boolean) => void;
  #peer: Peer | undefined;
  #over: AbortController | undefined;
  #ended = false;

  /** @param onWaiting called when the server begins to wait for the client, and when it no longer does */
  constructor(call: LegacyCall, server: string, onWaiting: (waiting: boolean) => void) {
    this.id = call.session.id;
    this.#call = call;
    this.#server = server;
    this.#onWaiting = onWaiting;
  }

  get principal(): string {
    return this.#call.caller.identity.key;
  }

  get capabilities(): Record<string, unknown> {
    return capabilitiesFrom(this.#call.session.capabilities);
  }

  get logLevel(): string {
    const { caller, session } = this.#call;
    return caller.state.levels.of(session.id);
  }

  async request(request: RpcRequest, { signal, progress, until }: Asked): Promise<unknown> {
    const { caller, session, reply, instance } = this.#call;
    const { state, identity } = caller;
    if (this.#ended) throw new SlipwayError('cancelled', 'The call has ended.');
    const peer = (this.#peer ??= state.asks.open(session.id, (message) => reply.send(message)));
    const over = until ?? (this.#over ??= new AbortController()).signal;
    const asking = { state, identity, session, peer, at: { server: this.#server, instance } };
    this.#onWaiting(true);
    try {
      return await askClient(asking, request, { signal: AbortSignal.any([signal, over]), progress });
    } finally {
      this.#onWaiting(false);
    }
  }

  waits(waiting: boolean): void {
    this.#onWaiting(waiting);
  }

  notify(notification: RpcNotification): void {
    const { caller, session, reply } = this.#call;
    const { method, params } = notification;
    if (this.#ended) return;
    if (method === 'notifications/message' && !caller.state.levels.wants(session.id, params?.['level'])) return;
    reply.notify(method, params);
  }

  /** Takes back what is still unanswered, unless it may be about another call. To be called before the answer of the call goes out. */
  end(): void {
    this.#ended = true;
    this.#over?.abort(new SlipwayError('cancelled', 'The call has ended.'));
  }
}

/** The client's end of a call that is in flight: what the server asks or says meanwhile goes out on the call's stream. */
import { progressTokenOf, RPC, RpcFailure, type RpcNotification, type RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Asked, Peer } from '../../schemas/peer.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { related } from '../../schemas/tasks.ts';
import type { CallEnd } from '../era/era.ts';
import type { LegacyCall } from '../era/legacy-call.ts';
import { capabilitiesFrom, checkCapabilities } from './capabilities.ts';

/** How long a person may think before a question counts as unanswered (ms). */
export const ANSWER_TIMEOUT = 15 * 60_000;

/** Questions that one call may have open: a server must not fill the memory, or a person's screen. */
export const MAX_WAITING = 100;

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

  async request({ method, params = {} }: RpcRequest, { signal, progress, until }: Asked): Promise<unknown> {
    const { caller, session, reply } = this.#call;
    checkCapabilities(session.capabilities, method, params);
    if (this.#ended) throw new SlipwayError('cancelled', 'The call has ended.');
    this.#peer ??= caller.state.asks.open(session.id, (message) => reply.send(message));
    if (this.#peer.inFlight >= MAX_WAITING)
      throw new RpcFailure({ code: RPC.invalidRequest, message: 'Too many questions of one call wait for an answer' });
    caller.state.elicitations.add(this.#server, params['elicitationId'], session.id);
    const wanted = progressTokenOf(params) !== undefined;
    const { tasks } = caller.state;
    const at = { server: this.#server, instance: this.#call.instance };
    const over = until ?? (this.#over ??= new AbortController()).signal;
    const asked = related(params, (id) => tasks.nameFor(caller.identity, { ...at, id }));
    this.#onWaiting(true);
    try {
      const answer = await this.#peer.request(
        method,
        { ...asked },
        {
          signal: AbortSignal.any([signal, over, AbortSignal.timeout(ANSWER_TIMEOUT)]),
          ...(wanted ? { onProgress: progress } : {}),
        },
      );
      return related((answer ?? {}) as Record<string, unknown>, (id) => tasks.find(caller.identity, id).id);
    } finally {
      this.#onWaiting(this.#peer.inFlight > 0);
    }
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

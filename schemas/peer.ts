/**
 * One end of a JSON-RPC conversation: gives requests their ids, matches answers, and hands on what the other side
 * starts. It does no I/O — whoever owns the pipe calls {@link Peer.receive} and provides `send` — so the bridge (over a
 * child's stdio) and the gateway (over a socket) share it.
 */
import { SlipwayError } from './errors.ts';
import { FleetingMap } from './fleeting-map.ts';
import { META } from './modern.ts';
import { Afterwards, withProgressToken } from './progress.ts';
import {
  isNotification,
  isRequest,
  progressTokenOf,
  reasonIn,
  RPC,
  RpcFailure,
  toRpcError,
  type Id,
  type RpcError,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
} from './jsonrpc.ts';

/** Whom a request is made for. What the other side asks or says for its sake goes there, and nowhere else. */
export interface Client {
  /** The same for all requests of one client. */
  readonly id: string;
  /** Who is behind it. */
  readonly principal: string;
  /** What it can be asked, as MCP's ClientCapabilities. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** What it says it is, if it says so with each request. */
  readonly info: unknown;
  /** The least severe log message it wants to hear of; `undefined` for none. */
  readonly logLevel: string | undefined;
  /** Whether it takes a result that asks for more (`input_required`) instead of being asked through {@link request}. */
  readonly takesInput: boolean;
  /** What it came back with after such a result: `requestState` and `inputResponses`. */
  readonly retry?: Readonly<Record<string, unknown>> | undefined;
  /** @throws RpcFailure as the client answered, or because it cannot */
  request(request: RpcRequest, asked: Asked): Promise<unknown>;
  notify(notification: RpcNotification): void;
  /** It may be what another of its client's calls was asked about, and whoever waits for it must wait for the client first; or no longer. */
  waits(waiting: boolean): void;
}

/** How a request of the other side came. */
export interface Asked {
  /** Aborts when the other side takes the request back, or the conversation ends. */
  readonly signal: AbortSignal;
  /** Whom it is meant for, where the transport tells: a stream of its own for each of our requests. */
  readonly client?: Client | undefined;
  /** Where it does not tell, and the client may have asked for several things: until when any of them runs. */
  readonly until?: AbortSignal;
  /** Tells the other side of progress, if it asked for it. */
  progress(params: Record<string, unknown>): void;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  client?: Client | undefined;
  /** What a modern server is to be given again: what it asked for in a round of this call whose answer never arrived there. */
  resume?: Readonly<Record<string, unknown>> | undefined;
  /** Whether a large result may come as the bytes it was sent in, where the transport can (gateway/upstream/raw-result.ts). */
  bytes?: boolean | undefined;
  /** Which of a server's instances it is for, if that still runs. */
  instance?: string | undefined;
  /** Where it is noted to which of them it went. */
  at?: { instance: string | undefined } | undefined;
  /** Asked before it is sent on a connection that was opened meanwhile, or a session: what to wait for; rejects where it must not be sent. */
  admit?: (() => Promise<void> | undefined) | undefined;
  /** Called for progress on this request, in arrival order and never after its answer. */
  onProgress?: ((params: Record<string, unknown>) => void) | undefined;
  /** Called for what the other side says for the sake of this request (`subscriptions/listen`), instead of the connection. */
  onNotification?: ((notification: RpcNotification) => void) | undefined;
  /** The progress token that the caller's own client sent; restored in what `onProgress` gets. */
  progressToken?: Id | undefined;
}

/** What an upstream is to its user, whatever lies between: a child's stdio, a socket, HTTP. */
export interface Channel {
  request(method: string, params?: Record<string, unknown>, options?: RequestOptions): Promise<unknown>;
  notify(method: string, params?: Record<string, unknown>): void;
  /** How many requests wait for an answer. */
  readonly inFlight: number;
}

/** What the other side of a connection may start. */
export interface ConnectionHandlers {
  /** A request from the other side. Without a handler it is refused as unknown. */
  onRequest?(request: RpcRequest, asked: Asked): Promise<unknown>;
  /** @param client whom it is meant for, where the transport tells */
  onNotification?(notification: RpcNotification, client?: Client): void;
}

/** A channel of one's own, to be closed by who opened it. */
export interface Connection extends Channel {
  /** False where the other side is known to remember nothing of us between requests. */
  readonly keepsSession?: boolean;
  close(): void;
}

/**
 * Opens a connection to an instance that lives in this process; `undefined` if it does not, and its endpoint's address
 * must be dialled. The conversation starts with `initialize`, as it would over a socket.
 */
export type Connect = (
  endpointId: string,
  handlers: ConnectionHandlers,
  options?: ConnectOptions,
) => Connection | undefined;

export interface ConnectOptions {
  /** For somebody who only looks: its requests neither wake the instance nor keep it awake, and fail while it sleeps. */
  readonly passive?: boolean;
  /** Opens a process of its own, which nobody else talks to, and which ends with the connection. */
  readonly isolated?: boolean;
}

export interface PeerHandlers extends ConnectionHandlers {
  /** @param options of the request that the message is, where it is one */
  send(message: RpcMessage, options?: RequestOptions): void;
  /** For conversations that share their wire; otherwise requests are numbered. */
  newId?(): Id;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  options: RequestOptions;
  onAbort: (() => void) | undefined;
}

const ONCE = { once: true };

export class Peer implements Channel {
  readonly #handlers: PeerHandlers;
  readonly #pending = new FleetingMap<Id, Pending>();
  /** What the other side asked and still waits for. */
  readonly #asked = new Map<Id, AbortController>();
  readonly #afterwards = new Afterwards();
  #nextId = 1;
  #closed: SlipwayError | undefined;

  constructor(handlers: PeerHandlers) {
    this.#handlers = handlers;
  }

  get inFlight(): number {
    return this.#pending.size;
  }

  /**
   * @returns the `result` of the answer
   * @throws RpcFailure when the other side answers with an error, SlipwayError when the conversation ends or is cancelled
   */
  request(method: string, params?: Record<string, unknown>, options: RequestOptions = {}): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (options.signal?.aborted) return Promise.reject(cancelled(options.signal));
    const id = this.#handlers.newId?.() ?? this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = options.signal && ((): void => this.#cancel(id));
      if (onAbort) options.signal?.addEventListener('abort', onAbort, ONCE);
      this.#pending.set(id, { resolve, reject, options, onAbort });
      const whole = withProgressToken(params, options, id);
      try {
        this.#handlers.send(
          whole === undefined ? { jsonrpc: '2.0', id, method } : { jsonrpc: '2.0', id, method, params: whole },
          options,
        );
      } catch (error) {
        this.fail(id, error);
      }
    });
  }

  notify(method: string, params?: Record<string, unknown>): void {
    this.#tell(params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params });
  }

  /** What became of a request of ours that could not be sent, or whose answer could not be had. */
  fail(id: Id, error: unknown): void {
    this.#take(id)?.reject(error);
  }

  /**
   * Feeds one message from the other side.
   * @param via the request of ours on whose own stream it came
   */
  receive(message: RpcMessage, via?: Id): void {
    const client = via === undefined ? undefined : this.#pending.get(via)?.options.client;
    if (isRequest(message)) void this.#answer(message, client);
    else if (isNotification(message)) this.#notified(message, client);
    else this.#settle(message.id, message);
  }

  /** Ends the conversation: whatever still waits fails with `reason`. */
  close(reason: SlipwayError): void {
    this.#closed = reason;
    for (const id of this.#pending.keys()) this.fail(id, reason);
    for (const asked of this.#asked.values()) asked.abort(reason);
  }

  #take(id: Id | null): Pending | undefined {
    if (id === null) return undefined;
    const pending = this.#pending.take(id);
    if (pending?.onAbort) pending.options.signal?.removeEventListener('abort', pending.onAbort);
    return pending;
  }

  #cancel(id: Id): void {
    const pending = this.#take(id);
    if (!pending) return;
    const why = cancelled(pending.options.signal);
    // Other reasons may say of callers what is no business of a server.
    const reason = why.code === 'cancelled' ? why.message : 'It is not waited for any more.';
    this.notify('notifications/cancelled', { requestId: id, reason });
    pending.reject(why);
  }

  #settle(id: Id | null, message: { result?: unknown; error?: RpcError }): void {
    const pending = this.#take(id);
    if (message.error) return pending?.reject(new RpcFailure(message.error));
    if (pending) this.#afterwards.answered(id, pending.options, message.result);
    pending?.resolve(message.result);
  }

  #notified(notification: RpcNotification, client: Client | undefined): void {
    const { method, params } = notification;
    if (method === 'notifications/cancelled')
      return this.#asked.get(params?.['requestId'] as Id)?.abort(new SlipwayError('cancelled', reasonIn(params)));
    const { [META.subscription]: subscription } = (params?.['_meta'] ?? {}) as { [META.subscription]?: Id };
    const listening = subscription === undefined ? undefined : this.#pending.get(subscription)?.options.onNotification;
    if (listening) return listening(notification);
    const token = params?.['progressToken'];
    if (method !== 'notifications/progress') return this.#handlers.onNotification?.(notification, client);
    // Progress on what nobody waits for any more is for nobody: passed on, it would reach another client's call.
    const { onProgress, progressToken } = this.#pending.get(token)?.options ?? this.#afterwards.of(token);
    onProgress?.({ ...params, ...(progressToken === undefined ? {} : { progressToken }) });
  }

  async #answer(request: RpcRequest, client: Client | undefined): Promise<void> {
    const { id } = request;
    if (request.method === 'ping') return this.#tell({ jsonrpc: '2.0', id, result: {} });
    const controller = new AbortController();
    const { signal } = controller;
    this.#asked.set(id, controller);
    try {
      if (!this.#handlers.onRequest)
        throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${request.method}` });
      const result = await this.#handlers.onRequest(request, { signal, client, progress: this.#reporter(request) });
      if (!signal.aborted) this.#tell({ jsonrpc: '2.0', id, result });
    } catch (error) {
      // Who took a request back wants no answer any more.
      if (!signal.aborted) this.#tell({ jsonrpc: '2.0', id, error: toRpcError(error) });
    } finally {
      if (this.#asked.get(id) === controller) this.#asked.delete(id);
    }
  }

  /** For what nobody waits for. The other side may be gone already, and then there is nobody here to hear of it either. */
  #tell(message: RpcMessage): void {
    if (this.#closed) return;
    try {
      this.#handlers.send(message);
    } catch {
      // Requests that wait for the other side hear of its end from whoever owns the wire.
    }
  }

  #reporter({ params }: RpcRequest): Asked['progress'] {
    const progressToken = progressTokenOf(params);
    if (progressToken === undefined) return () => {};
    return (progress) => this.notify('notifications/progress', { ...progress, progressToken });
  }
}

function cancelled(signal: AbortSignal | undefined): SlipwayError {
  const { reason } = signal ?? {};
  return reason instanceof SlipwayError ? reason : new SlipwayError('cancelled');
}

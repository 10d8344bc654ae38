/**
 * One end of a JSON-RPC conversation: gives requests their ids, matches answers, and hands on what the other side
 * starts. It does no I/O — whoever owns the pipe calls {@link Peer.receive} and provides `send` — so the bridge (over a
 * child's stdio) and the gateway (over a socket) share it.
 */
import { SlipwayError } from './errors.ts';
import {
  isNotification,
  isRequest,
  RPC,
  RpcFailure,
  type Id,
  type RpcError,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
} from './jsonrpc.ts';

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  /** Called for progress on this request, in arrival order and never after its answer. */
  onProgress?: ((params: Record<string, unknown>) => void) | undefined;
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
  onRequest?(request: RpcRequest): Promise<unknown>;
  onNotification?(notification: RpcNotification): void;
}

/** A channel of one's own, to be closed by who opened it. */
export interface Connection extends Channel {
  close(): void;
}

/**
 * Opens a connection to an instance that lives in this process; `undefined` if it does not, and its endpoint's address
 * must be dialled. The conversation starts with `initialize`, as it would over a socket.
 */
export type Connect = (endpointId: string, handlers: ConnectionHandlers) => Connection | undefined;

export interface PeerHandlers extends ConnectionHandlers {
  send(message: RpcMessage): void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  options: RequestOptions;
  unlisten(): void;
}

export class Peer implements Channel {
  readonly #handlers: PeerHandlers;
  readonly #pending = new Map<Id, Pending>();
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
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (!this.#take(id)) return;
        this.notify('notifications/cancelled', { requestId: id, reason: 'cancelled by the caller' });
        reject(cancelled(options.signal));
      };
      options.signal?.addEventListener('abort', onAbort, { once: true });
      const unlisten = (): void => options.signal?.removeEventListener('abort', onAbort);
      this.#pending.set(id, { resolve, reject, options, unlisten });
      try {
        this.#handlers.send(envelope({ id, method }, withProgressToken(params, options, id)));
      } catch (error) {
        this.#take(id)?.reject(error);
      }
    });
  }

  notify(method: string, params?: Record<string, unknown>): void {
    if (!this.#closed) this.#handlers.send(envelope({ method }, params));
  }

  /** Feeds one message from the other side. */
  receive(message: RpcMessage): void {
    if (isRequest(message)) void this.#answer(message);
    else if (isNotification(message)) this.#notified(message);
    else this.#settle(message.id, message);
  }

  /** Ends the conversation: whatever still waits fails with `reason`. */
  close(reason: SlipwayError): void {
    this.#closed = reason;
    for (const id of this.#pending.keys()) this.#take(id)?.reject(reason);
  }

  #take(id: Id | null): Pending | undefined {
    if (id === null) return undefined;
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.unlisten();
    return pending;
  }

  #settle(id: Id | null, message: { result?: unknown; error?: RpcError }): void {
    const pending = this.#take(id);
    if (message.error) pending?.reject(new RpcFailure(message.error));
    else pending?.resolve(message.result);
  }

  #notified(notification: RpcNotification): void {
    const token = notification.params?.['progressToken'];
    const pending = notification.method === 'notifications/progress' ? this.#pending.get(token as Id) : undefined;
    if (!pending) return this.#handlers.onNotification?.(notification);
    const { onProgress, progressToken } = pending.options;
    onProgress?.({ ...notification.params, ...(progressToken === undefined ? {} : { progressToken }) });
  }

  async #answer(request: RpcRequest): Promise<void> {
    const { id, method } = request;
    let answer: { result: unknown } | { error: RpcError };
    try {
      answer = { result: method === 'ping' ? {} : await this.#ask(request) };
    } catch (error) {
      answer = { error: toRpcError(error) };
    }
    if (!this.#closed) this.#handlers.send({ jsonrpc: '2.0', id, ...answer });
  }

  #ask(request: RpcRequest): Promise<unknown> {
    if (this.#handlers.onRequest) return this.#handlers.onRequest(request);
    throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${request.method}` });
  }
}

/** What a peer is told about a failure: its own error passed on, a foreseen one by code, nothing of an unforeseen one. */
export function toRpcError(error: unknown): RpcError {
  if (error instanceof RpcFailure) return error.error;
  if (error instanceof SlipwayError) {
    const code = error.row.http >= 500 ? RPC.upstream : RPC.invalidRequest;
    return { code, message: error.message, data: { error_code: error.code, hint: error.hint } };
  }
  return { code: RPC.internalError, message: 'Internal error' };
}

function cancelled(signal: AbortSignal | undefined): SlipwayError {
  const { reason } = signal ?? {};
  return reason instanceof SlipwayError ? reason : new SlipwayError('cancelled');
}

function envelope(head: { id?: Id; method: string }, params: Record<string, unknown> | undefined): RpcMessage {
  return { jsonrpc: '2.0', ...head, ...(params === undefined ? {} : { params }) } as RpcMessage;
}

/**
 * Progress tokens must be unique on this wire, so ours replaces the client's. Where nobody listens none is asked for: the
 * client's own could be the id of somebody else's request.
 */
function withProgressToken(
  params: Record<string, unknown> | undefined,
  options: RequestOptions,
  id: Id,
): Record<string, unknown> | undefined {
  const meta = params?.['_meta'] as Record<string, unknown> | undefined;
  if (options.onProgress !== undefined) return { ...params, _meta: { ...meta, progressToken: id } };
  if (meta?.['progressToken'] === undefined) return params;
  const { progressToken: _, ...rest } = meta;
  return { ...params, _meta: rest };
}

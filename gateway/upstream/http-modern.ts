/** An upstream over Streamable HTTP as MCP 2026-07-28 has it: each request is a POST, whose response is all of it. */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import {
  isRequest,
  RPC,
  RpcFailure,
  type Id,
  type RpcMessage,
  type RpcRequest,
  type RpcResponse,
} from '../../schemas/jsonrpc.ts';
import { mirrorHeaders, mirrorsOf, type Mirror } from '../../schemas/mirror.ts';
import { headersFor, isModernError, MODERN_RPC, ourselves } from '../../schemas/modern.ts';
import { Peer, type Connection, type ConnectionHandlers, type RequestOptions } from '../../schemas/peer.ts';
import { contextHeaders } from '../tracing/context.ts';
import { LISTS } from './lists.ts';
import type { Http } from './http1/client.ts';
import { noAnswer } from './link.ts';
import { MessageReader } from './message-reader.ts';

/** A server that never stops paging is cut off here. */
const MAX_PAGES = 100;
/** The answers of a server that does not know what it was asked. */
const FOREIGN: ReadonlySet<number> = new Set([400, 404, 405]);

type Params = Record<string, unknown>;

export interface ModernHttpHandlers {
  readonly onNotification: NonNullable<ConnectionHandlers['onNotification']>;
  /** What answers there does not speak like this any more. */
  onClose(): void;
}

/** A Peer keeps ids, progress and cancellation; a request that is cancelled closes its response, which is all it takes. */
export class ModernHttp implements Connection {
  readonly #url: URL;
  readonly #client: Http;
  readonly #peer: Peer;
  readonly #version: string;
  readonly #onClose: () => void;
  readonly #onNotification: ModernHttpHandlers['onNotification'];
  /** Which arguments of a tool are repeated in headers, as the server last listed it. */
  readonly #mirrors = new Map<string, readonly Mirror[]>();

  /** @param version of Slipway, for what it asks for itself */
  constructor(url: URL, client: Http, version: string, handlers: ModernHttpHandlers) {
    this.#url = url;
    this.#version = version;
    this.#onClose = handlers.onClose;
    this.#onNotification = handlers.onNotification;
    this.#client = client;
    this.#peer = new Peer({
      onNotification: handlers.onNotification,
      send: (message, options) => void this.#send(message, options),
    });
  }

  get inFlight(): number {
    return this.#peer.inFlight;
  }

  async request(method: string, params?: Params, options: RequestOptions = {}): Promise<unknown> {
    try {
      const result = await this.#peer.request(method, params, options);
      return method === 'tools/list' ? this.#learn(result) : result;
    } catch (error) {
      const stale =
        method === 'tools/call' && error instanceof RpcFailure && error.error.code === MODERN_RPC.headerMismatch;
      if (!stale) throw method === 'server/discover' ? error : said(error);
      // Its headers are others than we know of: what the tool looks like now says which.
      await this.#relearn(options);
      return await this.#peer.request(method, params, options).catch((again: unknown) => {
        throw said(again);
      });
    }
  }

  notify(): void {}

  close(): void {
    this.#peer.close(new SlipwayError('upstream-unavailable', 'The connection was closed.'));
    this.#client.close();
  }

  async #relearn({ signal, admit }: RequestOptions): Promise<void> {
    // Where tools can be held, it is looked at like any that is another one than was listed.
    if (admit) this.#onNotification({ jsonrpc: '2.0', method: LISTS.tools.changed });
    if (admit) return admit();
    let cursor: unknown;
    for (let page = 0; page < MAX_PAGES; page++) {
      const params = ourselves(this.#version, cursor === undefined ? {} : { cursor });
      const result = (await this.request('tools/list', params, { signal })) as Params;
      cursor = result['nextCursor'];
      if (typeof cursor !== 'string') return;
    }
  }

  /** Header injection: a tool whose annotations break the rules is not used over HTTP at all. */
  #learn(result: unknown): unknown {
    const { tools } = (result ?? {}) as { tools?: unknown };
    if (!Array.isArray(tools)) return result;
    const usable = (tools as Params[]).filter((tool) => {
      const mirrors = mirrorsOf(tool?.['inputSchema']);
      if (typeof mirrors === 'string') return false;
      this.#mirrors.set(String(tool?.['name']), mirrors);
      return true;
    });
    return usable.length === tools.length ? result : { ...(result as object), tools: usable };
  }

  /** Never throws: a request whose POST failed fails with that. */
  async #send(message: RpcMessage, { signal }: RequestOptions = {}): Promise<void> {
    if (!isRequest(message)) return;
    try {
      await this.#post(message, signal);
    } catch (error) {
      this.#peer.fail(message.id, toSlipwayError(error, 'upstream-unavailable'));
    }
  }

  async #post(request: RpcRequest, signal: AbortSignal | undefined): Promise<void> {
    const { id, method, params } = request;
    const mirrors = method === 'tools/call' ? this.#mirrors.get(String(params?.['name'])) : undefined;
    const headers = {
      ...headersFor(method, params),
      ...contextHeaders(params),
      ...(mirrors ? mirrorHeaders(mirrors, params?.['arguments']) : {}),
      Accept: 'application/json, text/event-stream',
      'Content-Type': 'application/json',
    };
    let answered = false;
    const reader: MessageReader = new MessageReader((received) => {
      if ('method' in received) return isRequest(received) ? undefined : this.#peer.receive(received, id);
      const refused = reader.status >= 400;
      if (received.id !== id && !(received.id === null && refused)) return;
      answered = true;
      reader.settled();
      if (received.error && !isOurs(received, id)) this.#refused(reader.status, method);
      this.#peer.receive({ ...received, id });
    });
    const body = JSON.stringify(request);
    const { status } = await this.#client.send(this.#url, { method: 'POST', headers, body, signal }, reader);
    if (answered) return;
    this.#refused(status, method);
    throw noAnswer(status, method);
  }

  /**
   * Whatever answers there now may not speak like this: the next request finds out what it speaks. One that is busy or
   * broken still does, and one that will not be listened to is no worse for calls.
   */
  #refused(status: number, method: string): void {
    if (FOREIGN.has(status) && method !== 'subscriptions/listen') this.#onClose();
  }
}

/** Whether a server that still speaks like this can have said so with an HTTP error: who knows what it was asked has read it. */
function isOurs({ id, error }: RpcResponse, asked: Id): boolean {
  if (!error || isModernError(error)) return true;
  return (
    error.code === RPC.methodNotFound ||
    error.code === RPC.invalidParams ||
    (id === asked && error.code !== RPC.invalidRequest)
  );
}

/** Protocol errors between us and the server are no client's business. */
function said(error: unknown): unknown {
  if (!(error instanceof RpcFailure) || !isModernError(error.error)) return error;
  const { code, message } = error.error;
  if (code === MODERN_RPC.missingCapability) return error;
  return new SlipwayError('upstream-unavailable', `The server refused the request: ${message}`, { cause: error });
}

/**
 * The codec towards servers of MCP 2026-07-28, over whatever carries the messages: to its user it looks like any other
 * connection. Who asks is said with each request; a result that asks for more is answered by the client, by retrying.
 */
import { randomUUID } from 'node:crypto';
import { RPC, RpcFailure, type RpcNotification } from '../../schemas/jsonrpc.ts';
import { introduced, META, type Discovered } from '../../schemas/modern.ts';
import type { Client, Connection, RequestOptions } from '../../schemas/peer.ts';
import { NotDelivered, type LinkHandlers, type Welcome } from './link.ts';
import { Listening } from './listening.ts';

/** How often a server may ask for more before it answers. */
const MAX_ROUNDS = 100;

type Params = Record<string, unknown>;

export interface ModernOptions {
  readonly wire: Connection;
  readonly found: Discovered;
  /** For `clientInfo` where nobody else is asking. */
  readonly version: string;
  readonly handlers: LinkHandlers;
}

export class ModernConnection implements Connection {
  readonly keepsSession = false;
  readonly #wire: Connection;
  readonly #welcome: Welcome;
  readonly #us: unknown;
  readonly #handlers: LinkHandlers;
  readonly #listening: Listening;
  /** Requests whose answer is awaited, between two rounds too. */
  #running = 0;
  #retired = false;

  constructor({ wire, found, version, handlers }: ModernOptions) {
    this.#wire = wire;
    const { capabilities = {}, instructions } = found as Welcome;
    this.#welcome = { era: 'modern', capabilities, ...(instructions === undefined ? {} : { instructions }) };
    this.#us = { name: 'slipway', version };
    this.#handlers = handlers;
    this.#listening = new Listening({
      lists: capabilities,
      open: (notifications, signal) =>
        wire.request('subscriptions/listen', this.#introduce({ notifications }, undefined), { signal }),
      onMissed: () => handlers.onReopen(this.#welcome),
    });
  }

  get inFlight(): number {
    return this.#wire.inFlight;
  }

  async request(method: string, params: Params = {}, options: RequestOptions = {}): Promise<unknown> {
    switch (method) {
      case 'initialize':
        this.#listening.start();
        return this.#welcome;
      case 'ping':
      case 'logging/setLevel': // Each request says for itself what it wants to hear of.
        return {};
      case 'resources/subscribe':
        await this.#listening.add(String(params['uri']));
        return {};
      case 'resources/unsubscribe':
        this.#listening.remove(String(params['uri']));
        return {};
      default:
        return this.#run(method, params, options);
    }
  }

  /** There is nothing that such a server can only be notified of. */
  notify(): void {}

  /** Nothing new begins here: it hears of nothing any more at once, and ends with the last request that runs. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#listening.close();
    this.#handlers.onClose();
    if (this.#running === 0) this.#wire.close();
  }

  close(): void {
    this.#listening.close();
    this.#wire.close();
  }

  /** What the server says unasked. */
  heard({ method, params, ...rest }: RpcNotification, client: Client | undefined): void {
    const { [META.subscription]: subscription, ..._meta } = (params?.['_meta'] ?? {}) as Params;
    if (method === 'notifications/subscriptions/acknowledged')
      return this.#listening.granted(params?.['notifications']);
    const own = Object.keys(_meta).length > 0 ? { _meta } : {};
    const { _meta: _, ...others } = params ?? {};
    const notification =
      subscription === undefined || !params
        ? { ...rest, method, params }
        : { ...rest, method, params: { ...others, ...own } };
    this.#handlers.onNotification?.(notification as RpcNotification, client);
  }

  async #run(method: string, params: Params, options: RequestOptions): Promise<unknown> {
    this.#running++;
    try {
      return await this.#rounds(method, params, options);
    } finally {
      if (--this.#running === 0 && this.#retired) this.#wire.close();
    }
  }

  async #rounds(method: string, params: Params, options: RequestOptions): Promise<unknown> {
    const { client } = options;
    let retry = options.resume ?? (client?.takesInput ? client.retry : undefined);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const sent = this.#introduce(retry ? { ...params, ...retry } : params, client);
      const result = await this.#wire.request(method, sent, options).catch((error: unknown) => {
        if (error instanceof NotDelivered) error.resume = retry;
        throw error;
      });
      const { resultType = 'complete', ...complete } = (result ?? {}) as Params;
      if (resultType === 'complete') return complete;
      if (client?.takesInput) return result;
      if (resultType !== 'input_required' || !client) throw unreadable(resultType);
      const { inputRequests, requestState } = complete;
      const inputResponses = await askAll(client, inputRequests, options.signal);
      retry = { inputResponses, ...(requestState === undefined ? {} : { requestState }) };
    }
    throw new RpcFailure({ code: RPC.internalError, message: 'The server asks for more without end' });
  }

  #introduce(params: Params, client: Client | undefined): Params {
    const logs = this.#welcome.capabilities?.['logging'] !== undefined;
    return introduced(params, {
      clientInfo: client?.info ?? this.#us,
      capabilities: client?.capabilities ?? {},
      logLevel: logs ? client?.logLevel : undefined,
    });
  }
}

/** Asks the client everything at once, as its own revision asks. @throws RpcFailure as the client refused */
async function askAll(client: Client, asked: unknown, signal = new AbortController().signal): Promise<Params> {
  const questions = Object.entries((asked ?? {}) as Record<string, { method?: unknown; params?: Params } | null>);
  const answers = questions.map(async ([key, question]) => {
    const { method, params = {} } = question ?? {};
    const request = { jsonrpc: '2.0' as const, id: key, method: String(method), params: inOldWords(params) };
    return [key, await client.request(request, { signal, progress: () => {} })] as const;
  });
  return Object.fromEntries(await Promise.all(answers));
}

/** A visit to a web page had a name of its own before. */
function inOldWords(params: Params): Params {
  return params['mode'] === 'url' ? { elicitationId: randomUUID(), ...params } : params;
}

function unreadable(resultType: unknown): RpcFailure {
  const message = `The server answered with a result (${String(resultType)}) that nobody here can take`;
  return new RpcFailure({ code: RPC.internalError, message });
}

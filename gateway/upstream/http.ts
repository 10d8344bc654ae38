/** An upstream over Streamable HTTP (MCP 2025-03-26 and later). */
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { isRequest, RPC, RpcFailure, type RpcError, type RpcMessage, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { Peer, type Connection, type RequestOptions } from '../../schemas/peer.ts';
import type { Capabilities } from './known.ts';
import type { LinkHandlers, Welcome } from './link.ts';
import { HttpClient, readMessages } from './post.ts';

/** Pauses between two attempts to listen (ms), and how long saying goodbye may take. */
const LISTEN_PAUSE = 1_000;
const LISTEN_PAUSE_MAX = 30_000;
const GOODBYE_TIMEOUT = 1_000;
/** How long an upstream may take to take us up again (ms). */
const REOPEN_TIMEOUT = 30_000;

/**
 * A Peer does the conversation (ids, progress, cancellation); each message it sends is a POST, whose answers it receives.
 * What goes out carries our own session and nothing of the client's: its bearer token never reaches an upstream.
 */
export class HttpConnection implements Connection {
  readonly #url: URL;
  readonly #client: HttpClient;
  readonly #peer: Peer;
  readonly #closed = new AbortController();
  /** What a failed POST really was, by the error that stands for it in the conversation. */
  readonly #causes = new WeakMap<RpcError, SlipwayError>();
  #signal: AbortSignal | undefined;
  #hello: Record<string, unknown> | undefined;
  #session: string | undefined;
  #version: string | undefined;
  #reopening: Promise<void> | undefined;
  readonly #onReopen: LinkHandlers['onReopen'];

  constructor(url: URL, handlers: LinkHandlers) {
    this.#url = url;
    this.#onReopen = handlers.onReopen;
    this.#client = new HttpClient(url);
    this.#peer = new Peer({ ...handlers, send: (message) => void this.#send(message) });
  }

  get inFlight(): number {
    return this.#peer.inFlight;
  }

  get keepsSession(): boolean {
    return this.#session !== undefined;
  }

  async request(method: string, params?: Record<string, unknown>, options: RequestOptions = {}): Promise<unknown> {
    if (method === 'initialize') this.#hello = params ?? {};
    this.#signal = options.signal;
    try {
      const answer = this.#peer.request(method, params, options);
      this.#signal = undefined;
      const result = await answer;
      if (method === 'initialize') this.#welcomed(result);
      return result;
    } catch (error) {
      throw error instanceof RpcFailure ? (this.#causes.get(error.error) ?? error) : error;
    }
  }

  notify(method: string, params?: Record<string, unknown>): void {
    this.#peer.notify(method, params);
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#peer.close(new SlipwayError('upstream-unavailable', 'The connection was closed.'));
    this.#closed.abort();
    const goodbye =
      this.#session === undefined
        ? Promise.resolve()
        : this.#client
            .send(this.#url, {
              method: 'DELETE',
              headers: this.#headers(),
              signal: AbortSignal.timeout(GOODBYE_TIMEOUT),
            })
            .then(
              (answer) => void answer.resume(),
              () => {},
            );
    void goodbye.finally(() => this.#client.close());
  }

  #welcomed(result: unknown): void {
    const { protocolVersion, capabilities } = (result ?? {}) as {
      protocolVersion?: unknown;
      capabilities?: Capabilities;
    };
    if (typeof protocolVersion === 'string') this.#version = protocolVersion;
    const speaks = Object.values(capabilities ?? {}).some((can) => can?.['listChanged'] || can?.['subscribe']);
    if ((speaks || capabilities?.['logging']) && !this.#reopening) void this.#listen();
  }

  #headers(): Record<string, string> {
    return {
      Accept: 'application/json, text/event-stream',
      ...(this.#session === undefined ? {} : { 'Mcp-Session-Id': this.#session }),
      ...(this.#version === undefined ? {} : { 'MCP-Protocol-Version': this.#version }),
    };
  }

  /** Never throws: a request whose POST failed is answered with that failure. */
  async #send(message: RpcMessage): Promise<void> {
    const signal = this.#signal;
    this.#signal = undefined;
    try {
      await this.#post(message, signal);
    } catch (error) {
      if (!isRequest(message) || signal?.aborted) return;
      const failure = toSlipwayError(error, 'upstream-unavailable');
      const stand: RpcError = { code: RPC.upstream, message: failure.message };
      this.#causes.set(stand, failure);
      this.#peer.receive({ jsonrpc: '2.0', id: message.id, error: stand });
    }
  }

  async #post(message: RpcMessage, signal: AbortSignal | undefined, again = false): Promise<void> {
    const session = this.#session;
    const body = JSON.stringify(message);
    const headers = {
      ...this.#headers(),
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    };
    const answer = await this.#client.send(this.#url, { method: 'POST', headers, body, signal });
    if (answer.statusCode === 404 && session !== undefined && !again && !isHello(message)) {
      answer.resume();
      await this.#reopen(session);
      return this.#post(message, signal, true);
    }
    if (isHello(message)) this.#session = sessionOf(answer);
    if (isRequest(message)) await this.#readAnswer(answer, message);
    else answer.resume();
  }

  async #readAnswer(answer: IncomingMessage, request: RpcRequest): Promise<void> {
    const status = answer.statusCode ?? 0;
    let answered = false;
    await readMessages(answer, (received) => {
      if ('method' in received) return this.#peer.receive(received, request.id);
      // A server that could not even read the id answers `null`; over HTTP it is clear what it means.
      const own = received.id === request.id || (received.id === null && status >= 400);
      if (!own) return;
      answered = true;
      this.#peer.receive({ ...received, id: request.id });
    });
    if (answered) return;
    throw new SlipwayError(
      'upstream-unavailable',
      status >= 300 ? `The server answered HTTP ${status}.` : `The server did not answer ${request.method}.`,
    );
  }

  /** The upstream forgot our session (it restarted): one of the callers opens a new one, the others wait for it. */
  #reopen(forgotten: string): Promise<void> {
    if (this.#session !== forgotten && !this.#reopening) return Promise.resolve();
    this.#reopening ??= (async () => {
      this.#session = undefined;
      this.#version = undefined;
      const signal = AbortSignal.timeout(REOPEN_TIMEOUT);
      const welcome = (await this.request('initialize', this.#hello, { signal })) as Welcome | undefined;
      this.notify('notifications/initialized');
      this.#onReopen(welcome ?? {});
    })().finally(() => (this.#reopening = undefined));
    return this.#reopening;
  }

  /** Holds the GET stream open, on which a server says what belongs to no request: that its tools changed, say. */
  async #listen(): Promise<void> {
    const { signal } = this.#closed;
    for (let pause = LISTEN_PAUSE; !signal.aborted; pause = Math.min(pause * 2, LISTEN_PAUSE_MAX)) {
      try {
        const answer = await this.#client.send(this.#url, { method: 'GET', headers: this.#headers(), signal });
        if (answer.statusCode === 405) return void answer.resume();
        if (answer.statusCode === 200) pause = LISTEN_PAUSE;
        await readMessages(answer, (message) => this.#peer.receive(message));
      } catch {
        // Listening is a courtesy: calls notice by themselves when the server is gone.
      }
      await sleep(pause * (0.5 + Math.random()), undefined, { signal, ref: false }).catch(() => {});
    }
  }
}

const isHello = (message: RpcMessage): boolean => isRequest(message) && message.method === 'initialize';

function sessionOf(answer: IncomingMessage): string | undefined {
  const { 'mcp-session-id': session } = answer.headers;
  return typeof session === 'string' ? session : undefined;
}

/**
 * An MCP server on stdio that is a route of a gateway elsewhere: what the client writes goes there as it is, in the client's
 * own revision of MCP, and what comes back is written. It survives restarts of the gateway.
 */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import { asMessage, isNotification, isRequest, RPC, type Id, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { META, MODERN_VERSION } from '../../schemas/modern.ts';
import { LegacyRoute } from './legacy.ts';
import { ModernRoute } from './modern.ts';
import type { Way, Wire } from './wire.ts';

export interface BridgeOptions {
  readonly wire: Wire;
  /** Takes one message as one line of JSON. */
  readonly write: (line: string) => void;
  /** Takes what is for people. */
  readonly warn: (text: string) => void;
}

export class Bridge implements AsyncDisposable {
  readonly #closed = new AbortController();
  readonly #write: BridgeOptions['write'];
  readonly #warn: BridgeOptions['warn'];
  readonly #legacy: LegacyRoute;
  readonly #modern: ModernRoute;
  readonly #running = new Set<Promise<void>>();

  constructor({ wire, write, warn }: BridgeOptions) {
    const tell = (message: RpcMessage): void => write(JSON.stringify(message));
    const way: Way = { wire, tell, warn, closed: this.#closed.signal };
    this.#write = write;
    this.#warn = warn;
    this.#legacy = new LegacyRoute(way);
    this.#modern = new ModernRoute(way);
  }

  /** One line of the client. Never throws. */
  receive(line: string): void {
    const message = this.#read(line);
    if (!message) return;
    const sent = this.#forward(message).finally(() => this.#running.delete(sent));
    // Listening has no end that could be waited for.
    if (!isRequest(message) || message.method !== 'subscriptions/listen') this.#running.add(sent);
  }

  /** The client has said all it wanted to say: what it asked is still answered. */
  async finish(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new SlipwayError('cancelled'));
    await this.#legacy.end();
    await this.finish();
  }

  #read(line: string): RpcMessage | undefined {
    let value: unknown;
    try {
      value = parseExact(line);
    } catch {
      return this.#refuse(RPC.parseError, 'Parse error: the line is not JSON.');
    }
    return asMessage(value) ?? this.#refuse(RPC.invalidRequest, 'Invalid request: one JSON-RPC message a line.');
  }

  #refuse(code: number, message: string): undefined {
    this.#write(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }));
  }

  async #forward(message: RpcMessage): Promise<void> {
    try {
      if (isModern(message) || this.#modern.isAbout(message)) await this.#modern.send(message);
      else await this.#legacy.send(message);
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      const known = toSlipwayError(error);
      const text = `${known.message} ${known.hint}`;
      if (isRequest(message)) this.#write(failure(message.id, text));
      else this.#warn(`${isNotification(message) ? message.method : 'an answer'} was lost: ${text}`);
    }
  }
}

function failure(id: Id, message: string): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: RPC.upstream, message } });
}

/** Each request of the modern era says of itself what it is. */
function isModern(message: RpcMessage): boolean {
  const { _meta } = (('params' in message ? message.params : undefined) ?? {}) as { _meta?: Record<string, unknown> };
  return _meta?.[META.version] === MODERN_VERSION;
}

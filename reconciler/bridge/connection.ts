/** One user's end of an instance that many share. */
import { SlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure, type RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Asked, Connection, ConnectionHandlers, RequestOptions } from '../../schemas/peer.ts';
import type { StdioInstance } from './instance.ts';

export class BridgeConnection implements Connection {
  readonly #instance: StdioInstance;
  readonly #onClose: () => void;
  readonly #open = new AbortController();
  readonly handlers: ConnectionHandlers;
  /** Its user only looks: see `ConnectOptions`. */
  readonly passive: boolean;
  inFlight = 0;

  constructor(instance: StdioInstance, handlers: ConnectionHandlers, passive: boolean, onClose: () => void) {
    this.#instance = instance;
    this.handlers = handlers;
    this.passive = passive;
    this.#onClose = onClose;
  }

  request(method: string, params?: Record<string, unknown>, options: RequestOptions = {}): Promise<unknown> {
    if (this.#open.signal.aborted) return Promise.reject(new SlipwayError('cancelled', 'The connection was closed.'));
    return this.#instance.request(this, method, params, options);
  }

  notify(method: string, params?: Record<string, unknown>): void {
    this.#instance.notify(method, params);
  }

  close(): void {
    this.#open.abort();
    this.#onClose();
  }
}

/** Another process may have other tools, prompts and resources, whether or not it is one that tells of changes. */
export function tellOfRestart(connections: ReadonlySet<BridgeConnection>): void {
  for (const { handlers } of connections)
    for (const list of ['tools', 'prompts', 'resources'])
      handlers.onNotification?.({ jsonrpc: '2.0', method: `notifications/${list}/list_changed` });
}

/** What becomes of what a server asks and says, as long as these are connected. */
export function handlersFor(connections: ReadonlySet<BridgeConnection>): ConnectionHandlers {
  return {
    onRequest: (request, asked) => ask(connections, request, asked),
    onNotification: (notification) =>
      connections.forEach((connection) => connection.handlers.onNotification?.(notification)),
  };
}

/** On a shared session a server's question goes to the one whose call is running, or the only one that there is; never to a guess. */
async function ask(connections: ReadonlySet<BridgeConnection>, request: RpcRequest, asked: Asked): Promise<unknown> {
  const busy = [...connections].filter((connection) => connection.inFlight > 0);
  const likely = busy.length > 0 ? busy : [...connections];
  const answer = likely.length === 1 ? likely[0]?.handlers.onRequest : undefined;
  if (!answer)
    throw new RpcFailure({ code: RPC.methodNotFound, message: `No client can answer ${request.method} here` });
  return answer(request, asked);
}

/** What clients asked a server to remember. A server that starts again has forgotten it, and is asked again. */
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Peer, RequestOptions } from '../../schemas/peer.ts';

type Params = Record<string, unknown> | undefined;

/** A client that waits for news (`subscriptions/listen`), whichever run of the server they come from. */
interface Listener {
  readonly params: Params;
  begin(peer: Peer): void;
}

export class Requests {
  readonly #uris = new Set<unknown>();
  readonly #listeners = new Set<Listener>();
  #level: Params;

  /** Whether somebody waits for news of a resource. */
  get subscribed(): boolean {
    return this.#uris.size > 0 || [...this.#listeners].some(({ params }) => watches(params));
  }

  /** Notes a request that the server has granted. */
  note(method: string, params: Params): void {
    if (method === 'resources/subscribe') this.#uris.add(params?.['uri']);
    else if (method === 'resources/unsubscribe') this.#uris.delete(params?.['uri']);
    else if (method === 'logging/setLevel') this.#level = params;
  }

  /**
   * Listens for a client for as long as it wants, over all restarts of the server. What is said there is for it alone.
   * @param peer the run that there is now, if there is one
   * @returns the server's answer, when it ends this by itself
   * @throws RpcFailure as the server refused
   */
  async listen(params: Params, options: RequestOptions, peer: Peer | undefined): Promise<unknown> {
    const { signal } = options;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const listener: Listener = {
      params,
      begin: (run) =>
        // The end of a run is no end of the wish.
        void run.request('subscriptions/listen', params, options).then(resolve, (error: unknown) => {
          if (error instanceof RpcFailure || signal?.aborted) reject(error);
        }),
    };
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#listeners.add(listener);
    if (peer) listener.begin(peer);
    try {
      return await promise;
    } finally {
      this.#listeners.delete(listener);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Asks again. What the server refuses now, it refuses: nobody waits for the answer. */
  repeat(peer: Peer): void {
    if (this.#level) void peer.request('logging/setLevel', this.#level).catch(() => {});
    for (const uri of this.#uris) void peer.request('resources/subscribe', { uri }).catch(() => {});
    for (const listener of this.#listeners) listener.begin(peer);
  }
}

/** Whether it waits for news of a resource, which only a server that is awake can have. */
export function watches(params: Params): boolean {
  const { resourceSubscriptions } = (params?.['notifications'] ?? {}) as { resourceSubscriptions?: unknown };
  return Array.isArray(resourceSubscriptions) && resourceSubscriptions.length > 0;
}

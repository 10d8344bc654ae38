/** What clients asked a server to remember. A server that starts again has forgotten it, and is asked again. */
import type { Peer } from '../../schemas/peer.ts';

export class Requests {
  readonly #uris = new Set<unknown>();
  #level: Record<string, unknown> | undefined;

  /** Whether somebody waits for news of a resource. */
  get subscribed(): boolean {
    return this.#uris.size > 0;
  }

  /** Notes a request that the server has granted. */
  note(method: string, params: Record<string, unknown> | undefined): void {
    if (method === 'resources/subscribe') this.#uris.add(params?.['uri']);
    else if (method === 'resources/unsubscribe') this.#uris.delete(params?.['uri']);
    else if (method === 'logging/setLevel') this.#level = params;
  }

  /** Asks again. What the server refuses now, it refuses: nobody waits for the answer. */
  repeat(peer: Peer): void {
    if (this.#level) void peer.request('logging/setLevel', this.#level).catch(() => {});
    for (const uri of this.#uris) void peer.request('resources/subscribe', { uri }).catch(() => {});
  }
}

/** What servers say unasked, and who gets to hear it. */
import type { RpcNotification } from '../schemas/jsonrpc.ts';
import type { Client } from '../schemas/peer.ts';
import type { State } from './exchange.ts';
import type { Audience } from './upstream/link.ts';
import { LISTS } from './upstream/lists.ts';
import { ownerOf } from './upstream/own.ts';

/** How long notices of changed lists are gathered: an update of many servers is one change to a client (ms). */
const GATHER = 20;

const ELICITATION_DONE = 'notifications/elicitation/complete';
const LIST_NOTICES: ReadonlySet<string> = new Set(Object.values(LISTS).map(({ changed }) => changed));

export class Unasked {
  readonly #state: State;
  readonly #changed = new Set<string>();

  constructor(state: State) {
    this.#state = state;
  }

  /** A list became another one: those who listen on a route with the server are told, once for many changes. */
  changed(server: string, method: string): void {
    if (this.#changed.size === 0) setTimeout(() => this.#tell(), GATHER).unref();
    for (const path of this.#pathsOf(server)) this.#changed.add(JSON.stringify([path, method]));
  }

  /**
   * Cross-client leak: what a shared server says while it works for one client is for that one. Said while it works for
   * several, it may be about any of them, and nobody hears it. A changed list is no secret: {@link changed}.
   */
  said(server: string, notification: RpcNotification, { client, busy, owner }: Audience): void {
    const { method, params } = notification;
    if (LIST_NOTICES.has(method)) return;
    if (method === 'notifications/resources/updated') return this.#updated(server, notification, client, owner);
    if (method === ELICITATION_DONE) return this.#done(server, notification, client);
    if (client) return client.notify(notification);
    if (method !== 'notifications/message' || busy) return;
    const { levels, streams } = this.#state;
    const mayHear = (sessionId: string): boolean => owner === undefined || owner === ownerOf(sessionId);
    for (const path of this.#pathsOf(server))
      streams.notify(path, notification, (id) => mayHear(id) && levels.wants(id, params?.['level']));
  }

  /** Only to those who subscribed, and only on routes that still lead to the server. */
  #updated(server: string, notification: RpcNotification, caller: Client | undefined, owner: string | undefined): void {
    const { subscriptions, streams } = this.#state;
    const all = subscriptions.of(server, String(notification.params?.['uri']));
    const wanted = new Set(all.filter((sessionId) => owner === undefined || owner === ownerOf(sessionId)));
    for (const path of this.#pathsOf(server))
      streams.notify(path, notification, (sessionId) => wanted.delete(sessionId));
    // One that does not listen can still be told if it is calling just now.
    if (caller && wanted.has(caller.id)) caller.notify(notification);
  }

  /** To whom the elicitation was for, whoever is calling now. */
  #done(server: string, notification: RpcNotification, caller: Client | undefined): void {
    const { elicitations, streams } = this.#state;
    const session = elicitations.take(server, notification.params?.['elicitationId']);
    if (session === undefined) return;
    if (caller?.id === session) return caller.notify(notification);
    for (const path of this.#pathsOf(server)) streams.notify(path, notification, (sessionId) => sessionId === session);
  }

  #tell(): void {
    const changed = [...this.#changed].map((entry) => JSON.parse(entry) as [string, string]);
    this.#changed.clear();
    for (const [path, method] of changed) this.#state.streams.notify(path, { jsonrpc: '2.0', method });
  }

  #pathsOf(server: string): string[] {
    const { routes } = this.#state.current;
    return [...routes.values()].flatMap(({ path, servers }) =>
      servers.some(({ name }) => name === server) ? [path] : [],
    );
  }
}

/** What servers say unasked, and who gets to hear it. */
import type { RpcNotification } from '../schemas/jsonrpc.ts';
import type { Client } from '../schemas/peer.ts';
import type { State } from './exchange.ts';
import type { Stream } from './sessions/streams.ts';
import { renamed, TASK_STATUS } from '../schemas/tasks.ts';
import { streamClient } from './sessions/stream-client.ts';
import type { TaskRef } from './sessions/tasks.ts';
import { viewOf } from './steps/authorize.ts';
import type { Audience } from './upstream/link.ts';
import { LISTS } from './upstream/lists.ts';
import { holderOf } from './upstream/isolated.ts';

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
  changed(server: string, method: string, principal?: string): void {
    if (this.#changed.size === 0) setTimeout(() => this.#tell(), GATHER).unref();
    this.#changed.add(JSON.stringify([server, method, principal]));
  }

  /**
   * Cross-client leak: what a shared server says while it works for one client is for that one. Said while it works for
   * several, it may be about any of them, and nobody hears it; just after a call, for whoever had it. A changed list is no secret: {@link changed}.
   */
  said(server: string, notification: RpcNotification, audience: Audience): void {
    const { client, busy, after, holder, principal } = audience;
    const { method, params } = notification;
    const isList = LIST_NOTICES.has(method);
    const isUpdate = method === 'notifications/resources/updated';
    if (isList || isUpdate) this.#state.results.void(server);
    if (isList) return;
    if (isUpdate) return this.#updated(server, notification, audience);
    if (method === ELICITATION_DONE) return this.#done(server, notification, client);
    if (method === TASK_STATUS) return this.#task({ server, instance: audience.instance }, notification);
    if (client) return client.notify(notification);
    if (method !== 'notifications/message' || busy) return;
    const { levels } = this.#state;
    const mayHear = ({ sessionId: id, identity }: Stream): boolean =>
      (holder === undefined || holder === holderOf(id)) && (after === undefined || after === identity.key);
    const wanted = (stream: Stream): boolean => mayHear(stream) && levels.wants(stream.sessionId, params?.['level']);
    this.#notify(server, notification, wanted, principal);
  }

  /** Only to those who subscribed, and only on routes that still lead to the server. */
  #updated(server: string, notification: RpcNotification, { client: caller, holder, principal }: Audience): void {
    const { subscriptions } = this.#state;
    const all = subscriptions.hearing(server, String(notification.params?.['uri']));
    const wanted = new Set(all.filter((sessionId) => holder === undefined || holder === holderOf(sessionId)));
    this.#notify(server, notification, ({ sessionId }) => wanted.delete(sessionId), principal);
    // One that does not listen can still be told if it is calling just now.
    if (caller && wanted.has(caller.id)) caller.notify(notification);
  }

  /** To who began the task, under the id that it knows; on none but its own session's stream. */
  #task(at: Omit<TaskRef, 'id'>, { params = {}, ...rest }: RpcNotification): void {
    const { tasks } = this.#state;
    const owner = tasks.of({ ...at, id: String(params['taskId']) });
    if (!owner) return;
    const nameOf = (id: string): string => tasks.nameFor({ key: owner.principal }, { ...at, id });
    const notification = { ...rest, params: renamed(params, nameOf) };
    this.#notify(at.server, notification, ({ sessionId }) => sessionId === owner.client);
  }

  /** A person has given the consent that a call of a client asked for. */
  consented(server: string, elicitationId: string): void {
    this.#done(server, { jsonrpc: '2.0', method: ELICITATION_DONE, params: { elicitationId } }, undefined);
  }

  /** A client that has an instance for itself, as it can be asked between its calls; `undefined` where it does not listen, or may not use the server. */
  listener(at: Omit<TaskRef, 'id'>, sessionId: string): Client | undefined {
    const { current, streams } = this.#state;
    const stream = streams.of(sessionId);
    if (!stream?.writer.attached) return undefined;
    const isOpen = viewOf(current, stream)?.servers.some(({ name }) => name === at.server);
    return isOpen ? streamClient(this.#state, stream, at) : undefined;
  }

  /** To whom the elicitation was for, whoever is calling now. */
  #done(server: string, notification: RpcNotification, caller: Client | undefined): void {
    const { elicitations } = this.#state;
    const session = elicitations.take(server, notification.params?.['elicitationId']);
    if (session === undefined) return;
    if (caller?.id === session) return caller.notify(notification);
    this.#notify(server, notification, ({ sessionId }) => sessionId === session);
  }

  #tell(): void {
    const byMethod = Map.groupBy(
      [...this.#changed].map((entry) => JSON.parse(entry) as [string, string, string | null]),
      ([, method]) => method,
    );
    this.#changed.clear();
    for (const [method, pairs] of byMethod) {
      const told = new Set<Stream>();
      for (const [server, , principal] of pairs)
        this.#notify(
          server,
          { jsonrpc: '2.0', method },
          (stream) => !told.has(stream) && told.add(stream) !== undefined,
          principal ?? undefined,
        );
    }
  }

  /**
   * Cross-client leak: only to those who may use the server, on a route that leads to it.
   * @param principal whom alone it can be for, where everybody has the server to themselves
   */
  #notify(
    server: string,
    notification: RpcNotification,
    wanted: (stream: Stream) => boolean,
    principal?: string,
  ): void {
    const { current, streams } = this.#state;
    const isTools = notification.method === LISTS.tools.changed;
    const sees = (stream: Stream): boolean => {
      if (principal !== undefined && stream.identity.key !== principal) return false;
      const view = viewOf(current, stream);
      // Who is shown other tools instead is not told that these changed.
      if (!view || (isTools && view.discovery)) return false;
      return view.servers.some(({ name }) => name === server);
    };
    for (const { path, servers } of current.routes.values())
      if (servers.some(({ name }) => name === server))
        streams.notify(path, notification, (stream) => sees(stream) && wanted(stream));
  }
}

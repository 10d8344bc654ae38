/** Keeps connections and what is known over snapshot swaps: what did not change is not opened or asked for again. */
import type { Era } from '../../schemas/modern.ts';
import type { Endpoint, ServerEntry, Snapshot, Tally, Tool } from '../../schemas/snapshot.ts';
import { TASK_STATUS } from '../../schemas/tasks.ts';
import type { UpstreamStatus } from '../../schemas/status.ts';
import { isGone, namedIn } from '../auth/identity.ts';
import { isPersonal, type Door } from './auth/authorizer.ts';
import { Connections } from './connections.ts';
import { Known, Wishes, type Heard } from './known.ts';
import type { Open } from './link.ts';
import { LIST_NAMES, LISTS } from './lists.ts';
import { IsolatedUpstreams, type Holder } from './isolated.ts';
import { partOf, partsOf, Personal, reopen } from './personal.ts';
import type { PoolOptions } from './pool-options.ts';
import { Server } from './server.ts';
import { settled } from './settled.ts';
import { Upstream } from './upstream.ts';

export class Pool {
  readonly #options: PoolOptions;
  readonly #connections = new Connections();
  readonly #wishes = new Map<string, Wishes>();
  /** What is known where everybody has lists of their own. */
  readonly #knownTo = new Map<string, Known>();
  #servers: ReadonlyMap<string, Server> = new Map();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** The servers of a snapshot, on connections that stand already where their endpoints are the same. */
  servers(snapshot: Snapshot): ReadonlyMap<string, Server> {
    const { listTimeoutMs } = snapshot.gateway;
    const made = Object.entries(snapshot.servers).map(([name, entry]) => this.#server(name, entry, listTimeoutMs));
    const named = namedIn(snapshot);
    // Who has connections keeps them, but for whom the config does not name any more.
    for (const { name, personal } of made)
      for (const each of this.#servers.get(name)?.personal?.principals ?? [])
        if (!isGone(each, named)) personal?.of(each);
    return new Map(made.map((server) => [server.name, server]));
  }

  server(name: string): Server | undefined {
    return this.#servers.get(name);
  }

  /** From now on, what upstreams say of themselves is told to these. */
  adopt(servers: ReadonlyMap<string, Server>): void {
    this.#servers = servers;
    for (const key of this.#wishes.keys()) if (!servers.has(nameIn(key))) this.#wishes.delete(key);
    // A new instance must know at once what clients wait for: no call may ever come to connect it.
    for (const server of servers.values()) {
      const { upstreams, wishes, isolated, known, entry } = server;
      for (const list of LIST_NAMES)
        if (known.lists[list].doubtful && !(list === 'tools' && entry.pinned)) void server.refresh(list);
      isolated?.prepare();
      if (wishes.uris.size > 0) for (const upstream of upstreams) upstream.connect().catch(() => {});
    }
  }

  /** Closes the connections that none of `living` uses. */
  prune(living: readonly ReadonlyMap<string, Server>[]): void {
    const servers = living.flatMap((each) => [...each.values()].flatMap((server) => [server, ...partsOf(server)]));
    this.#connections.keep(servers);
    const known = new Set(servers.map((server) => server.known));
    for (const [key, each] of this.#knownTo) if (!known.has(each)) this.#knownTo.delete(key);
  }

  close(): void {
    this.#connections.close();
  }

  /** There are new credentials for a server. @param principal whose, where everybody has their own */
  reauthorized(name: string, principal: string | undefined): void {
    const part = this.#part(name, principal);
    if (part) reopen(part);
  }

  /** A session has ended: what was its own goes with it. */
  endSession(id: string): void {
    this.#connections.endSession(id);
  }

  busy(endpointId: string): number {
    return this.#connections.to([endpointId]).reduce((sum, upstream) => sum + upstream.busy, 0);
  }

  status(server: string): UpstreamStatus[] {
    const whole = this.#servers.get(server);
    const all = whole ? [whole, ...partsOf(whole)] : [];
    return all.flatMap(({ upstreams, isolated }) => [
      ...upstreams.map((upstream) => upstream.status),
      ...(isolated?.status ?? []),
    ]);
  }

  /** What a server lists, as far as anybody asked. Of one that each principal has for itself, what the first has. */
  tools(server: string): readonly Tool[] | undefined {
    const whole = this.#servers.get(server);
    const states = whole ? [whole, ...partsOf(whole)].map((part) => part.state('tools')?.items) : [];
    return states.find((items) => items !== undefined) as readonly Tool[] | undefined;
  }

  /** The same, asked anew. */
  async relist(server: string): Promise<readonly Tool[] | undefined> {
    const whole = this.#servers.get(server);
    await Promise.all((whole ? [whole, ...partsOf(whole)] : []).map((part) => part.refresh('tools')));
    return this.tools(server);
  }

  /** What a server speaks, as far as anybody has met it. */
  era(server: string): Era | undefined {
    const whole = this.#servers.get(server);
    return whole && [whole, ...partsOf(whole)].find(({ era }) => era !== undefined)?.era;
  }

  /** Resolves when no request runs on any of these endpoints, and no task. */
  async idle(endpointIds: readonly string[]): Promise<void> {
    await Promise.all(this.#connections.to(endpointIds).map(settled));
  }

  tally(endpointId: string): Tally {
    const sum = { calls: 0, errors: 0 };
    for (const { tally } of this.#connections.to([endpointId])) {
      sum.calls += tally.calls;
      sum.errors += tally.errors;
    }
    return sum;
  }

  /** @param principal whose part it is, where everybody has their own */
  #server(name: string, entry: ServerEntry, listTimeoutMs: number | undefined, principal?: string): Server {
    const personal =
      principal === undefined && isPersonal(entry.auth)
        ? new Personal({
            make: (each) => this.#server(name, entry, listTimeoutMs, each),
            onDropped: (server) => this.#drop(server),
          })
        : undefined;
    const upstreams = personal ? [] : entry.endpoints.map((each) => this.#upstream(name, each, entry, principal));
    const isolated = personal ? undefined : this.#apart(name, entry, principal);
    const known = principal === undefined ? this.#known(name, entry) : this.#knownOf(name, entry, principal);
    const key = principal === undefined ? name : JSON.stringify([name, principal]);
    let wishes = this.#wishes.get(key);
    // What one of many principals wants is no matter of the others' connections, nor of an instance that is one client's.
    const areShared = principal === undefined && !entry.isolated;
    if (!wishes) this.#wishes.set(key, (wishes = new Wishes(areShared ? this.#options.wishesOf(name) : undefined)));
    const latest = (): Server | undefined => {
      const server = this.#servers.get(name);
      return server && principal !== undefined ? partOf(server, principal) : server;
    };
    const at: Server['at'] = (instance, holder) => this.#connections.at({ instance, principal, holder });
    return new Server({ name, entry, upstreams, isolated, personal, known, wishes, listTimeoutMs, latest, at });
  }

  #known(name: string, entry: ServerEntry): Known {
    const before = this.#servers.get(name);
    const keep =
      before &&
      sameText(
        [before.entry.tools, before.entry.endpoints, before.entry.capabilities, before.entry.auth],
        [entry.tools, entry.endpoints, entry.capabilities, entry.auth],
      );
    if (keep) return before.known;
    return new Known(entry, this.#heardOf(name), before?.known);
  }

  #heardOf(name: string, principal?: string): Heard {
    const { hearers, onListed } = this.#options;
    return {
      changed: (list) => hearers().changed(name, LISTS[list].changed, principal),
      listed: (list) => list === 'tools' && onListed(),
    };
  }

  /** Cross-principal leak: what one may see is no matter of another's. */
  #knownOf(name: string, entry: ServerEntry, principal: string): Known {
    const key = JSON.stringify([name, principal, entry.endpoints, entry.auth]);
    let known = this.#knownTo.get(key);
    if (!known) {
      known = new Known(entry, this.#heardOf(name, principal));
      this.#knownTo.set(key, known);
    }
    return known;
  }

  /** A principal has not come for long. What it had is opened again when it does. */
  #drop(server: Server): void {
    this.#connections.drop(server);
    for (const [key, known] of this.#knownTo) if (known === server.known) this.#knownTo.delete(key);
  }

  /** The server as one principal has it, or as all have. */
  #part(server: string, principal: string | undefined): Server | undefined {
    const whole = this.#servers.get(server);
    return principal === undefined ? whole : (whole?.personal?.known(principal) ?? whole?.personal?.of(principal));
  }

  /** The server that an upstream serves now; `undefined` for one that is of an older snapshot. */
  #serving(server: string, upstream: Upstream): Server | undefined {
    const part = this.#part(server, upstream.principal);
    return part?.upstreams.includes(upstream) ? part : undefined;
  }

  #apart(
    server: string,
    { endpoints, isolated, auth }: ServerEntry,
    principal?: string,
  ): IsolatedUpstreams | undefined {
    if (!isolated || endpoints.length === 0) return undefined;
    const key = JSON.stringify([server, endpoints, isolated, auth, principal]);
    let turn = 0;
    const make = (holder: Holder): Upstream => {
      const endpoint = endpoints[turn++ % endpoints.length] as Endpoint;
      const upstream: Upstream = new Upstream({
        server,
        endpoint,
        open: this.#opener({ server, endpoint, auth, principal }, true),
        version: this.#options.version,
        principal,
        taskOwner: (id) => this.#options.taskOwner({ server, instance: upstream.instance, id }),
        owner: (instance) =>
          holder.client === undefined
            ? undefined
            : this.#options.hearers().listener({ server, instance }, holder.client),
        onOpen: (welcome) => {
          const part = this.#part(server, principal);
          if (part?.isolated?.all.includes(upstream)) part.openedIsolated(upstream, holder.client, welcome);
        },
        // What it says before it has a client is for nobody.
        onNotification: (notification, audience) => {
          this.#part(server, principal)?.heard(notification, upstream, false);
          if (holder.client === undefined) return;
          this.#options.hearers().said(server, notification, { ...audience, holder: holder.client, principal });
        },
      });
      return upstream;
    };
    const { maxInstances: max, warm = 0, idleMs } = isolated;
    return this.#connections.isolated(key, () => new IsolatedUpstreams({ server, max, warm, idleMs, make }));
  }

  #opener({ auth, ...door }: Omit<Door, 'auth'> & Pick<ServerEntry, 'auth'>, isolated = false): Open {
    const authorization = auth && this.#options.authorize({ ...door, auth });
    if (!authorization && !isolated) return this.#options.open;
    return (endpoint, handlers) => this.#options.open(endpoint, handlers, { isolated, authorization });
  }

  #upstream(server: string, endpoint: Endpoint, { auth }: ServerEntry, principal?: string): Upstream {
    const { transport, address, publicOnly } = endpoint;
    const key = JSON.stringify([server, endpoint.id, transport, address, publicOnly, auth, principal]);
    return this.#connections.shared(key, () => {
      const upstream: Upstream = new Upstream({
        server,
        endpoint,
        open: this.#opener({ server, endpoint, auth, principal }),
        version: this.#options.version,
        principal,
        taskOwner: (id) => this.#options.taskOwner({ server, instance: upstream.instance, id }),
        isAwaited: () => this.#part(server, principal)?.interest.isAwaited === true,
        // What stays for a task is no part of what is served any more.
        onOpen: (welcome) => this.#serving(server, upstream)?.opened(upstream, welcome),
        onNotification: (notification, audience) => {
          const part = this.#serving(server, upstream);
          part?.heard(notification, upstream);
          if (part || audience.client || notification.method === TASK_STATUS)
            this.#options.hearers().said(server, notification, { ...audience, principal });
        },
      });
      return upstream;
    });
  }
}

/** The server's, in what wishes are kept by. */
function nameIn(key: string): string {
  return key.startsWith('[') ? String((JSON.parse(key) as string[])[0]) : key;
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

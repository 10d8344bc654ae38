/** Keeps connections and what is known over snapshot swaps: what did not change is not opened or asked for again. */
import type { RpcNotification } from '../../schemas/jsonrpc.ts';
import type { Endpoint, ServerEntry, Snapshot, Tally } from '../../schemas/snapshot.ts';
import type { UpstreamStatus } from '../../schemas/status.ts';
import { Known, Wishes } from './known.ts';
import type { Audience, Open } from './link.ts';
import { LISTS } from './lists.ts';
import { IsolatedUpstreams, type Holder } from './isolated.ts';
import { Server } from './server.ts';
import { Upstream } from './upstream.ts';

export interface PoolOptions {
  readonly open: Open;
  readonly version: string;
  /** A server's list became another one. @param method what MCP's notice of it is called */
  onChanged(server: string, method: string): void;
  /** A server said something else. */
  onNotification(server: string, notification: RpcNotification, audience: Audience): void;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #upstreams = new Map<string, Upstream>();
  readonly #wishes = new Map<string, Wishes>();
  /** Instances that clients do not share, by server. */
  readonly #isolated = new Map<string, IsolatedUpstreams>();
  #servers: ReadonlyMap<string, Server> = new Map();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** The servers of a snapshot, on connections that stand already where their endpoints are the same. */
  servers(snapshot: Snapshot): ReadonlyMap<string, Server> {
    const { listTimeoutMs } = snapshot.gateway;
    return new Map(
      Object.entries(snapshot.servers).map(([name, entry]) => [name, this.#server(name, entry, listTimeoutMs)]),
    );
  }

  server(name: string): Server | undefined {
    return this.#servers.get(name);
  }

  /** From now on, what upstreams say of themselves is told to these. */
  adopt(servers: ReadonlyMap<string, Server>): void {
    this.#servers = servers;
    for (const name of this.#wishes.keys()) if (!servers.has(name)) this.#wishes.delete(name);
    // A new instance must know at once what clients wait for: no call may ever come to connect it.
    for (const { upstreams, wishes, isolated } of servers.values()) {
      isolated?.prepare();
      if (wishes.uris.size > 0) for (const upstream of upstreams) upstream.connect().catch(() => {});
    }
  }

  /** Closes the connections that none of `living` uses. */
  prune(living: readonly ReadonlyMap<string, Server>[]): void {
    const used = new Set<Upstream>();
    for (const servers of living)
      for (const server of servers.values()) for (const upstream of server.upstreams) used.add(upstream);
    for (const [key, upstream] of this.#upstreams) {
      if (used.has(upstream)) continue;
      upstream.close();
      this.#upstreams.delete(key);
    }
    const inUse = new Set(living.flatMap((servers) => [...servers.values()].map(({ isolated }) => isolated)));
    for (const [key, isolated] of this.#isolated) {
      if (inUse.has(isolated)) continue;
      isolated.close();
      this.#isolated.delete(key);
    }
  }

  /** A session has ended: what was its own goes with it. */
  endSession(id: string): void {
    for (const isolated of this.#isolated.values()) isolated.end(id);
  }

  /** Those to some endpoints, shared or not. */
  #to(endpointIds: readonly string[]): Upstream[] {
    const all = [...this.#upstreams.values(), ...[...this.#isolated.values()].flatMap((isolated) => isolated.all)];
    return all.filter(({ endpoint }) => endpointIds.includes(endpoint.id));
  }

  busy(endpointId: string): number {
    return this.#to([endpointId]).reduce((sum, upstream) => sum + upstream.busy, 0);
  }

  status(server: string): UpstreamStatus[] {
    const { upstreams = [], isolated } = this.#servers.get(server) ?? {};
    return [...upstreams, ...(isolated?.all ?? [])].map((upstream) => upstream.status);
  }

  /** Resolves when no request runs on any of these endpoints. */
  async idle(endpointIds: readonly string[]): Promise<void> {
    await Promise.all(this.#to(endpointIds).map((upstream) => upstream.idle()));
  }

  tally(endpointId: string): Tally {
    const sum = { calls: 0, errors: 0 };
    for (const { tally } of this.#to([endpointId])) {
      sum.calls += tally.calls;
      sum.errors += tally.errors;
    }
    return sum;
  }

  #server(name: string, entry: ServerEntry, listTimeoutMs: number | undefined): Server {
    const before = this.#servers.get(name);
    const upstreams = entry.endpoints.map((endpoint) => this.#upstream(name, endpoint));
    const keep =
      before &&
      sameText(
        [before.entry.tools, before.entry.endpoints, before.entry.capabilities],
        [entry.tools, entry.endpoints, entry.capabilities],
      );
    const known = keep ? before.known : new Known(entry, (list) => this.#options.onChanged(name, LISTS[list].changed));
    let wishes = this.#wishes.get(name);
    if (!wishes) this.#wishes.set(name, (wishes = new Wishes()));
    const isolated = this.#apart(name, entry);
    const latest = (): Server | undefined => this.#servers.get(name);
    return new Server({ name, entry, upstreams, isolated, known, wishes, listTimeoutMs, latest });
  }

  #apart(server: string, { endpoints, isolated }: ServerEntry): IsolatedUpstreams | undefined {
    if (!isolated || endpoints.length === 0) return undefined;
    const key = JSON.stringify([server, endpoints, isolated]);
    const known = this.#isolated.get(key);
    if (known) return known;
    let turn = 0;
    const make = (holder: Holder): Upstream => {
      const upstream: Upstream = new Upstream({
        endpoint: endpoints[turn++ % endpoints.length] as Endpoint,
        open: (endpoint, handlers) => this.#options.open(endpoint, handlers, true),
        version: this.#options.version,
        onOpen: (welcome) => this.#servers.get(server)?.openedIsolated(upstream, holder.client, welcome),
        // What it says before it has a client is for nobody.
        onNotification: (notification, audience) =>
          holder.client === undefined ||
          this.#options.onNotification(server, notification, { ...audience, holder: holder.client }),
      });
      return upstream;
    };
    const { maxInstances: max, warm = 0, idleMs } = isolated;
    const apart = new IsolatedUpstreams({ server, max, warm, idleMs, make });
    this.#isolated.set(key, apart);
    return apart;
  }

  #upstream(server: string, endpoint: Endpoint): Upstream {
    const key = JSON.stringify([server, endpoint.id, endpoint.transport, endpoint.address, endpoint.publicOnly]);
    const known = this.#upstreams.get(key);
    if (known) return known;
    const upstream: Upstream = new Upstream({
      endpoint,
      open: this.#options.open,
      version: this.#options.version,
      onOpen: (welcome) => this.#servers.get(server)?.opened(upstream, welcome),
      onNotification: (notification, audience) => {
        this.#servers.get(server)?.heard(notification);
        this.#options.onNotification(server, notification, audience);
      },
    });
    this.#upstreams.set(key, upstream);
    return upstream;
  }
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

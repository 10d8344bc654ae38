/** Keeps connections and what is known over snapshot swaps: what did not change is not opened or asked for again. */
import type { RpcNotification } from '../../schemas/jsonrpc.ts';
import type { Endpoint, ServerEntry, Snapshot, Tally } from '../../schemas/snapshot.ts';
import type { UpstreamStatus } from '../../schemas/status.ts';
import { Known, Wishes } from './known.ts';
import type { Audience, Open } from './link.ts';
import { LISTS } from './lists.ts';
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
  #servers: ReadonlyMap<string, Server> = new Map();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** The servers of a snapshot, on connections that stand already where their endpoints are the same. */
  servers(snapshot: Snapshot): ReadonlyMap<string, Server> {
    return new Map(Object.entries(snapshot.servers).map(([name, entry]) => [name, this.#server(name, entry)]));
  }

  server(name: string): Server | undefined {
    return this.#servers.get(name);
  }

  /** From now on, what upstreams say of themselves is told to these. */
  adopt(servers: ReadonlyMap<string, Server>): void {
    this.#servers = servers;
    for (const name of this.#wishes.keys()) if (!servers.has(name)) this.#wishes.delete(name);
    // A new instance must know at once what clients wait for: no call may ever come to connect it.
    for (const { upstreams, wishes } of servers.values())
      if (wishes.uris.size > 0) for (const upstream of upstreams) upstream.connect().catch(() => {});
  }

  /** Closes the connections that none of `living` uses. */
  prune(living: Iterable<ReadonlyMap<string, Server>>): void {
    const used = new Set<Upstream>();
    for (const servers of living)
      for (const server of servers.values()) for (const upstream of server.upstreams) used.add(upstream);
    for (const [key, upstream] of this.#upstreams) {
      if (used.has(upstream)) continue;
      upstream.close();
      this.#upstreams.delete(key);
    }
  }

  busy(endpointId: string): number {
    let sum = 0;
    for (const upstream of this.#upstreams.values()) if (upstream.endpoint.id === endpointId) sum += upstream.busy;
    return sum;
  }

  status(server: string): UpstreamStatus[] {
    return this.#servers.get(server)?.upstreams.map((upstream) => upstream.status) ?? [];
  }

  /** Resolves when no request runs on any of these endpoints. */
  async idle(endpointIds: readonly string[]): Promise<void> {
    const leaving = [...this.#upstreams.values()].filter(({ endpoint }) => endpointIds.includes(endpoint.id));
    await Promise.all(leaving.map((upstream) => upstream.idle()));
  }

  tally(endpointId: string): Tally {
    const sum = { calls: 0, errors: 0 };
    for (const { endpoint, tally } of this.#upstreams.values()) {
      if (endpoint.id !== endpointId) continue;
      sum.calls += tally.calls;
      sum.errors += tally.errors;
    }
    return sum;
  }

  #server(name: string, entry: ServerEntry): Server {
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
    return new Server({ name, entry, upstreams, known, wishes, latest: () => this.#servers.get(name) });
  }

  #upstream(server: string, endpoint: Endpoint): Upstream {
    const key = JSON.stringify([server, endpoint.id, endpoint.transport, endpoint.address]);
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

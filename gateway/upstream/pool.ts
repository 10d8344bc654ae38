/** Keeps connections and tool lists over snapshot swaps: what did not change is not opened again. */
import type { Endpoint, ServerEntry, Snapshot } from '../../schemas/snapshot.ts';
import type { Open } from './link.ts';
import { Server } from './server.ts';
import { Tools } from './tools.ts';
import { Upstream } from './upstream.ts';

export interface PoolOptions {
  readonly open: Open;
  readonly version: string;
  /** A server's list of tools became another one. */
  onToolsChanged(server: string): void;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #upstreams = new Map<string, Upstream>();
  #servers: ReadonlyMap<string, Server> = new Map();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** The servers of a snapshot, on connections that stand already where their endpoints are the same. */
  servers(snapshot: Snapshot): ReadonlyMap<string, Server> {
    return new Map(Object.entries(snapshot.servers).map(([name, entry]) => [name, this.#server(name, entry)]));
  }

  /** From now on, what upstreams say of themselves is told to these. */
  adopt(servers: ReadonlyMap<string, Server>): void {
    this.#servers = servers;
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

  #server(name: string, entry: ServerEntry): Server {
    const before = this.#servers.get(name);
    const upstreams = entry.endpoints.map((endpoint) => this.#upstream(name, endpoint));
    const keep =
      before && sameText(before.entry.tools, entry.tools) && sameText(before.entry.endpoints, entry.endpoints);
    const tools = keep ? before.tools : new Tools(entry.tools, () => this.#options.onToolsChanged(name));
    return new Server(name, entry, upstreams, tools);
  }

  #upstream(server: string, endpoint: Endpoint): Upstream {
    const key = JSON.stringify([server, endpoint.id, endpoint.transport, endpoint.address]);
    const known = this.#upstreams.get(key);
    if (known) return known;
    const upstream = new Upstream({
      endpoint,
      open: this.#options.open,
      version: this.#options.version,
      onOpen: (welcome) => this.#servers.get(server)?.opened(welcome),
      onNotification: ({ method }) => {
        if (method === 'notifications/tools/list_changed') this.#servers.get(server)?.toolsChanged();
      },
    });
    this.#upstreams.set(key, upstream);
    return upstream;
  }
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

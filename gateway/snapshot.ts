/** A snapshot made ready to serve from, and the count of the requests that began with it. */
import { NO_ACCESS } from '../schemas/access.ts';
import type { Snapshot } from '../schemas/snapshot.ts';
import { localIdentity, type Identity } from './auth/identity.ts';
import { Tokens } from './auth/tokens.ts';
import { RouteViews, type Warn } from './route-view.ts';
import { configuredHosts, type HostPolicy } from './steps/origin.ts';
import type { Server } from './upstream/server.ts';

/** Everything a request needs to finish under the snapshot it began with, whatever is swapped in meanwhile. */
export class Generation {
  readonly snapshot: Snapshot;
  readonly servers: ReadonlyMap<string, Server>;
  readonly routes: ReadonlyMap<string, RouteViews>;
  readonly tokens: Tokens;
  /** Whoever may open the unix socket. */
  readonly socketUser: Identity;
  /** Anybody on this machine, while nobody needs a credential. */
  readonly anonymous: Identity;
  readonly policy: HostPolicy;
  readonly #idle: (() => void)[] = [];
  #running = 0;

  constructor(snapshot: Snapshot, servers: ReadonlyMap<string, Server>, warn: Warn) {
    this.snapshot = snapshot;
    this.servers = servers;
    this.routes = new Map(
      Object.entries(snapshot.routes).map(([path, route]) => {
        const members = route.servers.flatMap((name) => servers.get(name) ?? []);
        return [path, new RouteViews(path, route, members, warn)];
      }),
    );
    const access = snapshot.access ?? NO_ACCESS;
    this.tokens = new Tokens(snapshot.principals, access);
    this.socketUser = localIdentity('socket', access);
    this.anonymous = localIdentity('anonymous', access);
    this.policy = configuredHosts(snapshot.gateway);
  }

  enter(): void {
    this.#running++;
  }

  leave(): void {
    if (--this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when no request runs under this snapshot; new ones must no longer begin with it. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}

/** A snapshot made ready to serve from, and the count of the requests that began with it. */
import { needsCredentials, type Snapshot } from '../schemas/snapshot.ts';
import { Directory } from './auth/directory.ts';
import { localIdentity, type Identity } from './auth/identity.ts';
import { People, type KeysOf } from './auth/people.ts';
import { Tokens } from './auth/tokens.ts';
import { canonicalUrl } from './auth/url.ts';
import type { Usage } from './auth/usage.ts';
import { RouteViews, type Warn } from './route-view.ts';
import { Limits } from './limits/limits.ts';
import { configuredHosts, type HostPolicy } from './steps/origin.ts';
import type { Server } from './upstream/server.ts';

/** What outlives snapshots and they share. */
export interface Lasting {
  readonly warn: Warn;
  readonly keysOf: KeysOf;
  readonly usage: Usage;
}

/** Everything a request needs to finish under the snapshot it began with, whatever is swapped in meanwhile. */
export class Generation {
  readonly snapshot: Snapshot;
  readonly servers: ReadonlyMap<string, Server>;
  readonly routes: ReadonlyMap<string, RouteViews>;
  /** Whether callers must show who they are. */
  readonly guarded: boolean;
  readonly tokens: Tokens;
  readonly people: People;
  /** Whoever may open the unix socket. */
  readonly socketUser: Identity;
  /** Anybody on this machine, while nobody needs a credential. */
  readonly anonymous: Identity;
  /** How clients call the gateway from outside, without a slash at its end. */
  readonly publicUrl: string | undefined;
  readonly policy: HostPolicy;
  readonly limits: Limits;
  readonly #idle: (() => void)[] = [];
  #running = 0;

  constructor(snapshot: Snapshot, servers: ReadonlyMap<string, Server>, { warn, keysOf, usage }: Lasting) {
    this.snapshot = snapshot;
    this.servers = servers;
    this.routes = new Map(
      Object.entries(snapshot.routes).map(([path, route]) => {
        const members = route.servers.flatMap((name) => servers.get(name) ?? []);
        return [path, new RouteViews(path, route, members, snapshot, warn)];
      }),
    );
    const { access } = snapshot;
    const directory = new Directory(snapshot.users, snapshot.groups);
    this.guarded = needsCredentials(snapshot);
    this.tokens = new Tokens(snapshot.principals, directory, access, usage);
    this.people = new People(snapshot.gateway.providers, directory, access, keysOf);
    this.socketUser = localIdentity('socket', access);
    this.anonymous = localIdentity('anonymous', access);
    const { publicUrl } = snapshot.gateway;
    this.publicUrl = publicUrl === undefined ? undefined : canonicalUrl(publicUrl);
    this.policy = configuredHosts(snapshot.gateway);
    this.limits = new Limits(snapshot.limits, snapshot.gateway.maxBodyBytes);
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

/** @returns whether no request runs under any of them within that time */
export async function idleWithin(generations: Iterable<Generation>, ms: number): Promise<boolean> {
  const timeout = Promise.withResolvers<boolean>();
  const timer = setTimeout(timeout.resolve, ms, false);
  const idle = Promise.all([...generations].map((generation) => generation.idle())).then(() => true);
  const result = await Promise.race([idle, timeout.promise]);
  clearTimeout(timer);
  return result;
}

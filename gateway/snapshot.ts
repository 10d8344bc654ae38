/** A snapshot made ready to serve from, and the count of the requests that began with it. */
import type { Access } from '../schemas/access.ts';
import type { Snapshot } from '../schemas/snapshot.ts';
import { localIdentity, type Identity } from './auth/identity.ts';
import { Tokens } from './auth/tokens.ts';
import { Catalog } from './catalog.ts';
import { configuredHosts, type HostPolicy } from './steps/origin.ts';
import { LISTS, type ListName } from './upstream/lists.ts';
import type { Server } from './upstream/server.ts';

/** A route with its servers looked up. */
export interface RouteView {
  readonly path: string;
  readonly project: string | undefined;
  readonly instructions: string | undefined;
  readonly servers: readonly Server[];
  /** Whether names are the servers' own because there is but one server. */
  readonly single: Server | undefined;
  readonly catalogs: Readonly<Record<ListName, Catalog>>;
}

export type Warn = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** Everything a request needs to finish under the snapshot it began with, whatever is swapped in meanwhile. */
export class Generation {
  readonly snapshot: Snapshot;
  readonly servers: ReadonlyMap<string, Server>;
  readonly routes: ReadonlyMap<string, RouteView>;
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
    this.routes = new Map(Object.keys(snapshot.routes).map((path) => [path, viewOf(snapshot, servers, path, warn)]));
    const access: Access = {};
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

/** What decides which tools and the like a client sees on a route: when it changes, those who listen are told. */
export function fingerprint({ snapshot }: Generation, path: string): string {
  const route = snapshot.routes[path];
  const servers = (route?.servers ?? []).map((name) => {
    const entry = snapshot.servers[name];
    const running = (entry?.endpoints.length ?? 0) > 0;
    return [name, running && [entry?.tools ?? entry?.endpoints, entry?.capabilities]];
  });
  return JSON.stringify([route?.separator, servers]);
}

/** The notices of changed lists that a client of the route was promised. */
export function noticesOf(route: RouteView | undefined): Set<string> {
  const rows = Object.values(LISTS).filter(
    ({ capability }) => capability === 'tools' || route?.servers.some((server) => server.capabilities?.[capability]),
  );
  return new Set(rows.map(({ changed }) => changed));
}

function viewOf(snapshot: Snapshot, servers: ReadonlyMap<string, Server>, path: string, warn: Warn): RouteView {
  const route = snapshot.routes[path];
  const members = (route?.servers ?? []).flatMap((name) => servers.get(name) ?? []);
  const [first] = members;
  const separator = route?.separator;
  const catalog = (list: ListName): Catalog =>
    new Catalog(list, members, separator, (message, fields) => warn(message, { route: path, ...fields }));
  return {
    path,
    project: route?.project,
    instructions: route?.instructions,
    servers: members,
    single: members.length === 1 && separator === undefined ? first : undefined,
    catalogs: {
      tools: catalog('tools'),
      prompts: catalog('prompts'),
      resources: catalog('resources'),
      templates: catalog('templates'),
    },
  };
}

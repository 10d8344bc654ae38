/** What routes take of a model's context, told by the parts that serve them: whatever a session would be listed. */
import type { ContextOf } from '../schemas/context.ts';
import type { ServerEntry, Snapshot } from '../schemas/snapshot.ts';
import { localIdentity } from './auth/identity.ts';
import { tokensIn } from './limits/tokens.ts';
import { mergedInstructions } from './methods/discover.ts';
import { lineOf } from './rpc/json.ts';
import { RouteViews } from './route-view.ts';
import { NotDelivered } from './upstream/link.ts';
import { Pool } from './upstream/pool.ts';
import type { Server } from './upstream/server.ts';

export const contextOf: ContextOf = async (snapshot, routes) => {
  const servers = serversOf(snapshot, routes);
  const counted: Record<string, number> = {};
  for (const path of routes) {
    const text = await begunWith(snapshot, path, servers);
    if (text !== undefined) counted[path] = await tokensIn(text);
  }
  return counted;
};

async function begunWith(
  snapshot: Snapshot,
  path: string,
  all: ReadonlyMap<string, Server>,
): Promise<string | undefined> {
  const route = snapshot.routes[path] ?? { servers: [] };
  const servers = route.servers.flatMap((name) => all.get(name) ?? []);
  const view = new RouteViews(path, route, servers, snapshot, () => {}).seenBy(
    localIdentity('socket', snapshot.access).grant,
  );
  if (!view) return undefined;
  const list = await (view.gate?.closed ?? view.discovery ?? view.catalogs.tools).list();
  const { tools } = JSON.parse(lineOf(list)) as { tools: unknown };
  return mergedInstructions(view) + JSON.stringify(tools);
}

/** As they would be served, but that nobody can be reached: what is not known is not asked for. */
function serversOf({ servers, ...snapshot }: Snapshot, routes: readonly string[]): ReadonlyMap<string, Server> {
  const names = new Set(routes.flatMap((path) => snapshot.routes[path]?.servers ?? []));
  const still = [...names].flatMap((name): [string, ServerEntry][] => {
    const entry = servers[name];
    return entry ? [[name, stillOf(name, entry)]] : [];
  });
  const pool = new Pool({
    open: () => Promise.reject(new NotDelivered('Nobody is asked.')),
    wishesOf: () => ({ uris: [] }),
    hearers: () => ({ listener: () => undefined, changed: () => {}, said: () => {} }),
    taskOwner: () => undefined,
    authorize: () => {
      throw new Error('nobody is let in where nobody is asked');
    },
    version: '',
    onListed: () => {},
  });
  return pool.servers({ ...snapshot, servers: Object.fromEntries(still) });
}

function stillOf(id: string, entry: ServerEntry): ServerEntry {
  const { auth: _, isolated: __, unavailable: ___, canary: ____, ...still } = entry;
  return { ...still, endpoints: [{ id, transport: 'http', address: 'http://nowhere.invalid/' }] };
}

/** Tools that a route would call the same: only the first can be reached, and whoever is first may not be whom one means. */
import { glob } from '../glob.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Finding } from './findings.ts';
import { visible } from './hidden.ts';
import type { Named } from './look-alikes.ts';

type Route = Snapshot['routes'][string];

/** On routes where nothing, or the same, stands before the names of two servers. */
export function duplicates(routes: Snapshot['routes'], servers: readonly Named[]): Finding[] {
  const tools = new Map(servers.map((one) => [one.server, one.tools]));
  return Object.entries(routes).flatMap(([path, route]) => {
    const prefixes = route.servers.map((server) => prefixOf(route, server));
    // Where all begin otherwise, names can still meet (`a__b` + `c`, `a` + `b__c`), but nobody writes that by accident.
    if (new Set(prefixes).size === prefixes.length) return [];
    return onRoute(path, route, tools);
  });
}

function onRoute(path: string, route: Route, tools: ReadonlyMap<string, readonly string[]>): Finding[] {
  const taken = new Map<string, string>();
  return route.servers.flatMap((server) => {
    const { hide = [], tools: renamed = {} } = route.overrides?.[server] ?? {};
    const hidden = hide.map(glob);
    return (tools.get(server) ?? []).flatMap((tool): Finding[] => {
      if (hidden.some((fits) => fits(tool))) return [];
      const own = Object.hasOwn(renamed, tool) ? (renamed[tool]?.name ?? tool) : tool;
      const name = prefixOf(route, server) + own;
      const other = taken.get(name);
      if (other === undefined) taken.set(name, `${server}:${visible(tool)}`);
      if (other === undefined || other.startsWith(`${server}:`)) return [];
      const message = `on ${path} it would be called ${visible(name)}, as ${other} is`;
      return [{ server, tool: visible(tool), kind: 'duplicate', message }];
    });
  });
}

function prefixOf({ separator, overrides }: Route, server: string): string {
  return separator === undefined ? '' : (overrides?.[server]?.prefix ?? server + separator);
}

/** What those who listen are told when another snapshot is served. */
import { has } from './capabilities.ts';
import type { RouteView } from './route-view.ts';
import type { Stream } from './sessions/streams.ts';
import type { Generation } from './snapshot.ts';
import { viewOf } from './steps/authorize.ts';
import { LISTS } from './upstream/lists.ts';

/** The notices for one who listened before the swap, and still does. */
export function noticesAfter(before: Generation, after: Generation, stream: Stream): readonly string[] {
  const [was, is] = [viewOf(before, stream), viewOf(after, stream)];
  if (!was || !is || fingerprintOf(before, was) === fingerprintOf(after, is)) return [];
  return promised(was, is);
}

const fingerprints = new WeakMap<RouteView, string>();

function fingerprintOf(generation: Generation, view: RouteView): string {
  let known = fingerprints.get(view);
  if (known === undefined) fingerprints.set(view, (known = fingerprint(generation, view)));
  return known;
}

/** What decides which tools and the like a client sees on a route. */
function fingerprint(
  { snapshot }: Generation,
  { path, servers, separator, project, key, own, prompts, plugin }: RouteView,
): string {
  const { access } = snapshot;
  const members = servers.map(({ name }) => {
    const entry = snapshot.servers[name];
    const running = (entry?.endpoints.length ?? 0) > 0;
    const listed = running && [entry?.tools ?? entry?.endpoints, entry?.capabilities];
    // Not where it is written.
    const { drift, tools } = entry?.pinned ?? {};
    const { pipeline: _, ...shown } = snapshot.routes[path]?.overrides?.[name] ?? {};
    return [name, access.servers[name], listed, drift, tools, shown];
  });
  const common = [access.floor, access.global, access.projects[project ?? '']];
  return JSON.stringify([separator, key, common, members, own?.fingerprint, prompts?.fingerprint, plugin?.fingerprint]);
}

/** The notices of changed lists that a client of the route was promised. */
function promised(view: RouteView, now: RouteView): string[] {
  // Tools of servers that come and go are no news to who is not told of them.
  const same =
    view.discovery !== undefined && now.discovery !== undefined && view.own?.fingerprint === now.own?.fingerprint;
  const rows = Object.values(LISTS).filter(({ capability }) =>
    capability === 'tools' ? !same : has(view, capability),
  );
  return [...new Set(rows.map(({ changed }) => changed))];
}

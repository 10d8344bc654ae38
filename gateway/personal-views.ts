/** A view of a route as each caller has it for itself, where servers want to know who comes. */
import { partOf } from './upstream/personal.ts';
import type { Server } from './upstream/server.ts';

/** Views that are kept; one that is missed is made again. */
const MAX_VIEWS = 1_000;

interface View {
  readonly servers: readonly Server[];
}

/** @param servers those of the view, as nobody in particular has them; @param make the view from those of one caller */
export function personalViews<V extends View>(
  servers: readonly Server[],
  make: (own: readonly Server[]) => V,
): ((principal: string) => V) | undefined {
  if (servers.every(({ personal }) => !personal)) return undefined;
  const views = new Map<string, V>();
  return (principal) => {
    const own = servers.map((server) => partOf(server, principal));
    const known = views.get(principal);
    // What a server had for a caller may have been given up meanwhile, and made again.
    if (known?.servers.every((server, at) => server === own[at])) return known;
    const view = make(own);
    views.delete(principal);
    views.set(principal, view);
    const [oldest] = views.keys();
    if (views.size > MAX_VIEWS && oldest !== undefined) views.delete(oldest);
    return view;
  };
}

/** What a route is for this caller alone, where its servers want to know who comes. */
import type { Exchange } from '../exchange.ts';
import type { RouteView } from '../route-view.ts';
import type { Identity } from './authenticate.ts';

/** Costs a look at one field where no server of the route does. */
export function personal({ state, request }: Exchange, identity: Identity, view: RouteView): RouteView {
  if (!view.as) return view;
  if (identity.kind === 'user') {
    const [, token] = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (token !== undefined) state.authorizer.present(identity.key, token);
  }
  return view.as(identity.key);
}

/** What the caller may reach. The same decision for listing and calling: there is one per route, not one per method. */
import type { Scope } from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { lacksScopes } from '../auth/scopes.ts';
import type { Exchange } from '../exchange.ts';
import type { RouteView, RouteViews } from '../route-view.ts';
import type { Stream } from '../sessions/streams.ts';
import type { Generation } from '../snapshot.ts';
import { stillKnown, type Identity } from './authenticate.ts';

/**
 * Whoever may use nothing of a route cannot learn whether it exists (403, never 404).
 * @throws SlipwayError `forbidden`, or `not-found` for a caller who may know that nothing is there
 */
export function authorize({ grant }: Identity, path: string, route: RouteViews | undefined): RouteView {
  const view = route?.seenBy(grant);
  if (view) return view;
  if (!route && grant.may('run', path.startsWith('/projects/') ? 'projects' : 'servers'))
    throw new SlipwayError('not-found');
  throw new SlipwayError('forbidden');
}

/** What somebody who got in earlier would see of a route by now; `undefined` where that is nothing. */
export function viewOf(generation: Generation, { identity, source, route }: Listener): RouteView | undefined {
  const now = stillKnown(generation, identity, source);
  const there = generation.routes.get(route);
  return now && !lacksScopes(now, there) ? there?.seenBy(now.grant) : undefined;
}

type Listener = Pick<Stream, 'identity' | 'source' | 'route'>;

/**
 * What such routes tell names every server, so a scope for some projects only does not do.
 * @throws SlipwayError `scope-denied`
 */
export function authorizeScope({ grant }: Identity, scope: Scope): void {
  if (!grant.scope(scope)) throw new SlipwayError('scope-denied', `This needs the scope ${scope}.`);
}

/**
 * The control API tells what runs and changes it, so being on this machine is not enough: over TCP it takes a credential.
 * What the caller may see and do there is decided where it is answered.
 * @throws SlipwayError `unauthorized`, `forbidden`
 */
export function authorizeControl(identity: Identity, { source }: Exchange): void {
  if (source.kind === 'unix') return;
  if (identity.credential === undefined)
    throw new SlipwayError('unauthorized', 'The control API over TCP needs a token.', {
      hint: 'Use the control socket in the state directory, or create a Token.',
    });
  if (!identity.grant.operates)
    throw new SlipwayError('forbidden', 'No role of this caller looks at anything in the control API.', {
      hint: 'Bind the caller to viewer or admin, or to a Role with the verb view or an operation.',
    });
}

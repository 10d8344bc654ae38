/** What the caller may reach. The same decision for listing and calling: there is one per route, not one per method. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Exchange } from '../exchange.ts';
import type { RouteView } from '../snapshot.ts';
import type { Identity } from './authenticate.ts';

/** A caller bound to projects reaches exactly their routes, so it cannot learn what else exists (403, never 404). */
export function mayUse(identity: Identity, path: string, route: RouteView | undefined): boolean {
  const { projects } = identity.grant;
  if (projects === undefined) return true;
  const project = route?.project;
  return project !== undefined && path === `/projects/${project}/mcp` && projects.includes(project);
}

/** @throws SlipwayError `forbidden`, or `not-found` for a caller who may know that nothing is there */
export function authorize(identity: Identity, path: string, route: RouteView | undefined): RouteView {
  if (!mayUse(identity, path, route)) throw new SlipwayError('forbidden');
  if (!route) throw new SlipwayError('not-found');
  return route;
}

/**
 * Metrics name every server, so a token that may know only some of them does not do. Without a Token, whoever is on this
 * machine may look.
 * @throws SlipwayError `forbidden`
 */
export function authorizeMetrics({ grant }: Identity): void {
  if (grant.projects !== undefined) throw new SlipwayError('forbidden', 'Metrics need an unlimited token.');
}

/**
 * The control API changes what runs, so being on this machine is not enough: over TCP it takes a token without limits.
 * @throws SlipwayError `unauthorized`, `forbidden`
 */
export function authorizeControl(identity: Identity, { source }: Exchange): void {
  if (source.kind === 'unix') return;
  if (identity.kind !== 'token')
    throw new SlipwayError('unauthorized', 'The control API over TCP needs a token.', {
      hint: 'Use the control socket in the state directory, or create a Token.',
    });
  if (identity.grant.projects !== undefined)
    throw new SlipwayError('forbidden', 'The control API needs an unlimited token.');
}

/** For whom a Prompt that is a resource of a server is read, and through which route. */
import type { PromptEntry } from '../../schemas/snapshot.ts';
import { lacksScopes } from '../auth/scopes.ts';
import type { Caller } from '../exchange.ts';
import type { RouteView } from '../route-view.ts';
import { personal } from '../steps/personal.ts';
import type { Server } from '../upstream/server.ts';

export type Link = NonNullable<PromptEntry['link']>;

/**
 * Confused deputy: who writes a Prompt says what it is, not who may read it, so a server is asked only for those who may use it
 * where the link leads.
 */
export function openTo(caller: Caller, link: Link): [RouteView, Server] | undefined {
  const { generation, identity, route } = caller;
  const at = (view: RouteView | undefined): [RouteView, Server] | undefined => {
    const server = view?.servers.find(({ name }) => name === link.server);
    return view && server && [view, server];
  };
  const here = link.project === undefined || link.project === route.project ? at(route) : undefined;
  if (here) return here;
  const path = link.project === undefined ? `/servers/${link.server}/mcp` : `/projects/${link.project}/mcp`;
  const there = generation.routes.get(path);
  if (!there || lacksScopes(identity, there)) return undefined;
  const view = there.seenBy(identity.grant);
  return at(view && personal(caller, identity, view));
}

/** `server/discover`: what a route is and can do, for clients that keep no session. */
import { LEGACY_VERSIONS } from '../../schemas/jsonrpc.ts';
import { MODERN_VERSION } from '../../schemas/modern.ts';
import { introduceAll, modernCapabilitiesOf } from '../capabilities.ts';
import type { Caller } from '../exchange.ts';
import { instructionsBy } from '../plugins/shown.ts';
import type { RouteView } from '../route-view.ts';

/** Newest first. */
export const SUPPORTED_VERSIONS = [MODERN_VERSION, ...LEGACY_VERSIONS];

export async function discover(caller: Caller): Promise<Record<string, unknown>> {
  const { route } = caller;
  await introduceAll(route);
  const instructions = await instructionsFor(caller);
  return {
    supportedVersions: SUPPORTED_VERSIONS,
    capabilities: modernCapabilitiesOf(route),
    ...(instructions === '' ? {} : { instructions }),
  };
}

/** What a client is told that has just come. @param session the one that it begins, if it keeps any */
export async function instructionsFor(caller: Caller, session?: string): Promise<string> {
  const { route } = caller;
  const { gate, plugin } = route;
  const merged = mergedInstructions(route);
  const text = gate ? await gate.instructions(caller, session, merged) : merged;
  return plugin ? instructionsBy(plugin, caller, session, text) : text;
}

/** The route's own words first, then each server's under its name. */
export function mergedInstructions({
  instructions,
  servers,
  discovery,
}: Pick<RouteView, 'instructions' | 'servers' | 'discovery'>): string {
  // Who looks for servers first reads about them when it has found them.
  if (discovery) return instructions ?? '';
  const parts = servers.flatMap((server) =>
    server.instructions ? [`## ${server.name}\n\n${server.instructions}`] : [],
  );
  return [...(instructions ? [instructions] : []), ...parts].join('\n\n');
}

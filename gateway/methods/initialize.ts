/** `initialize`: agrees on a version and hands out a sealed session. */
import { LEGACY_VERSIONS } from '../../schemas/jsonrpc.ts';
import type { Call } from '../era/era.ts';
import type { RouteView } from '../snapshot.ts';

/** What a client can do that a later request may depend on; the session id stays short whatever else it claims. */
const CAPABILITIES = ['roots', 'sampling', 'elicitation', 'tasks'];

export function initialize({ caller, request, reply }: Call): string {
  const { state, route, identity } = caller;
  const asked = request.params?.['protocolVersion'];
  const version = LEGACY_VERSIONS.find((known) => known === asked) ?? LEGACY_VERSIONS[0];
  const claimed = Object.keys((request.params?.['capabilities'] as object | null | undefined) ?? {});
  const capabilities = CAPABILITIES.filter((name) => claimed.includes(name));
  reply.sessionId(state.seal.open({ route: route.path, principal: identity.key, version, capabilities }));
  const instructions = mergedInstructions(route);
  return JSON.stringify({
    protocolVersion: version,
    capabilities: { tools: { listChanged: true } },
    serverInfo: { name: 'slipway', version: state.version },
    ...(instructions === '' ? {} : { instructions }),
  });
}

/** The route's own words first, then each server's under its name. */
function mergedInstructions({ instructions, servers }: RouteView): string {
  const parts = servers.flatMap((server) =>
    server.instructions ? [`## ${server.name}\n\n${server.instructions}`] : [],
  );
  return [...(instructions ? [instructions] : []), ...parts].join('\n\n');
}

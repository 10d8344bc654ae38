/** `initialize`: agrees on a version and hands out a sealed session. */
import { LEGACY_VERSIONS } from '../../schemas/jsonrpc.ts';
import { capabilitiesOf, introduceAll } from '../capabilities.ts';
import type { Call } from '../era/era.ts';
import type { RouteView } from '../snapshot.ts';

/** What a client can do that a later request may depend on; the session id stays short whatever else it claims. */
const CAPABILITIES = ['roots', 'sampling', 'sampling.tools', 'elicitation', 'elicitation.form', 'elicitation.url'];

export async function initialize({ caller, request, reply }: Call): Promise<string> {
  const { state, route, identity } = caller;
  const asked = request.params?.['protocolVersion'];
  const version = LEGACY_VERSIONS.find((known) => known === asked) ?? LEGACY_VERSIONS[0];
  const claimed = claimsOf(request.params?.['capabilities']);
  const capabilities = CAPABILITIES.filter((name) => claimed.includes(name));
  await introduceAll(route);
  reply.sessionId(state.seal.open({ route: route.path, principal: identity.key, version, capabilities }));
  const instructions = mergedInstructions(route);
  return JSON.stringify({
    protocolVersion: version,
    capabilities: capabilitiesOf(route),
    serverInfo: { name: 'slipway', version: state.version },
    ...(instructions === '' ? {} : { instructions }),
  });
}

/** `sampling` and `sampling.tools` for `{ sampling: { tools: {} } }`. Elicitation as such means forms. */
function claimsOf(capabilities: unknown): string[] {
  return Object.entries((capabilities ?? {}) as object).flatMap(([name, value]) => {
    const parts = Object.keys((value ?? {}) as object);
    const implied = name === 'elicitation' && parts.length === 0 ? ['form'] : parts;
    return [name, ...implied.map((part) => `${name}.${part}`)];
  });
}

/** The route's own words first, then each server's under its name. */
function mergedInstructions({ instructions, servers }: RouteView): string {
  const parts = servers.flatMap((server) =>
    server.instructions ? [`## ${server.name}\n\n${server.instructions}`] : [],
  );
  return [...(instructions ? [instructions] : []), ...parts].join('\n\n');
}

/** What a project is to who sets up a client: an entry for its config, and words for its system prompt. */
import { baseOf } from '../auth/resource.ts';
import type { Caller } from '../exchange.ts';
import { instructionsFor } from '../methods/discover.ts';
import { sendJson } from '../rpc/respond.ts';

/** `GET /projects/<p>/mcp-config`: as clients keep it in their `mcp.json`. A token is named, never told. */
export function serveMcpConfig(caller: Caller): void {
  const { route, generation, response } = caller;
  const headers = generation.guarded ? { headers: { Authorization: 'Bearer ${SLIPWAY_TOKEN}' } } : {};
  const entry = { type: 'http', url: `${baseOf(caller)}${route.path}`, ...headers };
  sendJson(response, 200, { mcpServers: { [route.project ?? 'slipway']: entry } });
}

/** `GET /projects/<p>/instructions`: what `initialize` says, and which servers there are. */
export async function serveInstructions(caller: Caller): Promise<void> {
  const { route, response } = caller;
  const servers = route.servers.map(({ name, entry: { description } }) => ({
    name,
    ...(description === undefined ? {} : { description }),
  }));
  sendJson(response, 200, { project: route.project, instructions: await instructionsFor(caller), servers });
}

/** `logging/setLevel`: for this session; servers are asked for as much as any of their clients wants. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { has, introduceAll } from '../capabilities.ts';
import type { Call } from '../era/era.ts';
import { isLevel, mostOf } from '../sessions/levels.ts';
import type { RouteView } from '../route-view.ts';

/** @throws RpcFailure for a level that MCP does not know, or where no server logs */
export async function setLevel({ caller, id, request, until }: Call): Promise<string> {
  const { route, state } = caller;
  const level = request.params?.['level'];
  if (!isLevel(level)) throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown log level' });
  await introduceAll(route);
  if (!has(route, 'logging'))
    throw new RpcFailure({ code: RPC.methodNotFound, message: 'Method not found: logging/setLevel' });
  state.levels.set(id, level, until);
  await tellServers(route, level);
  return '{}';
}

/** Asks the servers of a route for as much as this, if they do not tell as much already. */
export async function tellServers(route: RouteView, level: string): Promise<void> {
  const deaf = route.servers.filter((server) => mostOf(server.wishes.level, level) !== server.wishes.level);
  if (deaf.length === 0) return;
  const signal = AbortSignal.timeout(Math.min(...deaf.map(({ entry }) => entry.timeoutMs)));
  const told = deaf.map((server) => server.setLevel(mostOf(server.wishes.level, level), { signal }));
  await Promise.all(told);
}

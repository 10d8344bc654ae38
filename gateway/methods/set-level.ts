/** `logging/setLevel`: for this session; servers are asked for as much as any of their clients wants. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { has, introduceAll } from '../capabilities.ts';
import type { SessionCall } from '../era/era.ts';
import { isLevel, mostOf } from '../sessions/levels.ts';

/** @throws RpcFailure for a level that MCP does not know, or where no server logs */
export async function setLevel({ caller, session, request }: SessionCall): Promise<string> {
  const { route, state } = caller;
  const level = request.params?.['level'];
  if (!isLevel(level)) throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown log level' });
  await introduceAll(route);
  if (!has(route, 'logging'))
    throw new RpcFailure({ code: RPC.methodNotFound, message: 'Method not found: logging/setLevel' });
  state.levels.set(session.id, level);
  const signal = AbortSignal.timeout(Math.min(...route.servers.map(({ entry }) => entry.timeoutMs)));
  const told = route.servers.map((server) => server.setLevel(mostOf(server.wishes.level, level), { signal }));
  await Promise.all(told);
  return '{}';
}

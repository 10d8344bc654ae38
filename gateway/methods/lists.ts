/** `tools/list` and its like: everything on one page, so no cursor was ever handed out. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { has, introduceAll } from '../capabilities.ts';
import type { Catalog } from '../catalog.ts';
import type { Call, Method } from '../era/era.ts';
import { inTime } from '../limits/allowance.ts';
import { LISTS, type ListName } from '../upstream/lists.ts';

/** The method that answers with a list. It throws RpcFailure: invalid params for a cursor, method not found where no server has it. */
export function lister(list: ListName): Method<Call> {
  return async (call) => inTime(call, (await checked(list, call)).list());
}

/** The same for MCP 2026-07-28, whose lists say how long they stay fresh. */
export function modernLister(list: ListName): Method<Call> {
  return async (call) => inTime(call, (await checked(list, call)).modernList(call.caller.state.version));
}

async function checked(list: ListName, { caller: { route }, request }: Call): Promise<Catalog> {
  const { capability, method } = LISTS[list];
  if (request.params?.['cursor'] !== undefined)
    throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown cursor' });
  if (list !== 'tools') {
    await introduceAll(route);
    if (!has(route, capability))
      throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${method}` });
  }
  return route.catalogs[list];
}

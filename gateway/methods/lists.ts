/** `tools/list` and its like: everything on one page, so no cursor was ever handed out. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { has, introduceAll } from '../capabilities.ts';
import type { Method, SessionCall } from '../era/era.ts';
import { LISTS, type ListName } from '../upstream/lists.ts';

/** The method that answers with a list. It throws RpcFailure: invalid params for a cursor, method not found where no server has it. */
export function lister(list: ListName): Method<SessionCall> {
  const { capability, method } = LISTS[list];
  return async ({ caller: { route }, request }) => {
    if (request.params?.['cursor'] !== undefined)
      throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown cursor' });
    if (list !== 'tools') {
      await introduceAll(route);
      if (!has(route, capability))
        throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${method}` });
    }
    return route.catalogs[list].list();
  };
}

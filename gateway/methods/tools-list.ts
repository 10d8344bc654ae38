/** `tools/list`: everything on one page, so no cursor was ever handed out. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { SessionCall } from '../era/era.ts';

/** @throws RpcFailure invalid params for a cursor */
export function toolsList({ caller, request }: SessionCall): Promise<string> {
  if (request.params?.['cursor'] !== undefined)
    throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown cursor' });
  return caller.route.catalog.list();
}

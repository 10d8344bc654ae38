/** `tasks/…`: to the one server of a route, about tasks of the caller's own. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Call } from '../era/era.ts';
import type { Server } from '../upstream/server.ts';
import { relay } from './relay.ts';

/**
 * Cross-client leak: the server is shared, so its tasks are everybody's; another user's looks like none.
 * @throws RpcFailure, and as {@link relay} does
 */
export function relayTask(call: Call, server: Server): Promise<string> {
  const { caller, request } = call;
  const params = request.params ?? {};
  if (caller.state.tasks.isForeign(server.name, params['taskId'], caller.identity.key))
    throw new RpcFailure({ code: RPC.invalidParams, message: 'Task not found' });
  return relay(call, server, params);
}

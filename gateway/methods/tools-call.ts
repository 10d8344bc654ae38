/** `tools/call`: to the server behind the name. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Target } from '../catalog.ts';
import type { Call } from '../era/era.ts';
import { relay } from './relay.ts';

/** @throws RpcFailure for an unknown tool, or as the server answered; SlipwayError otherwise */
export function toolsCall(call: Call): Promise<string> {
  const params = call.request.params ?? {};
  const name = params['name'];
  if (typeof name !== 'string') throw new RpcFailure({ code: RPC.invalidParams, message: 'The tool name is missing' });
  const { tools } = call.caller.route.catalogs;
  const target = tools.known(name);
  return target ? send(call, params, target) : tools.find(name).then((found) => send(call, params, found));
}

/** The message is ours alone by now; a copy would only cost. */
function send(call: Call, params: Record<string, unknown>, target: Target | undefined): Promise<string> {
  if (!target) throw new RpcFailure({ code: RPC.invalidParams, message: `Unknown tool: ${String(params['name'])}` });
  params['name'] = target.name;
  return relay(call, target.server, params);
}

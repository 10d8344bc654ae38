/** `tools/call`: to the server behind the name. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Target } from '../catalog.ts';
import type { SessionCall } from '../era/era.ts';
import { relay } from './relay.ts';

/** @throws RpcFailure for an unknown tool, or as the server answered; SlipwayError otherwise */
export async function toolsCall(call: SessionCall): Promise<string> {
  const params = call.request.params ?? {};
  const { server, name } = await targetOf(call, params['name']);
  // The message is ours alone by now; a copy would only cost.
  params['name'] = name;
  return relay(call, server, params);
}

async function targetOf({ caller }: SessionCall, name: unknown): Promise<Target> {
  if (typeof name !== 'string') throw new RpcFailure({ code: RPC.invalidParams, message: 'The tool name is missing' });
  const { tools } = caller.route.catalogs;
  const target = tools.known(name) ?? (await tools.find(name));
  if (!target) throw new RpcFailure({ code: RPC.invalidParams, message: `Unknown tool: ${name}` });
  return target;
}

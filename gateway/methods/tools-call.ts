/** `tools/call`: to the server behind the name, and back. */
import { SlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure, type Id } from '../../schemas/jsonrpc.ts';
import type { RequestOptions } from '../../schemas/peer.ts';
import type { Target } from '../catalog.ts';
import type { SessionCall } from '../era/era.ts';

/** @throws RpcFailure for an unknown tool, or as the server answered; SlipwayError otherwise */
export async function toolsCall(call: SessionCall): Promise<string> {
  const { caller, session, request, reply } = call;
  const params = request.params ?? {};
  const { server, tool } = await targetOf(call, params['name']);
  // The message is ours alone by now; a copy would only cost.
  params['name'] = tool;
  const controller = new AbortController();
  const { calls } = caller.state;
  const key = calls.add(session.id, request.id, controller);
  const timer = setTimeout(timeOut, server.entry.timeoutMs, controller, server.name);
  const onClose = (): void => controller.abort(new SlipwayError('cancelled', 'The client went away.'));
  caller.response.once('close', onClose);
  try {
    const options: RequestOptions = { signal: controller.signal };
    const progressToken = progressTokenOf(params);
    if (progressToken !== undefined) {
      options.progressToken = progressToken;
      options.onProgress = (progress) => reply.notify('notifications/progress', progress);
    }
    return JSON.stringify(await server.request('tools/call', params, options)) ?? '{}';
  } finally {
    clearTimeout(timer);
    caller.response.off('close', onClose);
    calls.remove(key, controller);
  }
}

async function targetOf({ caller }: SessionCall, name: unknown): Promise<Target> {
  if (typeof name !== 'string') throw new RpcFailure({ code: RPC.invalidParams, message: 'The tool name is missing' });
  const { catalog } = caller.route;
  const target = catalog.known(name) ?? (await catalog.find(name));
  if (!target) throw new RpcFailure({ code: RPC.invalidParams, message: `Unknown tool: ${name}` });
  return target;
}

/** Progress does not extend it: a server cannot hold a call for ever by claiming to advance. */
function timeOut(controller: AbortController, server: string): void {
  controller.abort(new SlipwayError('upstream-timeout', `${server} did not answer in time.`));
}

function progressTokenOf(params: Record<string, unknown>): Id | undefined {
  const token = (params['_meta'] as { progressToken?: unknown } | null | undefined)?.progressToken;
  return typeof token === 'string' || typeof token === 'number' ? token : undefined;
}

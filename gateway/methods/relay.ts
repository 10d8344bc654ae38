/** A request on its way to the server that it is for, and back. */
import { SlipwayError } from '../../schemas/errors.ts';
import { progressTokenOf, type RequestOptions } from '../../schemas/peer.ts';
import type { SessionCall } from '../era/era.ts';
import { CallClient } from '../sessions/call-client.ts';
import type { Server } from '../upstream/server.ts';

type Send = (method: string, params: Record<string, unknown>, options: RequestOptions) => Promise<unknown>;

/**
 * Sends the call's request, with `params` in place of its own, to one of the server's instances.
 * @param send where to, if not to one of its instances
 * @throws RpcFailure as the server answered; SlipwayError otherwise
 */
export async function relay(
  call: SessionCall,
  server: Server,
  params: Record<string, unknown>,
  send?: Send,
): Promise<string> {
  const { caller, session, request, reply } = call;
  const controller = new AbortController();
  const { calls } = caller.state;
  const key = calls.add(session.id, request.id, controller);
  let timer = setTimeout(timeOut, server.entry.timeoutMs, controller, server.name);
  // While a person thinks about a question, it is not the server that is slow.
  const client = new CallClient(call, server.name, (waiting) => {
    clearTimeout(timer);
    if (!waiting) timer = setTimeout(timeOut, server.entry.timeoutMs, controller, server.name);
  });
  const onClose = (): void => controller.abort(new SlipwayError('cancelled', 'The client went away.'));
  caller.response.once('close', onClose);
  try {
    const options: RequestOptions = { signal: controller.signal, client };
    const progressToken = progressTokenOf(params);
    if (progressToken !== undefined) {
      options.progressToken = progressToken;
      options.onProgress = (progress) => reply.notify('notifications/progress', progress);
    }
    const { method } = request;
    const result = send ? send(method, params, options) : server.request(method, params, options);
    return JSON.stringify(await result) ?? '{}';
  } catch (error) {
    caller.state.elicitations.addRequired(server.name, error, session.id);
    throw error;
  } finally {
    client.end();
    clearTimeout(timer);
    caller.response.off('close', onClose);
    calls.remove(key, controller);
  }
}

/** Progress does not extend it: a server cannot hold a call for ever by claiming to advance. */
function timeOut(controller: AbortController, server: string): void {
  controller.abort(new SlipwayError('upstream-timeout', `${server} did not answer in time.`));
}

/** MCP 2026-07-28: every request stands for itself. No sessions, no requests to clients, one table of its own. */
import { isNotification, isRequest, RPC, RpcFailure, type RpcMessage, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { traceRequest } from '../audit/requests.ts';
import type { Caller } from '../exchange.ts';
import { discover } from '../methods/discover.ts';
import { listen } from '../methods/listen.ts';
import { modernLister } from '../methods/lists.ts';
import { complete as completion, promptsGet } from '../methods/prompts.ts';
import { resourcesRead } from '../methods/resources.ts';
import { tellServers } from '../methods/set-level.ts';
import { aboutTask } from '../methods/tasks.ts';
import { toolsCall } from '../methods/tools-call.ts';
import { httpSideOf, reportUnforeseen } from '../rpc/errors.ts';
import { sizeOf, type Json } from '../rpc/json.ts';
import { Reply } from '../rpc/reply.ts';
import { sendEmpty } from '../rpc/respond.ts';
import { badState, openState, sealState } from '../sessions/request-state.ts';
import { Round } from '../sessions/round.ts';
import type { Method } from './era.ts';
import { complete, inputRequired, methodNotFound, ModernCall, UNCACHED, type Return } from './modern-call.ts';
import { modernError, statusOf } from './modern-errors.ts';
import { checkMirrors, Malformed, readAsker, type Retry } from './modern-request.ts';

/** A method that is not here does not exist in this era. */
const methods: ReadonlyMap<string, Method<ModernCall>> = new Map<string, Method<ModernCall>>([
  ['server/discover', async ({ caller }) => complete(caller, { ...(await discover(caller)), ...UNCACHED })],
  ['tools/list', modernLister('tools')],
  ['tools/call', checkedToolsCall],
  ['prompts/list', modernLister('prompts')],
  ['prompts/get', promptsGet],
  ['resources/list', modernLister('resources')],
  ['resources/templates/list', modernLister('templates')],
  ['resources/read', resourcesRead],
  ['completion/complete', completion],
  ['tasks/get', aboutTask('modern')],
  ['tasks/update', aboutTask('modern')],
  ['tasks/cancel', aboutTask('modern')],
]);

/**
 * Serves one message. What a method throws is answered as a JSON-RPC error.
 * @throws RpcFailure for what no client may send
 */
export async function serve(caller: Caller, message: RpcMessage): Promise<void> {
  if (!isRequest(message)) {
    if (!isNotification(message))
      throw new RpcFailure({ code: RPC.invalidRequest, message: 'Nothing was asked of the client' });
    // Nothing that a client can only notify of has a meaning here: who closes a response cancels its request.
    return sendEmpty(caller.response, 202);
  }
  const reply = new Reply(caller.response, message.id);
  traceRequest(caller.trace, message);
  try {
    const json = await run(caller, message, reply);
    if (json === undefined) return;
    caller.trace.resultBytes = sizeOf(json);
    reply.result(json);
  } catch (error) {
    caller.trace.failed(error);
    reportUnforeseen(caller.state.log, error);
    const answer = modernError(error, caller.trace);
    reply.error(answer, httpSideOf(error, error instanceof Malformed ? 400 : statusOf(answer)));
  }
}

/** @returns the result, unless the answer is a stream that goes on */
async function run(caller: Caller, message: RpcRequest, reply: Reply): Promise<Json | undefined> {
  const { asker, params, retry } = readAsker(caller.request.headers, message);
  const request = { ...message, params };
  const carrier = { caller, request: message, reply };
  const lead = retry.requestState === undefined ? undefined : openState(caller, message, retry.requestState);
  const parked = lead && 'parked' in lead ? comeBack(caller, message, lead.parked) : undefined;
  if (parked) {
    parked.attach(carrier);
    parked.answer(retry.inputResponses);
    return settle(caller, message, parked);
  }
  const round = new Round(asker, carrier);
  const back = lead && !('server' in lead) ? undefined : returned(retry, lead);
  const call = new ModernCall(caller, message, request, round, back);
  if (message.method === 'subscriptions/listen') return void (await listen(call));
  round.run(resultOf(call), caller);
  return settle(caller, message, round);
}

/**
 * The call that waits. Stale rights: while its client thought, a commit may have closed to it what it called; then the call is
 * given up, and the request is judged as if it were the first.
 * @throws RpcFailure invalid params
 */
function comeBack(caller: Caller, { method }: RpcRequest, id: string): Round | undefined {
  const round = caller.state.parked.take(id);
  if (!round) throw badState();
  const { identity, route } = caller;
  const { server, tool = '' } = round.trace;
  const closed = server !== undefined && !identity.grant.at(server, route.project).run;
  const denied = method === 'tools/call' && server !== undefined && route.catalogs.tools.refuses(server, tool);
  if (!closed && !denied) return round;
  round.abandon();
  return undefined;
}

function returned(
  { inputResponses }: Retry,
  lead: { server: string; state?: unknown } | undefined,
): Return | undefined {
  if (!lead && inputResponses === undefined) return undefined;
  const values = {
    ...(inputResponses === undefined ? {} : { inputResponses }),
    ...(lead?.state === undefined ? {} : { requestState: lead.state }),
  };
  return { values, ...(lead ? { server: lead.server } : {}) };
}

/** Waits for the result, or for a question to the client, which then is the result for now. */
async function settle(caller: Caller, message: RpcRequest, round: Round): Promise<Json> {
  const result = await Promise.race([round.result, round.asked]);
  if (result !== undefined) return result;
  caller.state.parked.park(round, caller.identity.key);
  round.detach();
  return inputRequired({ inputRequests: round.questions() }, sealState(caller, message, { parked: round.id }));
}

async function resultOf(call: ModernCall): Promise<Json> {
  const { request, caller } = call;
  const method = methods.get(request.method);
  const { logLevel } = call.round.asker;
  if (method && logLevel !== undefined) await tellServers(caller.route, logLevel);
  if (method) return method(call);
  throw methodNotFound(request.method);
}

async function checkedToolsCall(call: ModernCall): Promise<Json> {
  const { caller, request } = call;
  const { name, arguments: args } = request.params ?? {};
  const { catalogs, own } = caller.route;
  const { tools } = catalogs;
  if (own?.get(String(name))) return toolsCall(call);
  const target = typeof name === 'string' ? (tools.known(name) ?? (await tools.find(name))) : undefined;
  if (target) checkMirrors(caller.request.headers, target.item, args);
  return toolsCall(call);
}

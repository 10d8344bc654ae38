/** MCP ≤ 2025-11-25: `initialize`, sessions, and what may be asked within one. */
import { SlipwayError } from '../../schemas/errors.ts';
import {
  asMessage,
  isNotification,
  isRequest,
  LEGACY_VERSIONS,
  reasonIn,
  RPC,
  RpcFailure,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
} from '../../schemas/jsonrpc.ts';
import { traceRequest } from '../audit/requests.ts';
import type { Caller } from '../exchange.ts';
import { initialize } from '../methods/initialize.ts';
import { lister } from '../methods/lists.ts';
import { complete, promptsGet } from '../methods/prompts.ts';
import { resourcesRead, subscribe, unsubscribe } from '../methods/resources.ts';
import { setLevel } from '../methods/set-level.ts';
import { aboutTask, listTasks } from '../methods/tasks.ts';
import { toolsCall } from '../methods/tools-call.ts';
import { httpSideOf, reportUnforeseen, toAnswer } from '../rpc/errors.ts';
import { sizeOf, type Json } from '../rpc/json.ts';
import { Reply, type Answer } from '../rpc/reply.ts';
import { sendEmpty } from '../rpc/respond.ts';
import type { Session } from '../sessions/seal.ts';
import { lastingStream, sessionOf } from '../sessions/session.ts';
import type { Call, Method } from './era.ts';
import { LegacyCall } from './legacy-call.ts';

/** A method that is not here does not exist in this era. A Map, so that no inherited name (`constructor`) is one. */
const methods: ReadonlyMap<string, Method<Call>> = new Map<string, Method<Call>>([
  ['ping', () => '{}'],
  ['tools/list', lister('tools')],
  ['tools/call', toolsCall],
  ['prompts/list', lister('prompts')],
  ['prompts/get', promptsGet],
  ['resources/list', lister('resources')],
  ['resources/templates/list', lister('templates')],
  ['resources/read', resourcesRead],
  ['resources/subscribe', subscribe],
  ['resources/unsubscribe', unsubscribe],
  ['completion/complete', complete],
  ['logging/setLevel', setLevel],
  ['tasks/list', listTasks],
  ['tasks/get', aboutTask('legacy')],
  ['tasks/result', aboutTask('legacy')],
  ['tasks/cancel', aboutTask('legacy')],
]);

/** A client's notice reaches what it is about, or the servers of its route; what is for nobody is ignored. */
function notified({ state, route }: Caller, session: Session, notification: RpcNotification): void {
  const { method, params } = notification;
  if (method === 'notifications/cancelled') state.calls.cancel(session.id, params?.['requestId'], reasonIn(params));
  else if (method === 'notifications/progress') state.asks.receive(session.id, notification);
  // `initialized` was said to servers by the gateway itself, once for all of its clients.
  else if (method === 'notifications/roots/list_changed' || (route.single && method !== 'notifications/initialized'))
    for (const server of route.servers) server.notify(method, params, session.id);
}

/** @throws SlipwayError `unsupported-version` for a header that names another era or none we know */
export function checkVersion(header: string | string[] | undefined): void {
  if (header === undefined || (LEGACY_VERSIONS as readonly unknown[]).includes(header)) return;
  const versions = LEGACY_VERSIONS.join(', ');
  throw new SlipwayError(
    'unsupported-version',
    `Bad Request: Unsupported protocol version (supported versions: ${versions})`,
    { hint: `Use one of ${versions}.` },
  );
}

/** @throws RpcFailure invalid request; also for batches, which most revisions do not have (`routes/batch.ts`) */
export function decode(body: unknown): RpcMessage {
  const message = asMessage(body);
  if (message) return message;
  const what = Array.isArray(body) ? 'Batches are not supported' : 'Not a JSON-RPC message';
  throw new RpcFailure({ code: RPC.invalidRequest, message: `Invalid Request: ${what}` });
}

/**
 * Serves one message. What a method throws is answered as a JSON-RPC error over HTTP 200.
 * @throws SlipwayError for what refuses the HTTP request as such: a missing, foreign or ended session
 */
export function serve(caller: Caller, message: RpcMessage): void | Promise<void> {
  const starts = isRequest(message) && message.method === 'initialize';
  const session = starts ? undefined : sessionOf(caller);
  if (!isRequest(message)) {
    if (session) heard(caller, session, message);
    return sendEmpty(caller.response, 202);
  }
  const reply = new Reply(caller.response, message.id, session && (() => lastingStream(caller, session, [message.id])));
  return answer(caller, session, message, reply);
}

/** What the client of a session says without asking: a notice, or the answer to a question. */
export function heard(caller: Caller, session: Session, message: RpcNotification | RpcResponse): void {
  if (isNotification(message)) notified(caller, session, message);
  else caller.state.asks.receive(session.id, message);
}

/** Answers one request, wherever the answer goes. Never throws. @param session none for `initialize` */
export async function answer(
  caller: Caller,
  session: Session | undefined,
  request: RpcRequest,
  reply: Answer,
): Promise<void> {
  const { trace } = caller;
  traceRequest(trace, request);
  trace.session = session?.id;
  try {
    const json = await run(caller, session, request, reply);
    trace.resultBytes = sizeOf(json);
    reply.result(json);
  } catch (error) {
    trace.failed(error);
    reportUnforeseen(caller.state.log, error);
    reply.error(toAnswer(error, trace), httpSideOf(error, 200));
  }
}

function run(caller: Caller, session: Session | undefined, request: RpcRequest, reply: Answer): Json | Promise<Json> {
  if (!session) return initialize(caller, request, reply);
  const call = new LegacyCall(caller, request, session, reply);
  const method = methods.get(request.method);
  if (method) return method(call);
  throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${request.method}` });
}

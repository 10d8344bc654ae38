/**
 * Several messages in one body, which only MCP 2025-03-26 has ("JSON-RPC batch"). Limit evasion: to limits, audit and traces each of them is
 * a request of its own, or one body could run any number of calls past them. All are answered on one event stream, each when it can be.
 */
import { asMessage, isRequest, RPC, RpcFailure, type RpcMessage, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { finish } from '../audit/finish.ts';
import { traceRequest } from '../audit/requests.ts';
import { Trace } from '../audit/trace.ts';
import { answer, decode, heard } from '../era/legacy.ts';
import type { Caller, Holder } from '../exchange.ts';
import { toAnswer } from '../rpc/errors.ts';
import { sendEmpty } from '../rpc/respond.ts';
import { SharedAnswers } from '../rpc/shared-answers.ts';
import type { Session } from '../sessions/seal.ts';
import { lastingStream, sessionOf } from '../sessions/session.ts';
import { limit, settle } from '../steps/limit.ts';

const VERSION = '2025-03-26';
/** More than any client sends at a time. */
const MOST = 100;

/** @throws RpcFailure invalid request: nothing of it is done then */
export async function serveBatch(caller: Caller, body: readonly unknown[]): Promise<void> {
  const session = sessionOf(caller);
  if (session.version !== VERSION) decode(body);
  const messages = readBatch(body);
  const requests = messages.filter(isRequest);
  for (const message of messages) if (!isRequest(message)) heard(caller, session, message);
  if (requests.length === 0) return sendEmpty(caller.response, 202);
  const answers = new SharedAnswers(lastingStream(caller, session, caller.response), requests.length);
  await Promise.all(requests.map((request, at) => serveOne(caller, session, request, answers, at === 0)));
}

/** @throws RpcFailure */
function readBatch(body: readonly unknown[]): RpcMessage[] {
  const messages = body.slice(0, MOST).map(asMessage);
  const odd = messages.findIndex((message) => !message || (isRequest(message) && message.method === 'initialize'));
  const what =
    body.length === 0 || body.length > MOST
      ? `A batch has 1 to ${MOST} messages`
      : odd >= 0 && `No. ${odd + 1} of the batch is nothing that may stand in one`;
  if (what) throw new RpcFailure({ code: RPC.invalidRequest, message: `Invalid Request: ${what}` });
  return messages as RpcMessage[];
}

/** Never throws. @param isFirst what the whole of it was let in with, this one has */
async function serveOne(
  caller: Caller,
  session: Session,
  request: RpcRequest,
  answers: SharedAnswers,
  isFirst: boolean,
): Promise<void> {
  const { state, identity, trace: whole } = caller;
  const trace = new Trace(caller.request);
  trace.principal = whole.principal;
  trace.grant = whole.grant;
  trace.project = whole.project;
  trace.bodyBytes = whole.bodyBytes;
  const holder: Holder = { ...caller, trace, held: undefined };
  const reply = answers.to(request.id);
  try {
    const { course, permit } = isFirst ? caller : limit(holder, identity, whole.project);
    permit?.hold('concurrency');
    await answer({ ...caller, trace, course, permit }, session, request, reply);
  } catch (error) {
    traceRequest(trace, request);
    trace.failed(error);
    reply.error(toAnswer(error, trace));
  }
  const held = isFirst ? caller.permit : holder.held;
  if (held) settle(held, trace);
  // The first's goes with the whole.
  holder.held?.release();
  finish(state, holder);
}

/**
 * Several messages in one body, which only MCP 2025-03-26 has ("JSON-RPC batch"). Limit evasion: to limits, audit and traces each of them is
 * one of its own, or one body could carry any number of them past all. Requests are answered on one event stream, each when it can be.
 */
import { asMessage, isRequest, RPC, RpcFailure, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { finish } from '../audit/finish.ts';
import { traceRequest } from '../audit/requests.ts';
import { Trace } from '../audit/trace.ts';
import { answer, heard } from '../era/legacy.ts';
import type { Caller, Holder, Limited } from '../exchange.ts';
import type { Permit } from '../limits/limiter.ts';
import { toAnswer } from '../rpc/errors.ts';
import { sendEmpty } from '../rpc/respond.ts';
import { SharedAnswers } from '../rpc/shared-answers.ts';
import type { Session } from '../sessions/seal.ts';
import { lastingStream, sessionOf } from '../sessions/session.ts';
import { limit, settle } from '../steps/limit.ts';

const VERSION = '2025-03-26';
/** More than any client sends at a time. */
const MOST_MESSAGES = 100;
/** What may wait for a client before its calls count as running on (bytes). */
const UNREAD = 1024 * 1024;

/** A message of a batch. */
interface Part {
  readonly caller: Caller;
  readonly session: Session;
  readonly message: RpcMessage;
  /** Absent where nothing of the batch is to be answered. */
  readonly answers: SharedAnswers | undefined;
  /** What is given back when all is out. */
  readonly late: Permit[];
}

/** @throws RpcFailure invalid request, SlipwayError as for one message: nothing of it is done then */
export async function serveBatch(caller: Caller, body: readonly unknown[]): Promise<void> {
  const session = sessionOf(caller);
  const messages = readBatch(session, body);
  const due = messages.filter(isRequest).map(({ id }) => id);
  const answers = due.length === 0 ? undefined : new SharedAnswers(lastingStream(caller, session, due), due.length);
  const late: Permit[] = [];
  caller.response.once('close', () => late.forEach((permit) => permit.release()));
  // What the body was let in with is the first's.
  const parts = messages.map((message, at) =>
    serve({ caller, session, message, answers, late }, at === 0 ? caller : undefined),
  );
  if (!answers) sendEmpty(caller.response, 202);
  await Promise.all(parts);
}

/** @throws RpcFailure */
function readBatch({ version }: Session, body: readonly unknown[]): RpcMessage[] {
  const messages = body.slice(0, MOST_MESSAGES).map(asMessage);
  const odd = messages.findIndex((message) => !message || (isRequest(message) && message.method === 'initialize'));
  const problem =
    version !== VERSION
      ? 'Batches are not supported'
      : body.length === 0 || body.length > MOST_MESSAGES
        ? `A batch has 1 to ${MOST_MESSAGES} messages`
        : odd >= 0 && `No. ${odd + 1} of the batch is nothing that may stand in one`;
  if (problem) throw new RpcFailure({ code: RPC.invalidRequest, message: `Invalid Request: ${problem}` });
  return messages as RpcMessage[];
}

/** Never throws. @param given what it is let in with; absent: it has to be let in as if it came alone */
async function serve({ caller, session, message, answers, late }: Part, given: Limited | undefined): Promise<void> {
  const { state, response } = caller;
  const trace = traceOf(caller, session, message);
  const holder: Holder = { ...caller, trace, held: given?.permit };
  const reply = isRequest(message) ? answers?.to(message.id) : undefined;
  try {
    const limited = given ?? admitted(holder, caller);
    if (!isRequest(message)) heard(caller, session, message);
    else if (reply) {
      limited.permit?.hold('concurrency');
      await answer({ ...caller, ...limited, trace }, session, message, reply);
    }
  } catch (error) {
    if (isRequest(message)) traceRequest(trace, message);
    trace.failed(error);
    reply?.error(toAnswer(error, trace));
  }
  finish(state, holder);
  const { held } = holder;
  if (!held) return;
  settle(held, trace);
  // Memory exhaustion: what waits for a client that does not read is still work.
  if (response.destroyed || response.writableLength < UNREAD) held.release();
  else late.push(held);
}

/** @throws SlipwayError `rate-limited`, `concurrency-limited` */
function admitted(holder: Holder, { state, identity, trace: whole }: Caller): Limited {
  state.addresses.check(holder);
  return limit(holder, identity, whole.project);
}

/** It is an event of its own, found by what the answer says it is. */
function traceOf({ request, trace: whole }: Caller, session: Session, message: RpcMessage): Trace {
  const trace = new Trace(request);
  trace.correlationId ??= whole.requestId;
  trace.principal = whole.principal;
  trace.grant = whole.grant;
  trace.project = whole.project;
  trace.session = session.id;
  trace.bodyBytes = Buffer.byteLength(JSON.stringify(message));
  return trace;
}

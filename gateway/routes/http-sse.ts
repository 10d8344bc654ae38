/**
 * The HTTP+SSE transport (MCP 2024-11-05, basic/transports), deprecated since 2025-03-26: a GET opens the stream of a
 * session, its first event says where to POST, and whatever is posted is answered on the stream.
 */
import { SlipwayError } from '../../schemas/errors.ts';
import { isRequest } from '../../schemas/jsonrpc.ts';
import { answer, decode, heard } from '../era/legacy.ts';
import type { Caller } from '../exchange.ts';
import { sendEmpty } from '../rpc/respond.ts';
import { SseWriter } from '../rpc/sse-writer.ts';
import { namesOf } from '../sessions/capabilities.ts';
import { StreamedAnswer, type OldSession } from '../sessions/old-sessions.ts';
import { endSession } from '../sessions/session.ts';
import type { Stream } from '../sessions/streams.ts';
import { parseJson, readBody } from '../steps/body.ts';
import { checkAccept, checkContentType } from './mcp.ts';

const VERSION = '2024-11-05';

/** A stream of its own for each session; its first event says where to POST. */
export function openOld(caller: Caller): void {
  const { state, source, request, response, identity, route, path } = caller;
  checkAccept(request, ['text/event-stream']);
  const id = state.seal.open({ route: route.path, principal: identity.key, version: VERSION, capabilities: [] });
  const session = state.seal.read(id);
  if (!session) throw new SlipwayError('internal');
  state.streams.claim(session.id, identity);
  const writer = new SseWriter(response);
  writer.named('endpoint', `${path.replace(/sse$/, 'messages')}?sessionId=${id}`);
  const own: OldSession = { session, writer, onGone: new Set() };
  state.oldSessions.set(session.id, own);
  const stream: Stream = {
    sessionId: session.id,
    route: route.path,
    identity,
    source,
    expiresAt: Infinity,
    writer,
    answers: true,
  };
  state.streams.add(stream);
  response.once('close', () => {
    state.oldSessions.delete(session.id);
    for (const listener of own.onGone) listener();
    state.streams.remove(stream);
    endSession(caller, session);
  });
}

/** One message of a session; what answers it goes out on its stream. */
export async function postOld(caller: Caller): Promise<void> {
  const { generation, request, response, course, permit, trace } = caller;
  generation.enter();
  try {
    checkContentType(request);
    const own = sessionOf(caller);
    const body = await readBody(request, response, course.bodyBytes);
    trace.bodyBytes = body.length;
    const message = decode(parseJson(body));
    if (isRequest(message)) permit?.hold('concurrency');
    sendEmpty(response, 202);
    if (!isRequest(message)) return heard(caller, own.session, message);
    const starts = message.method === 'initialize';
    if (starts) own.session = { ...own.session, capabilities: namesOf(message.params?.['capabilities']) };
    await answer(caller, starts ? undefined : own.session, message, new StreamedAnswer(own, message.id));
  } finally {
    generation.leave();
  }
}

/** Session hijack: the id is worth nothing without the credentials, on another route, or without its stream. */
function sessionOf({ state, request, identity, route }: Caller): OldSession {
  const { searchParams } = new URL(request.url ?? '', 'http://localhost');
  const sealed = state.seal.read(searchParams.get('sessionId') ?? '');
  const own = sealed && state.oldSessions.get(sealed.id);
  if (!own || sealed.principal !== identity.key || sealed.route !== route.path)
    throw new SlipwayError('session-not-found');
  return own;
}

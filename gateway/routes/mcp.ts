/** MCP's Streamable HTTP: what POST, GET and DELETE mean, and which headers they need. */
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { isRequest, type Id } from '../../schemas/jsonrpc.ts';
import { MODERN_VERSION } from '../../schemas/modern.ts';
import { toRpcError } from '../../schemas/jsonrpc.ts';
import { checkVersion, decode, serve as serveLegacy } from '../era/legacy.ts';
import { isModern } from '../era/modern-request.ts';
import { serve as serveModern } from '../era/modern.ts';
import type { Caller } from '../exchange.ts';
import { sendEmpty } from '../rpc/respond.ts';
import { SseWriter } from '../rpc/sse-writer.ts';
import { placeOf } from '../sessions/event-names.ts';
import { endSession, expiryOf, lastingStream, sessionOf } from '../sessions/session.ts';
import { parseJson, readBody } from '../steps/body.ts';
import { serveBatch } from './batch.ts';

const MCP_PATH = /^\/(?:mcp|projects\/[^/]+\/mcp|servers\/[^/]+\/mcp)$/;

/** By shape, so that whether a route exists is told only to those who may know. */
export const isMcpPath = (path: string): boolean => MCP_PATH.test(path);

const methods: Readonly<Record<string, (caller: Caller) => void | Promise<void>>> = {
  POST: post,
  GET: get,
  DELETE: remove,
};

/** @param caller whose method is one of POST, GET and DELETE */
export function serveMcp(caller: Caller): void | Promise<void> {
  return methods[caller.request.method ?? '']?.(caller);
}

/** One message from the client. It counts as running under its snapshot until it is answered. */
async function post(caller: Caller): Promise<void> {
  const { generation, request, response, course, permit, trace } = caller;
  generation.enter();
  try {
    checkContentType(request);
    checkAccept(request, ['application/json', 'text/event-stream']);
    const body = await readBody(request, response, course.bodyBytes);
    trace.bodyBytes = body.length;
    const said = parseJson(body);
    if (Array.isArray(said)) {
      checkVersion(request.headers['mcp-protocol-version']);
      return await serveBatch(caller, said);
    }
    const message = decode(said);
    if (isRequest(message)) permit?.hold('concurrency');
    if (isModern(request.headers, message)) return await serveModern(caller, message);
    checkVersion(request.headers['mcp-protocol-version']);
    await serveLegacy(caller, message);
  } finally {
    generation.leave();
  }
}

/** Opens the session's stream: what the gateway says unasked. Or goes on with any of its streams where it broke off. */
function get(caller: Caller): void {
  const { state, source, generation, request, response, identity, route } = caller;
  checkEra(caller);
  checkAccept(request, ['text/event-stream']);
  checkVersion(request.headers['mcp-protocol-version']);
  const session = sessionOf(caller);
  const { 'last-event-id': last } = request.headers;
  const place = typeof last === 'string' ? placeOf(last) : undefined;
  const missed = place && state.replays.find(session.id, place);
  const isLost = place?.about && (!missed || missed.stream.lost(missed.after));
  if (isLost) return tellLost(response, place.about);
  if (missed) return missed.stream.attach(response, missed);
  state.streams.claim(session.id, identity);
  const writer = lastingStream(caller, session);
  const stream = {
    sessionId: session.id,
    session,
    route: route.path,
    identity,
    source,
    expiresAt: expiryOf(session, generation.snapshot.gateway.sessionTtlMs),
    writer,
  };
  state.streams.add(stream);
  writer.onAbandoned(() => state.streams.remove(stream));
}

/** Answers an attempt to resume a stream that is forgotten: each request that it was to answer fails, and nobody waits for them in vain. */
function tellLost(response: HttpResponse, about: readonly Id[]): void {
  const lost = new SlipwayError('answer-lost');
  if (about.length === 0) throw lost;
  const writer = new SseWriter(response);
  for (const id of about) writer.event(JSON.stringify({ jsonrpc: '2.0', id, error: toRpcError(lost) }));
  writer.end();
}

/** Ends the session. */
function remove(caller: Caller): void {
  checkEra(caller);
  checkVersion(caller.request.headers['mcp-protocol-version']);
  endSession(caller, sessionOf(caller));
  sendEmpty(caller.response, 204);
}

/** Since 2026-07-28 there is no session to listen in, or to end. */
function checkEra({ request, response }: Caller): void {
  if (request.headers['mcp-protocol-version'] !== MODERN_VERSION) return;
  response.setHeader('Allow', 'POST');
  throw new SlipwayError('method-not-allowed');
}

/** Cross-site forms and simple requests can only send other types, so a page cannot post without a CORS preflight. */
export function checkContentType(request: HttpRequest): void {
  if (/^application\/json *(?:;|$)/i.test(request.headers['content-type'] ?? '')) return;
  throw new SlipwayError('bad-request', 'The Content-Type must be application/json.');
}

/** No Accept at all means that anything will do. */
export function checkAccept({ headers: { accept } }: HttpRequest, types: readonly string[]): void {
  if (accept === undefined || accept.includes('*/*')) return;
  const ranges = accept.split(',').map((range) => range.split(';', 1)[0]?.trim().toLowerCase());
  if (!types.every((type) => ranges.includes(type) || ranges.includes(`${type.slice(0, type.indexOf('/'))}/*`)))
    throw new SlipwayError('not-acceptable', `Accept must include ${types.join(' and ')}.`);
}

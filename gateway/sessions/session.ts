/** Which session a request belongs to, and how one ends. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Id } from '../../schemas/jsonrpc.ts';
import type { Caller } from '../exchange.ts';
import type { ResumableStream } from './replay.ts';
import type { Session } from './seal.ts';

/**
 * Session hijack: an id is worth nothing without the credentials, and on no route but its own. Every reason to refuse
 * looks the same, so that a guesser learns nothing.
 * @throws SlipwayError `bad-request` without an id, `session-not-found` for any that is not this caller's
 */
export function sessionOf({ state, generation, request, identity, route }: Caller): Session {
  const { 'mcp-session-id': id } = request.headers;
  if (typeof id !== 'string')
    throw new SlipwayError('bad-request', 'The Mcp-Session-Id header is missing.', { hint: 'Initialize first.' });
  const session = state.seal.read(id);
  if (
    !session ||
    session.principal !== identity.key ||
    session.route !== route.path ||
    expiryOf(session, generation.snapshot.gateway.sessionTtlMs) <= Date.now() ||
    state.ended.has(session.id)
  )
    throw new SlipwayError('session-not-found');
  return session;
}

/** Unix time in ms. */
export function expiryOf(session: Session, ttlMs: number): number {
  return session.createdAt + ttlMs;
}

/** Opens an event stream of the session on a connection, and beyond it. @param about the requests that it is to answer, if any */
export function lastingStream({ state, response }: Caller, session: Session, about?: readonly Id[]): ResumableStream {
  const stream = state.replays.open(session.id, about);
  stream.attach(response, { prime: primes(session) });
  return stream;
}

/** Older clients would take an event without a message for a broken one. */
export const primes = ({ version }: Session): boolean => version >= '2025-11-25';

export function endSession({ state, generation }: Caller, session: Session): void {
  state.ended.add(session.id, expiryOf(session, generation.snapshot.gateway.sessionTtlMs));
  state.streams.end(session.id);
  state.replays.end(session.id);
  state.levels.end(session.id);
  state.subscriptions.end(session.id);
  state.plugins.ended(session.id);
  state.onEnded(session.id);
}

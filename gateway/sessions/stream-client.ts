/** A client between its calls: what can be meant for nobody else, it is asked and told on the stream that it listens to. */
import type { Client } from '../../schemas/peer.ts';
import type { State } from '../exchange.ts';
import { askClient } from './asking.ts';
import { capabilitiesFrom } from './capabilities.ts';
import type { Stream } from './streams.ts';
import type { TaskRef } from './tasks.ts';

/** @param at who wants to ask @returns `undefined` for a stream of no session */
export function streamClient(state: State, stream: Stream, at: Omit<TaskRef, 'id'>): Client | undefined {
  const { session, identity, writer } = stream;
  if (!session) return undefined;
  /** Memory exhaustion: a client that does not read is told nothing more. */
  const say = (message: object): boolean => {
    const isThere = writer.attached && writer.keepsUp;
    if (isThere) writer.event(JSON.stringify(message));
    return isThere;
  };
  const peer = state.asks.onStream(stream, session.id, say);
  return {
    id: session.id,
    principal: session.principal,
    capabilities: capabilitiesFrom(session.capabilities),
    info: undefined,
    logLevel: state.levels.of(session.id),
    takesInput: false,
    request: (request, asked) => askClient({ state, identity, session, peer, at }, request, asked),
    notify: (notification) => void say(notification),
    waits: () => {},
  };
}

/** A client between its calls: what can be meant for nobody else, it is asked and told on the stream that it listens to. */
import { progressTokenOf, RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Client, Peer } from '../../schemas/peer.ts';
import type { State } from '../exchange.ts';
import { ANSWER_TIMEOUT, MAX_WAITING } from './call-client.ts';
import { capabilitiesFrom, checkCapabilities } from './capabilities.ts';
import type { Stream } from './streams.ts';

/** The conversation on a stream: one, so that what waits on it is counted. */
const peers = new WeakMap<Stream, Peer>();

/** @returns `undefined` for a stream of no session */
export function streamClient({ asks, levels }: Pick<State, 'asks' | 'levels'>, stream: Stream): Client | undefined {
  const { session, writer } = stream;
  if (!session) return undefined;
  let peer = peers.get(stream);
  if (!peer) {
    peer = asks.open(session.id, (message) => {
      if (writer.attached) writer.event(JSON.stringify(message));
      return writer.attached;
    });
    peers.set(stream, peer);
  }
  const asking = peer;
  return {
    id: session.id,
    principal: session.principal,
    capabilities: capabilitiesFrom(session.capabilities),
    info: undefined,
    logLevel: levels.of(session.id),
    takesInput: false,
    request: async ({ method, params = {} }, { signal, progress }) => {
      checkCapabilities(session.capabilities, method, params);
      if (asking.inFlight >= MAX_WAITING)
        throw new RpcFailure({ code: RPC.invalidRequest, message: 'Too many questions wait for an answer' });
      return asking.request(method, params, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT)]),
        ...(progressTokenOf(params) === undefined ? {} : { onProgress: progress }),
      });
    },
    notify: (notification) => writer.event(JSON.stringify(notification)),
  };
}

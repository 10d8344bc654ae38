/** A server's question on its way to the client of a session, in that client's words, and the answer on its way back. */
import { progressTokenOf, RPC, RpcFailure, type RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Asked, Peer } from '../../schemas/peer.ts';
import { related } from '../../schemas/tasks.ts';
import type { Identity } from '../auth/identity.ts';
import type { State } from '../exchange.ts';
import { checkCapabilities } from './capabilities.ts';
import type { Session } from './seal.ts';
import type { TaskRef } from './tasks.ts';

/** How long a person may think before a question counts as unanswered (ms). */
const ANSWER_TIMEOUT = 15 * 60_000;
/** Questions that one call, or one stream, may have open: a server must not fill the memory, or a person's screen. */
const MAX_WAITING = 100;

export interface Asking {
  readonly state: Pick<State, 'elicitations' | 'tasks'>;
  readonly identity: Identity;
  readonly session: Session;
  /** The conversation with the client. */
  readonly peer: Peer;
  /** Who asks. */
  readonly at: Omit<TaskRef, 'id'>;
}

/** @throws RpcFailure for what the client cannot be asked, or refuses; SlipwayError `cancelled` */
export async function askClient(
  { state: { elicitations, tasks }, identity, session, peer, at }: Asking,
  { method, params = {} }: RpcRequest,
  { signal, progress }: Pick<Asked, 'signal' | 'progress'>,
): Promise<unknown> {
  checkCapabilities(session.capabilities, method, params);
  if (peer.inFlight >= MAX_WAITING)
    throw new RpcFailure({ code: RPC.invalidRequest, message: 'Too many questions of one call wait for an answer' });
  elicitations.add(at.server, params['elicitationId'], session.id);
  const asked = related(params, (id) => tasks.nameFor(identity, { ...at, id }));
  const answer = await peer.request(
    method,
    { ...asked },
    {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT)]),
      ...(progressTokenOf(params) === undefined ? {} : { onProgress: progress }),
    },
  );
  return related((answer ?? {}) as Record<string, unknown>, (id) => tasks.find(identity, id).id);
}

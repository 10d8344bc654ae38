/** Work of the gateway's own for a call, which ends with the call. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Call } from '../era/era.ts';

/** @param work its signal tells that the client went away, took the call back, or that the gateway ends: a SlipwayError */
export async function whileWanted<T>(call: Call, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { calls } = call.caller.state;
  const gone = new AbortController();
  const stay = call.onGone(() => gone.abort(new SlipwayError('cancelled', 'The client went away.')));
  const running = calls.add(call.id, call.request.id, gone);
  try {
    return await work(gone.signal);
  } finally {
    stay();
    calls.remove(running);
  }
}

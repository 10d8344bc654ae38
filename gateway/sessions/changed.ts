/** One client is told that a list has changed for it, after the answer that it waits for. */
import type { Call } from '../era/era.ts';
import type { Stream } from './streams.ts';

/** @param method `notifications/tools/list_changed`, or one of the others */
export function tellChanged(call: Call, method: string): void {
  const { caller, trace } = call;
  const { state, route, response, identity } = caller;
  const notice = { jsonrpc: '2.0', method } as const;
  const own = trace.session;
  const isTold = (stream: Stream): boolean =>
    stream.identity.key === identity.key &&
    (identity.kind === 'token' || identity.kind === 'user' || own === undefined || stream.sessionId === own);
  const tell = (): void => state.streams.notify(route.path, notice, isTold);
  // After the answer. Over the transport of 2024-11-05 that comes another way, and the response has ended long ago.
  if (response.writableEnded) setImmediate(tell);
  else response.once('close', tell);
  // Who listens on no stream of its session hears of it on that of the call.
  if (own !== undefined && !state.streams.has(own)) call.notify(notice.method, undefined);
}

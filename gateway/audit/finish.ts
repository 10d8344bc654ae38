/** The end of a request: if it was an event, it is handed over. */
import type { Exchange, State } from '../exchange.ts';

type Finished = Pick<Exchange, 'generation' | 'request' | 'response' | 'trace'>;

export function finish({ audit, tracing }: Pick<State, 'audit' | 'tracing'>, finished: Finished): void {
  const { generation, request, response, trace } = finished;
  if (tracing.spans && trace.method !== '') {
    trace.status = response.statusCode;
    tracing.spans.finish(trace);
  }
  if (!trace.matters) return;
  trace.durationMs = performance.now() - trace.began;
  trace.status = response.statusCode;
  trace.commit = generation.snapshot.commit;
  if (!trace.allowed) trace.address = request.socket.remoteAddress;
  // For what was refused before it was read.
  trace.method ||= `${request.method ?? ''} ${request.url?.split('?', 1)[0] ?? ''}`;
  audit.record(trace);
}

/** The end of a request: if it was an event, it is handed over. */
import type { Exchange, State } from '../exchange.ts';

type Finished = Pick<Exchange, 'generation' | 'request' | 'response' | 'trace'>;

export function finish({ audit, tracing, log }: Pick<State, 'audit' | 'tracing' | 'log'>, finished: Finished): void {
  const { generation, request, response, trace } = finished;
  if (generation.snapshot.gateway.logging?.level === 'debug') log('debug', 'request', accessFields(finished));
  if (tracing.spans && trace.method !== '') {
    trace.status = response.statusCode;
    tracing.spans.finish(trace);
  }
  if (!trace.matters) return;
  if (trace.outcome === 'ok' && response.statusCode >= 400) trace.outcome = 'failed';
  trace.durationMs = performance.now() - trace.began;
  trace.status = response.statusCode;
  trace.commit = generation.snapshot.commit;
  if (!trace.allowed) trace.address = request.socket.remoteAddress;
  // For what was refused before it was read.
  trace.method ||= `${request.method ?? ''} ${request.url?.split('?', 1)[0] ?? ''}`;
  audit.record(trace);
}

/** One request in the log; names as in lazy-mcp's access log, with who it was and under which commit. */
function accessFields({ generation, request, response, trace }: Finished): Readonly<Record<string, unknown>> {
  const forwarded = request.headers['x-forwarded-for'];
  return {
    requestId: trace.requestId,
    clientIp: request.socket.remoteAddress,
    // Only what the client claims.
    forwardedFor: typeof forwarded === 'string' ? forwarded.slice(0, 256) : undefined,
    httpMethod: request.method,
    path: request.url?.split('?', 1)[0],
    mcpMethod: trace.method || undefined,
    downstreamCommand: trace.tool,
    downstreamServer: trace.server,
    principal: trace.principal,
    project: trace.project,
    status: response.statusCode,
    reason: trace.deniedReason,
    durationMs: Math.round((performance.now() - trace.began) * 1000) / 1000,
    revision: generation.snapshot.commit,
  };
}

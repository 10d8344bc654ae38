/** The end of a request: if it was an event, it is handed over. */
import type { Exchange, State } from '../exchange.ts';
import { addressOf } from '../limits/addresses.ts';
import { HOOKS_PATH } from '../routes/hooks.ts';

type Told = Pick<State, 'audit' | 'tracing' | 'log' | 'denials'>;
type Finished = Pick<Exchange, 'generation' | 'request' | 'response' | 'trace'>;

export function finish({ audit, tracing, log, denials }: Told, finished: Finished): void {
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
  if (!trace.allowed) trace.address = clientOf(finished);
  // For what was refused before it was read.
  trace.method ||= `${request.method ?? ''} ${shownPath(request)}`;
  audit.record(trace);
  if (!trace.allowed) denials.add(trace, trace.commit);
}

/** Without what is nobody's business: the path that hooks come to may be a secret. */
function shownPath({ url = '' }: Exchange['request']): string {
  const path = url.split('?', 1)[0] ?? '';
  return path.startsWith(`${HOOKS_PATH}/`) ? `${HOOKS_PATH}/…` : path;
}

/** Behind a proxy all come from its address, so it says who it is; nothing on a unix socket. */
function clientOf({ generation, request }: Finished): string | undefined {
  return addressOf(request, generation.snapshot.limits?.perAddress?.trustedHops ?? 0) || undefined;
}

/** One request in the log; names as in lazy-mcp's access log, with who it was and under which commit. */
function accessFields(finished: Finished): Readonly<Record<string, unknown>> {
  const { generation, request, response, trace } = finished;
  const forwarded = request.headers['x-forwarded-for'];
  return {
    requestId: trace.requestId,
    clientIp: clientOf(finished),
    // Only what the client claims.
    forwardedFor: typeof forwarded === 'string' ? forwarded.slice(0, 256) : undefined,
    httpMethod: request.method,
    path: shownPath(request),
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

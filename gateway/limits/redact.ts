/** Secrets of a known shape do not leave with what servers answer, where the config says so. */
import { RpcFailure, type RpcError } from '../../schemas/jsonrpc.ts';
import { redactValue } from '../../schemas/secret-shapes.ts';
import type { Call } from '../era/era.ts';
import type { Caller } from '../exchange.ts';
import type { Server } from '../upstream/server.ts';

/** Whether anything is to be looked through: where not, nothing is. */
export function redacts({ generation, route }: Caller, server: Server): boolean {
  const { gateway, routes } = generation.snapshot;
  return (server.entry.redact ?? routes[route.path]?.redact ?? gateway.redact) === true;
}

/** @param answer a result, as the server gave it */
export function clean(call: Call, server: Server, answer: unknown): unknown {
  if (!redacts(call.caller, server)) return answer;
  const { value, count } = redactValue(answer);
  told(call, server, count);
  return value;
}

/** The same for a refusal: what went wrong is often told with what it went wrong with. */
export function cleanError(call: Call, server: Server, error: unknown): unknown {
  if (!(error instanceof RpcFailure) || !redacts(call.caller, server)) return error;
  const { value, count } = redactValue(error.error);
  told(call, server, count);
  return count > 0 ? new RpcFailure(value as RpcError) : error;
}

/** How many, never what. */
function told({ caller, trace }: Call, server: Server, count: number): void {
  if (count === 0) return;
  caller.state.metrics.of(server.name).redactions += count;
  trace.detail = { ...trace.detail, redactions: count };
}

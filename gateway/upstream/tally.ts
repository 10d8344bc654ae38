/** What became of calls, as far as it says something about the instance: a rollout reads its error rate from it. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { SlipwayError, type ErrorCode } from '../../schemas/errors.ts';
import { RawResult } from './raw-result.ts';

export function count(tally: { calls: number; errors: number }, isError: boolean): void {
  tally.calls++;
  if (isError) tally.errors++;
}

/** A tool that failed says so in its result (MCP `CallToolResult.isError`). */
export function failed(result: unknown): boolean {
  if (result instanceof RawResult) return result.isError;
  return typeof result === 'object' && result !== null && (result as { isError?: unknown }).isError === true;
}

/** What ended a call without the instance having a part in it. */
const OTHERS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'cancelled',
  'shutting-down',
  'request-timeout',
  'needs-authorization',
  'blocked',
]);

/** Whether the end of a call says anything about the instance: one that its client took back, or may not wait for, does not. */
export function isVerdict(error: unknown): boolean {
  return !(error instanceof SlipwayError) || !OTHERS.has(error.code);
}

/** Whether an error is the instance's fault, and not that of who called it with the wrong name or arguments. */
export function isFault(error: unknown): boolean {
  return !(error instanceof RpcFailure) || error.error.code !== RPC.invalidParams;
}

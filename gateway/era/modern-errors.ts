/** What goes wrong, in the words of MCP 2026-07-28: its error codes, and the HTTP status that goes with them. */
import { RPC, RpcFailure, type RpcError } from '../../schemas/jsonrpc.ts';
import { isModernError } from '../../schemas/modern.ts';
import type { Trace } from '../audit/trace.ts';
import { toAnswer } from '../rpc/errors.ts';
import { URL_ELICITATION_REQUIRED } from '../sessions/elicitations.ts';

/** The range that the specification keeps for itself. */
const RESERVED_FROM = -32_099;
const RESERVED_TO = -32_020;

export function modernError(error: unknown, trace: Trace): RpcError {
  const said = toAnswer(error, trace);
  return { ...said, code: translated(said) };
}

export function statusOf(error: RpcError): number {
  if (error.code === RPC.methodNotFound) return 404;
  return isModernError(error) ? 400 : 200;
}

/** Codes that older revisions had, and this one must not say. */
function translated(error: RpcError): number {
  const { code } = error;
  if (code === RPC.resourceNotFound) return RPC.invalidParams;
  const reserved = code >= RESERVED_FROM && code <= RESERVED_TO && !isModernError(error);
  return reserved || code === RPC.upstream ? RPC.internalError : code;
}

/** The visits to web pages that a call of MCP 2025-11-25 needs first, as questions; `undefined` if it is not that. */
export function urlsRequired(error: unknown, declared: readonly string[]): Record<string, unknown> | undefined {
  if (!(error instanceof RpcFailure) || error.error.code !== URL_ELICITATION_REQUIRED) return undefined;
  const { elicitations } = (error.error.data ?? {}) as { elicitations?: unknown };
  const askable = Array.isArray(elicitations) && elicitations.length > 0 && declared.includes('elicitation.url');
  if (!askable) return undefined;
  const questions = (elicitations as ({ message?: unknown; url?: unknown } | null)[]).map((wanted, at) => [
    `url${at + 1}`,
    { method: 'elicitation/create', params: { mode: 'url', message: wanted?.message, url: wanted?.url } },
  ]);
  return Object.fromEntries(questions) as Record<string, unknown>;
}

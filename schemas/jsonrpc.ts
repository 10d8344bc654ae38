/** JSON-RPC 2.0 as MCP uses it (https://modelcontextprotocol.io/specification): the shapes of messages and error codes. */
import { SlipwayError } from './errors.ts';

export type Id = string | number;

export interface RpcError {
  code: number;
  message: string;
  data?: unknown;
}

export interface RpcRequest {
  jsonrpc: '2.0';
  id: Id;
  method: string;
  params?: Record<string, unknown>;
}

export interface RpcNotification {
  jsonrpc: '2.0';
  method: string;
  params?: Record<string, unknown>;
}

export interface RpcResponse {
  jsonrpc: '2.0';
  id: Id | null;
  result?: unknown;
  error?: RpcError;
}

export type RpcMessage = RpcRequest | RpcNotification | RpcResponse;

export const RPC = {
  parseError: -32_700,
  invalidRequest: -32_600,
  methodNotFound: -32_601,
  invalidParams: -32_602,
  internalError: -32_603,
  /** MCP ≤ 2025-11-25: a resource that is not there. */
  resourceNotFound: -32_002,
  /** Slipway's own: the upstream cannot be reached or did not answer. */
  upstream: -32_010,
} as const;

/** MCP revisions with `initialize` that Slipway speaks, newest first. */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

/**
 * What Slipway says to servers that its clients can do. A server is shared by many clients, so it is told all of it; a
 * request that the one client it is meant for cannot take is refused, as that client would have done.
 */
export const CLIENT_CAPABILITIES = {
  roots: { listChanged: true },
  sampling: { context: {}, tools: {} },
  elicitation: { form: {}, url: {} },
} as const;

export const isRequest = (message: RpcMessage): message is RpcRequest => 'method' in message && 'id' in message;
export const isNotification = (message: RpcMessage): message is RpcNotification =>
  'method' in message && !('id' in message);

/** Checks the envelope only; `undefined` for anything that is not one JSON-RPC message. */
export function asMessage(value: unknown): RpcMessage | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const message = value as Record<string, unknown>;
  if (message['jsonrpc'] !== '2.0') return undefined;
  const { id, method, params } = message;
  const idFits = id === undefined || typeof id === 'string' || (typeof id === 'number' && Number.isFinite(id));
  if (typeof method === 'string') {
    const paramsFit = params === undefined || (typeof params === 'object' && params !== null && !Array.isArray(params));
    return idFits && paramsFit ? (value as RpcMessage) : undefined;
  }
  if (method !== undefined || id === undefined || !(idFits || id === null)) return undefined;
  if ('result' in message === 'error' in message) return undefined;
  return 'result' in message || isError(message['error']) ? (value as RpcMessage) : undefined;
}

/** What a server said: one message, or several at once, as MCP 2025-03-26 alone has them; what is none is left out. */
export function messagesIn(value: unknown): RpcMessage[] {
  return (Array.isArray(value) ? value : [value]).flatMap((each) => asMessage(each) ?? mended(each) ?? []);
}

/** An answer that is not quite one: whoever waits for it is better off with what can be read of it than with nothing. */
function mended(value: unknown): RpcMessage | undefined {
  const { jsonrpc, id, method, result, error } = (value ?? {}) as Record<string, unknown>;
  if (jsonrpc !== '2.0' || method !== undefined || (typeof id !== 'string' && typeof id !== 'number')) return undefined;
  if (error === undefined || error === null) return result === undefined ? undefined : { jsonrpc, id, result };
  const { code, message, data } = error as Record<string, unknown>;
  const said = typeof message === 'string' ? message : 'It failed, and the server does not say why.';
  const known = typeof code === 'number' ? code : RPC.internalError;
  return { jsonrpc, id, error: { code: known, message: said, ...(data === undefined ? {} : { data }) } };
}

function isError(value: unknown): value is RpcError {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message } = value as Partial<RpcError>;
  return typeof code === 'number' && typeof message === 'string';
}

/** What a requester wants its progress to be told under; `undefined` if it wants to hear of none. */
export function progressTokenOf(params: Record<string, unknown> | undefined): Id | undefined {
  const token = (params?.['_meta'] as { progressToken?: unknown } | null | undefined)?.progressToken;
  return typeof token === 'string' || typeof token === 'number' ? token : undefined;
}

/** More is passed on of no reason (characters). */
const LONGEST_REASON = 512;

/** Why a request is taken back, in the words of who does. */
export function reasonIn(params: Record<string, unknown> | undefined): string | undefined {
  const reason = params?.['reason'];
  return typeof reason === 'string' && reason !== '' ? reason.slice(0, LONGEST_REASON) : undefined;
}

/** An error that a JSON-RPC peer answered with; `error` is passed on as it came. */
export class RpcFailure extends Error {
  readonly error: RpcError;

  constructor(error: RpcError) {
    super(error.message);
    this.name = 'RpcFailure';
    this.error = error;
  }
}

/** What a peer is told about a failure: its own error passed on, a foreseen one by code, nothing of an unforeseen one. */
export function toRpcError(error: unknown): RpcError {
  if (error instanceof RpcFailure) return error.error;
  if (error instanceof SlipwayError) {
    const code = error.row.http >= 500 ? RPC.upstream : RPC.invalidRequest;
    return { code, message: error.message, data: { error_code: error.code, hint: error.hint, ...error.details } };
  }
  return { code: RPC.internalError, message: 'Internal error' };
}

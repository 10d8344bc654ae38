/** The one place where a throw becomes an answer. */
import type { IncomingMessage } from 'node:http';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { RpcFailure, type RpcError } from '../../schemas/jsonrpc.ts';
import type { Log } from '../../schemas/log.ts';
import { toRpcError } from '../../schemas/jsonrpc.ts';
import type { Trace } from '../audit/trace.ts';

/** How long a refused client may go on sending, so that it reads the refusal instead of a reset (ms). */
const LINGER = 250;

/** The caller may not, or not now. */
const DENIALS: ReadonlySet<number> = new Set([401, 403, 413, 429]);

export interface Refusal {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly log: Log;
  /** JSON-RPC on MCP's POST, `{error, error_code, hint}` elsewhere. */
  readonly rpc: boolean;
}

/** Refuses a whole HTTP request. Does nothing once an answer has begun. */
export function refuse({ request, response, log, rpc }: Refusal, error: unknown): void {
  reportUnforeseen(log, error);
  if (response.headersSent) return void response.destroy();
  const foreseen = error instanceof RpcFailure ? undefined : toSlipwayError(error);
  const { requestId } = response;
  const denied = foreseen !== undefined && DENIALS.has(foreseen.row.http) ? requestId : undefined;
  const body = rpc
    ? { jsonrpc: '2.0', id: null, error: named(toRpcError(error), denied) }
    : { ...(foreseen?.toJSON() ?? { error: String(error) }), ...(denied === undefined ? {} : { requestId: denied }) };
  const text = JSON.stringify(body);
  response.writeHead(foreseen?.row.http ?? 400, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...retryAfter(error),
    ...(bodyLeft(request) ? { Connection: 'close' } : {}),
  });
  if (!bodyLeft(request)) return void response.end(text);
  lingeringEnd(request, response, text);
}

/** How HTTP tells of an error that a JSON-RPC message is the answer to. */
export interface HttpSide {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Who is told to wait, or to send less, is told so by HTTP as well: clients and proxies know how to do that. */
export function httpSideOf(error: unknown, status: number): HttpSide {
  const http = error instanceof SlipwayError ? error.row.http : status;
  return http === 429 || http === 413 ? { status: http, headers: retryAfter(error) } : { status };
}

/** In whole seconds, so that who comes back then is not early (RFC 9110 §10.2.3). */
function retryAfter(error: unknown): Record<string, string> {
  const ms = error instanceof SlipwayError ? error.details?.retryAfterMs : undefined;
  return ms === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(ms / 1000))) };
}

/** What a request of one era or the other is answered that failed: a refusal says what to ask for it by. */
export function toAnswer(error: unknown, trace: Trace): RpcError {
  return named(toRpcError(error), trace.allowed || trace.isHidden ? undefined : trace.requestId);
}

function named(error: RpcError, requestId: string | undefined): RpcError {
  return requestId === undefined ? error : { ...error, data: { ...(error.data as object | undefined), requestId } };
}

/** Whether a body was announced and not read to its end. */
function bodyLeft(request: HttpRequest): request is IncomingMessage {
  const { complete, headers } = request;
  return !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0);
}

/** Logs what nobody foresaw; the client gets a bare code, for secrets ride in the messages of unknown errors. */
export function reportUnforeseen(log: Log, error: unknown): void {
  if (error instanceof SlipwayError || error instanceof RpcFailure) return;
  log('error', 'unforeseen error in the gateway', { error: error instanceof Error ? error.stack : String(error) });
}

/** The unread rest of the body is thrown away for a moment; closing at once could destroy the answer on its way. */
function lingeringEnd(request: IncomingMessage, response: HttpResponse, text: string): void {
  response.write(text);
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, LINGER);
  request.once('end', end).once('close', end).on('error', end).resume();
}

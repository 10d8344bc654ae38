/** The one place where a throw becomes an answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Log } from '../../schemas/log.ts';
import { toRpcError } from '../../schemas/peer.ts';

/** How long a refused client may go on sending, so that it reads the refusal instead of a reset (ms). */
const LINGER = 250;

export interface Refusal {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly log: Log;
  /** JSON-RPC on MCP's POST, `{error, error_code, hint}` elsewhere. */
  readonly rpc: boolean;
}

/** Refuses a whole HTTP request. Does nothing once an answer has begun. */
export function refuse({ request, response, log, rpc }: Refusal, error: unknown): void {
  reportUnforeseen(log, error);
  if (response.headersSent) return void response.destroy();
  const foreseen = error instanceof RpcFailure ? undefined : toSlipwayError(error);
  const body = rpc ? { jsonrpc: '2.0', id: null, error: toRpcError(error) } : (foreseen ?? { error: String(error) });
  const text = JSON.stringify(body);
  response.writeHead(foreseen?.row.http ?? 400, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...(bodyLeft(request) ? { Connection: 'close' } : {}),
  });
  if (!bodyLeft(request)) return void response.end(text);
  lingeringEnd(request, response, text);
}

/** Whether a body was announced and not read to its end. */
function bodyLeft({ complete, headers }: IncomingMessage): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0);
}

/** Logs what nobody foresaw; the client gets a bare code, for secrets ride in the messages of unknown errors. */
export function reportUnforeseen(log: Log, error: unknown): void {
  if (error instanceof SlipwayError || error instanceof RpcFailure) return;
  log('error', 'unforeseen error in the gateway', { error: error instanceof Error ? error.stack : String(error) });
}

/** The unread rest of the body is thrown away for a moment; closing at once could destroy the answer on its way. */
function lingeringEnd(request: IncomingMessage, response: ServerResponse, text: string): void {
  response.write(text);
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, LINGER);
  request.once('end', end).once('close', end).on('error', end).resume();
}

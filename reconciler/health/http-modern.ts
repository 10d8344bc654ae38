/** A connection to an HTTP instance that speaks MCP 2026-07-28, for the readiness check: one POST for each request. */
import { asMessage, RpcFailure, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { headersFor, isModernError, ourselves } from '../../schemas/modern.ts';
import type { Connection } from '../../schemas/peer.ts';
import { SlipwayError } from '../../schemas/errors.ts';

/** How long a server may think about whether it speaks like this (ms). */
const PROBE_TIMEOUT = 10_000;

/** @returns `undefined` for a server that does not speak like this @throws when nothing listens yet */
export async function connectModern(url: URL, version: string, signal: AbortSignal): Promise<Connection | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT)]);
  try {
    await ask(url, 'server/discover', ourselves(version), limit);
  } catch (error) {
    const modern = error instanceof RpcFailure && isModernError(error.error);
    if (!modern && (error instanceof RpcFailure || error instanceof NoAnswer || (!signal.aborted && limit.aborted)))
      return undefined;
    throw error;
  }
  return {
    inFlight: 0,
    request: (method, params, options) => ask(url, method, params, options?.signal ?? signal),
    notify() {},
    close() {},
  };
}

/** The server answered something that is no answer. */
class NoAnswer extends SlipwayError {}

async function ask(
  url: URL,
  method: string,
  params: Record<string, unknown> | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      ...headersFor(method, params),
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    // SSRF: whoever answers must not send us elsewhere.
    redirect: 'error',
    signal,
  });
  for (const message of messagesIn(await response.text())) {
    if ('error' in message && message.error) throw new RpcFailure(message.error);
    if ('result' in message) return message.result;
  }
  throw new NoAnswer('not-ready', `It answered ${method} with HTTP ${response.status}.`);
}

/** One JSON document, or events that each hold one. */
function messagesIn(text: string): RpcMessage[] {
  const documents = text.startsWith('{')
    ? [text]
    : [...text.matchAll(/^data: ?(.*)$/gm)].map(([, data]) => String(data));
  return documents.flatMap((document) => {
    try {
      return asMessage(JSON.parse(document)) ?? [];
    } catch {
      return [];
    }
  });
}

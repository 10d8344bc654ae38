/** Carries the control API between a listener and whoever answers it. */
import { once } from 'node:events';
import type { HttpResponse } from '../http/message.ts';
import type { ControlResponse } from '../../schemas/control.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import { stepUpFor } from '../auth/scopes.ts';
import type { Exchange, Known } from '../exchange.ts';
import { sendJson } from '../rpc/respond.ts';
import { parseJson, readBody } from '../steps/body.ts';

export const CONTROL_PREFIX = '/api/v1';

/** @throws SlipwayError `not-found` where nobody answers, `bad-request` for a body that is not JSON, InsufficientScope */
export async function serveControl(exchange: Known): Promise<void> {
  const { state, source, generation, request, response, path, identity } = exchange;
  if (!state.control) throw new SlipwayError('not-found');
  const body = await bodyOf(exchange);
  const controller = new AbortController();
  response.once('close', () => controller.abort(new SlipwayError('cancelled')));
  const answer = await state.control({
    method: request.method ?? 'GET',
    path: path.slice(CONTROL_PREFIX.length) || '/',
    query: new URLSearchParams((request.url ?? '').slice(path.length)),
    signal: controller.signal,
    caller: identity,
    ...(body === undefined ? {} : { body }),
  });
  const more = answer.status === 403 ? stepUpFor(identity, undefined) : undefined;
  if (more) throw more;
  if (!answer.lines) return sendJson(response, answer.status, named(exchange, answer));
  using _ = state.followers.add({ identity, source, generation, controller });
  await sendLines(response, answer.status, answer.lines, controller.signal);
}

/** What is refused there is a refusal like any other: it can be asked about. */
function named({ trace }: Known, { status, body = {} }: ControlResponse): unknown {
  if (status !== 403) return body;
  const { error, error_code: code = 'forbidden' } = body as { error?: string; error_code?: string };
  trace.denied(code);
  trace.said = error;
  return { ...(body as object), requestId: trace.requestId };
}

async function bodyOf({ generation, request, response }: Exchange): Promise<unknown> {
  const bytes = await readBody(request, response, generation.snapshot.gateway.maxBodyBytes);
  if (bytes.length === 0) return undefined;
  try {
    return parseJson(bytes);
  } catch (error) {
    throw error instanceof RpcFailure ? new SlipwayError('bad-request', error.message) : error;
  }
}

/** As fast as the client reads, and no longer than it stays. */
async function sendLines(
  response: HttpResponse,
  status: number,
  lines: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
  const stopped = once(signal, 'abort').then(() => undefined);
  const iterator = lines[Symbol.asyncIterator]();
  try {
    while (!signal.aborted) {
      const next = await Promise.race([iterator.next(), stopped]);
      if (!next || next.done === true) break;
      if (!response.write(`${next.value}\n`)) await Promise.race([once(response, 'drain'), stopped]);
    }
  } finally {
    // Not awaited: a generator that waits for its next line comes back only when the signal wakes it.
    void Promise.resolve(iterator.return?.()).catch(() => {});
    response.end();
  }
}

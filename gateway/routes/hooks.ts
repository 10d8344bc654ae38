/** `/hooks/git`: what forges send goes to whoever was handed over for it; nothing of it is understood here. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Exchange } from '../exchange.ts';
import { sendJson } from '../rpc/respond.ts';
import { readBody } from '../steps/body.ts';

export const HOOKS_PATH = '/hooks/git';

/** Slow-loris: forges send at once what they have. */
const BODY_TIMEOUT_MS = 10_000;

/** @throws SlipwayError `not-found` where nobody listens, `rate-limited`, and what the handler throws */
export async function serveHook(exchange: Exchange): Promise<void> {
  const { state, request, response, trace, path } = exchange;
  if (!state.hooks) throw new SlipwayError('not-found');
  // What stands below may be a secret: it must not be in the audit log.
  trace.method = `POST ${HOOKS_PATH}`;
  state.addresses.check(exchange);
  try {
    const { status, body } = await state.hooks({
      path: path.slice(HOOKS_PATH.length + 1),
      headers: request.headers,
      body: (maxBytes) => inTime(readBody(request, response, maxBytes)),
    });
    sendJson(response, status, body);
  } catch (error) {
    state.addresses.failed(exchange, error);
    throw error;
  }
}

function inTime(body: Promise<Buffer>): Promise<Buffer> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new SlipwayError('request-timeout')), BODY_TIMEOUT_MS);
  return Promise.race([body, promise]).finally(() => clearTimeout(timer));
}

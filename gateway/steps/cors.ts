/**
 * Pages of other origins: what a browser wants to hear before it lets them talk to us (Fetch standard, "CORS protocol"). Only pages that the
 * config lets in (`Gateway.spec.allowedOrigins`) get as far as here. They come with a token of their own: cookies and the like are
 * not asked for, so no page can use what another one brought.
 */
import type { Exchange } from '../exchange.ts';
import type { McpRow } from '../routes/table.ts';
import { sendEmpty } from '../rpc/respond.ts';

/** Of an answer, what an MCP client has to see. */
const SHOWN = 'Mcp-Session-Id, WWW-Authenticate, Retry-After, X-Request-Id';
/** Of a request, what one may say: names of MCP, and of what goes with it. */
const SAID =
  /^(?:accept|authorization|content-type|last-event-id|mcp-[\w-]+|x-request-id|traceparent|tracestate|baggage)$/i;
/** How long a browser need not ask again (s). */
const MAX_AGE = '600';

/** @returns whether this was all that the browser wanted: it asks before it sends (a preflight), and brings no credentials then */
export function welcome({ request, response }: Pick<Exchange, 'request' | 'response'>, { methods }: McpRow): boolean {
  const { headers, method } = request;
  if (headers.origin === undefined) return false;
  response.setHeader('Access-Control-Allow-Origin', headers.origin);
  response.setHeader('Access-Control-Expose-Headers', SHOWN);
  // Of a cache between: this answer is for this page.
  response.setHeader('Vary', 'Origin');
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false;
  const wanted = String(headers['access-control-request-headers'] ?? '').split(',');
  const said = wanted.map((name) => name.trim()).filter((name) => SAID.test(name));
  response.setHeader('Access-Control-Allow-Methods', (methods ?? []).join(', '));
  response.setHeader('Access-Control-Allow-Headers', said.join(', '));
  response.setHeader('Access-Control-Max-Age', MAX_AGE);
  sendEmpty(response, 204);
  return true;
}

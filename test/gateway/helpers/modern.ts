/** Clients of MCP 2026-07-28: the official SDK's, and one by hand for what that would not do. */
import { request as httpRequest, type ClientRequest } from 'node:http';
import { Client, StreamableHTTPClientTransport, type ClientOptions } from '@modelcontextprotocol/client';
import { headersFor, introduced } from '../../../schemas/modern.ts';
import { events, MCP_HEADERS, raw, type Events, type Raw } from './gateway.ts';

export interface By {
  readonly path?: string;
  readonly token?: string;
  readonly capabilities?: Record<string, unknown>;
  readonly client?: { readonly name: string; readonly version: string };
  readonly logLevel?: string;
  readonly id?: string | number;
  /** Instead of those that belong to the body; `undefined` leaves one out. */
  readonly headers?: Record<string, string | undefined>;
}

/** One request that stands for itself. */
export function ask(url: string, method: string, params: Record<string, unknown> = {}, by: By = {}): Promise<Raw> {
  const { path = '/mcp' } = by;
  const { headers, body } = envelope(method, params, by);
  return raw(url, { method: 'POST', path, headers, body });
}

/** One that its client may give up. */
export function begin(url: string, method: string, params: Record<string, unknown> = {}, by: By = {}): ClientRequest {
  const { headers, body } = envelope(method, params, by);
  const call = httpRequest(`${url}${by.path ?? '/mcp'}`, { method: 'POST', headers, agent: false });
  call.end(body);
  return call;
}

/** One whose answer is to be read event by event. */
export function follow(...request: Parameters<typeof begin>): Promise<Events> {
  return events(begin(...request));
}

function envelope(
  method: string,
  params: Record<string, unknown>,
  by: By,
): { headers: Record<string, string>; body: string } {
  const { token, capabilities = {}, client = { name: 'raw', version: '1' }, logLevel, id = 1 } = by;
  const all = introduced(params, { clientInfo: client, capabilities, logLevel });
  const given = {
    ...MCP_HEADERS,
    ...headersFor(method, all),
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    ...by.headers,
  };
  const headers = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return { headers, body: JSON.stringify({ jsonrpc: '2.0', id, method, params: all }) };
}

/** The official SDK's client (v2), connected; closed by `await using`. */
export async function modernClient(
  url: string,
  options: ClientOptions & { token?: string } = {},
): Promise<Client & AsyncDisposable> {
  const { token, ...rest } = options;
  const sdk = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' }, ...rest });
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  await sdk.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return Object.assign(sdk, { [Symbol.asyncDispose]: () => sdk.close() });
}

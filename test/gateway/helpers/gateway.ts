/** Snapshots, gateways and clients for the tests. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  get,
  request as httpRequest,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js';
import { startGateway, type Gateway, type GatewayOptions } from '../../../gateway/index.ts';
import { NO_ACCESS, type Access } from '../../../schemas/access.ts';
import { silent } from '../../../schemas/log.ts';
import type { Endpoint, Principal, ServerEntry, Snapshot } from '../../../schemas/snapshot.ts';

export const KEY = new Uint8Array(32).fill(7);

export interface Wish {
  servers?: Record<string, Endpoint | Partial<ServerEntry>>;
  routes?: Snapshot['routes'];
  principals?: Principal[];
  users?: Snapshot['users'];
  groups?: Snapshot['groups'];
  gateway?: Partial<Snapshot['gateway']>;
  access?: Partial<Access>;
  limits?: Snapshot['limits'];
  budgets?: Snapshot['budgets'];
  pipelines?: Snapshot['pipelines'];
  plugins?: Snapshot['plugins'];
  prompts?: Snapshot['prompts'];
  llms?: Snapshot['llms'];
}

/** A snapshot with `/mcp` over all servers, `/servers/<s>/mcp` for each, and `/projects/dev/mcp` over all. */
export function snapshot({
  servers = {},
  routes = {},
  principals = [],
  users = [],
  groups = [],
  gateway = {},
  access = {},
  limits,
  budgets,
  pipelines,
  plugins,
  prompts,
  llms,
}: Wish = {}): Snapshot {
  const names = Object.keys(servers);
  const entries = Object.entries(servers).map(([name, given]): [string, ServerEntry] => [
    name,
    'transport' in given
      ? { endpoints: [given as Endpoint], timeoutMs: 5_000 }
      : { endpoints: [], timeoutMs: 5_000, ...(given as Partial<ServerEntry>) },
  ]);
  return {
    formatVersion: 1,
    commit: 'c0ffee',
    gateway: {
      listen: '127.0.0.1:0',
      allowedHosts: [],
      allowedOrigins: [],
      maxBodyBytes: 1024 * 1024,
      sessionTtlMs: 60_000,
      shutdownTimeoutMs: 2_000,
      providers: [],
      ...gateway,
    },
    servers: Object.fromEntries(entries),
    routes: {
      '/mcp': { servers: names, separator: '__' },
      '/projects/dev/mcp': { project: 'dev', servers: names, separator: '__' },
      ...Object.fromEntries(names.map((name) => [`/servers/${name}/mcp`, { servers: [name] }])),
      ...routes,
    },
    principals,
    users,
    groups,
    access: { ...NO_ACCESS, ...access },
    ...(limits ? { limits } : {}),
    ...(budgets ? { budgets } : {}),
    ...(pipelines ? { pipelines } : {}),
    ...(plugins ? { plugins } : {}),
    ...(prompts ? { prompts } : {}),
    ...(llms ? { llms } : {}),
  };
}

export function principal(name: string, token: string, more: Partial<Principal> = {}): Principal {
  return { name, sha256: createHash('sha256').update(token).digest('hex'), roles: ['owner'], scopes: [], ...more };
}

export function start(wish: Wish | Snapshot, more: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const given = 'formatVersion' in wish ? wish : snapshot(wish);
  return startGateway({ snapshot: given, sessionKey: KEY, log: silent, version: '0.0.0-test', ...more });
}

/** The official SDK's client, connected; closed by `await using`. */
export async function client(
  url: string,
  token?: string,
  capabilities: ClientCapabilities = {},
): Promise<Client & AsyncDisposable> {
  const sdk = new Client({ name: 'test', version: '1.0.0' }, { capabilities });
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  await sdk.connect(transport as Parameters<Client['connect']>[0]);
  return Object.assign(sdk, { [Symbol.asyncDispose]: () => sdk.close() });
}

export interface Raw {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: {
    result?: Record<string, unknown>;
    error?: { code: number; message: string; data?: unknown };
    error_code?: string;
  };
}

export interface RawRequest {
  method?: string;
  path?: string;
  headers?: Record<string, string | string[] | number>;
  body?: string | Buffer;
  setHost?: boolean;
  socketPath?: string;
}

/** One plain HTTP request, as an attacker would shape it. */
export function raw(
  url: string,
  { method = 'GET', path = '/', headers = {}, body, ...more }: RawRequest,
): Promise<Raw> {
  const { hostname, port } = new URL(url);
  const length = 'Transfer-Encoding' in headers ? {} : { 'Content-Length': Buffer.byteLength(body ?? '') };
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { hostname, port, method, path, headers: { ...length, ...headers }, agent: false, ...more },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => {
          const data = /^data: (.+)$/m.exec(text)?.[1] ?? text;
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: parse(data) as Raw['json'] });
        });
      },
    );
    call.on('error', reject).end(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

export const MCP_HEADERS = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };

export interface Session {
  id: string;
  /** What `initialize` was answered with. */
  welcome: Record<string, unknown> | undefined;
  rpc(method: string, params?: object, id?: string | number): Promise<Raw>;
  /** Sends a message as it is: an answer, or a notice. */
  send(message: object): Promise<Raw>;
}

/** A session by hand, for what the SDK client would not do. */
export async function session(
  url: string,
  { path = '/mcp', token = '', capabilities = {} as object, version = '2025-11-25' } = {},
): Promise<Session> {
  const headers = { ...MCP_HEADERS, ...(token === '' ? {} : { Authorization: `Bearer ${token}` }) };
  const post = (body: object, more = {}): Promise<Raw> =>
    raw(url, { method: 'POST', path, headers: { ...headers, ...more }, body: JSON.stringify(body) });
  const params = { protocolVersion: version, capabilities, clientInfo: { name: 'raw', version: '1' } };
  const hello = await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
  const id = String(hello.headers['mcp-session-id']);
  return {
    id,
    welcome: hello.json.result,
    send: (message) => post({ jsonrpc: '2.0', ...message }, { 'Mcp-Session-Id': id }),
    rpc: (method, more = {}, rpcId = 1) =>
      post({ jsonrpc: '2.0', id: rpcId, method, params: more }, { 'Mcp-Session-Id': id }),
  };
}

export interface Events {
  readonly answer: IncomingMessage;
  /** The id of the last event that arrived. */
  readonly lastId: string;
  /** Resolves with the next event's message. */
  next(): Promise<unknown>;
  close(): void;
}

/** Opens the GET stream, or goes on after an event of one that broke off. */
export function listen(url: string, id: string, path = '/mcp', after?: string, token = ''): Promise<Events> {
  const last = after === undefined ? {} : { 'Last-Event-ID': after };
  const headers = { Accept: 'text/event-stream', 'Mcp-Session-Id': id, ...last, ...bearer(token) };
  return events(get(`${url}${path}`, { headers, agent: false }));
}

/** Sends a request whose answer is to be read event by event. */
export function converse(url: string, id: string, message: object, path = '/mcp', token = ''): Promise<Events> {
  const headers = { ...MCP_HEADERS, 'Mcp-Session-Id': id, ...bearer(token) };
  const call = httpRequest(`${url}${path}`, { method: 'POST', headers, agent: false });
  call.end(JSON.stringify({ jsonrpc: '2.0', ...message }));
  return events(call);
}

const bearer = (token: string): Record<string, string> => (token === '' ? {} : { Authorization: `Bearer ${token}` });

export async function events(call: ClientRequest): Promise<Events> {
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  answer.setEncoding('utf8').on('error', () => {});
  const arrived: unknown[] = [];
  const waiting: ((message: unknown) => void)[] = [];
  let lastId = '';
  let rest = '';
  answer.on('data', (chunk: string) => {
    // Only what ends with an empty line is an event.
    const end = chunk.lastIndexOf('\n\n');
    if (end < 0) return void (rest += chunk);
    const part = rest + chunk.slice(0, end + 2);
    rest = chunk.slice(end + 2);
    for (const [, id] of part.matchAll(/^id: (.+)$/gm)) lastId = String(id);
    for (const [, data] of part.matchAll(/^data: (.+)$/gm)) {
      const message: unknown = JSON.parse(String(data));
      const waiter = waiting.shift();
      if (waiter) waiter(message);
      else arrived.push(message);
    }
  });
  const next = (): Promise<unknown> =>
    arrived.length > 0 ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve));
  return {
    answer,
    get lastId() {
      return lastId;
    },
    next,
    close: () => call.destroy(),
  };
}

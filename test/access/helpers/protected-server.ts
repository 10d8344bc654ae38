/** A real MCP server over HTTP that lets in only whoever brings a token for it (SDK, RFC 9728, JWT access tokens). */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { Server as McpServer } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';

interface Person {
  readonly sub: string;
  readonly scopes: readonly string[];
}

interface Session {
  readonly transport: StreamableHTTPServerTransport;
  readonly sub: string;
}

export interface ProtectedOptions {
  /** Refuse this tool to tokens without the scope. */
  readonly scopeOf?: Readonly<Record<string, string>>;
  /** Says nothing about itself: no metadata, and of refusals only that they are some. */
  readonly isSilent?: boolean;
  /** A secret that is let in as it is, in the place of tokens of an issuer. */
  readonly secret?: { readonly header: string; readonly value: string };
}

export class ProtectedServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sessions = new Map<string, Session>();
  readonly #options: ProtectedOptions;
  /** Of the authorization server whose tokens count. */
  issuer = '';
  readonly url: string;
  /** All headers that ever came. */
  readonly seen: string[] = [];
  /** How often somebody was not let in. */
  turnedAway = 0;
  /** Tokens that are refused although they are good. */
  readonly refused = new Set<string>();

  private constructor(server: Server, options: ProtectedOptions) {
    this.#server = server;
    this.#options = options;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    // A caller who hangs up while its token is checked is no fault.
    server.on('request', (request, response) => this.#serve(request, response).catch(() => response.destroy()));
  }

  static async start(issuer: string, options: ProtectedOptions = {}): Promise<ProtectedServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const made = new ProtectedServer(server, options);
    made.issuer = issuer;
    return made;
  }

  /** The subjects of the sessions that were opened, one for each. */
  get sessions(): string[] {
    return [...this.#sessions.values()].map(({ sub }) => sub).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.seen.push(...request.rawHeaders);
    if (request.url?.startsWith('/.well-known/oauth-protected-resource') === true) return this.#metadata(response);
    if (request.url !== '/mcp') return void response.writeHead(404).end();
    const person = await this.#check(request);
    if (!person) return this.#challenge(response, 401, '');
    const body = await read(request);
    const message = (body === '' ? undefined : JSON.parse(body)) as { params?: { name?: string } } | undefined;
    const scope = this.#options.scopeOf?.[message?.params?.name ?? ''];
    if (scope !== undefined && !person.scopes.includes(scope))
      return this.#challenge(response, 403, `, error="insufficient_scope", scope="${scope}"`);
    await this.#mcp(request, response, person, message);
  }

  async #mcp(request: IncomingMessage, response: ServerResponse, person: Person, message: unknown): Promise<void> {
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? this.#sessions.get(id) : undefined;
    if (id !== undefined && !known) return void response.writeHead(404).end();
    // Whose session it is, is nobody else's.
    if (known && known.sub !== person.sub) return void response.writeHead(403).end();
    const transport = known?.transport ?? (await this.#open(person.sub));
    await transport.handleRequest(request, response, message);
  }

  async #open(sub: string): Promise<StreamableHTTPServerTransport> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void this.#sessions.set(id, { transport, sub }),
    });
    const server = new McpServer({ name: 'protected', version: '1' }, { capabilities: { tools: {} } });
    const tool = (name: string) => ({ name, inputSchema: { type: 'object' as const } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [tool('whoami'), tool('write'), tool(`notes-of-${sub}`)],
    }));
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => ({
      content: [{ type: 'text', text: `${params.name}: ${sub}` }],
    }));
    await server.connect(transport as Parameters<McpServer['connect']>[0]);
    return transport;
  }

  async #check(request: IncomingMessage): Promise<Person | undefined> {
    const { secret } = this.#options;
    if (secret) return request.headers[secret.header] === secret.value ? { sub: 'secret', scopes: [] } : undefined;
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined || this.refused.has(token)) return undefined;
    try {
      const keys = createRemoteJWKSet(new URL(`${this.issuer}/jwks`));
      const { payload } = await jwtVerify(token, keys, { issuer: this.issuer, audience: this.url });
      const { sub = String(payload['client_id']), scope } = payload as { sub?: string; scope?: string };
      return { sub, scopes: (scope ?? '').split(' ') };
    } catch {
      return undefined;
    }
  }

  #challenge(response: ServerResponse, status: number, more: string): void {
    this.turnedAway++;
    const metadata = new URL('/.well-known/oauth-protected-resource/mcp', this.url).href;
    const scope = status === 401 ? ', scope="mcp:read"' : '';
    const { secret, isSilent = false } = this.#options;
    const challenge = isSilent ? 'Bearer' : secret ? 'Custom' : `Bearer resource_metadata="${metadata}"${scope}${more}`;
    response.writeHead(status, { 'WWW-Authenticate': challenge, 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32_001, message: 'who are you?' } }));
  }

  #metadata(response: ServerResponse): void {
    if (this.#options.secret || this.#options.isSilent) return void response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ resource: this.url, authorization_servers: [this.issuer] }));
  }
}

/** The claims of the last token that was brought. */
export function lastToken({ seen }: ProtectedServer): { readonly token: string; readonly sub: string | undefined } {
  const token = seen.findLast((each) => each.startsWith('Bearer '))?.slice(7) ?? '';
  return { token, sub: decodeJwt(token).sub };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** Real little upstreams on real sockets, and what they have seen. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSocketServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { RpcMessage } from '../../../schemas/jsonrpc.ts';
import type { Endpoint } from '../../../schemas/snapshot.ts';
import { server as mind, TOOLS, type FixtureTool } from '../fixtures/tools.mjs';

export interface Upstream extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly seen: RpcMessage[];
  readonly headers: IncomingHttpHeaders[];
  readonly tools: FixtureTool[];
  readonly prompts: FixtureTool[];
  /** How many connections (sockets) or sessions (HTTP) were opened. */
  readonly opened: number;
  /** How many listen for what it says unasked (HTTP). */
  readonly listeners: number;
  /** Says something unasked to all who listen. */
  say(message: object): void;
  /** Cuts every connection, or forgets every session. */
  drop(): void;
  /** Resolves with the first message of that method, past or future. */
  saw(method: string): Promise<RpcMessage>;
  /** Resolves with the answer to what it asked under that id. */
  answered(id: string): Promise<RpcMessage>;
}

const MORE_TOOLS = ['ask', 'log', 'visit'].map((name) => ({ name, inputSchema: { type: 'object' } }));

/** Collects what a server sees, and lets a test wait for it. */
function watch(): Pick<Upstream, 'seen' | 'saw' | 'answered'> {
  const seen: RpcMessage[] = [];
  const waiting: { fits: (message: RpcMessage) => boolean; resolve: (message: RpcMessage) => void }[] = [];
  const push = seen.push.bind(seen);
  seen.push = (...messages) => {
    for (const message of messages) for (const { fits, resolve } of waiting) if (fits(message)) resolve(message);
    return push(...messages);
  };
  const first = (fits: (message: RpcMessage) => boolean): Promise<RpcMessage> => {
    const found = seen.find(fits);
    return found ? Promise.resolve(found) : new Promise((resolve) => waiting.push({ fits, resolve }));
  };
  const saw = (method: string) => first((message) => 'method' in message && message.method === method);
  const answered = (id: string) => first((message) => !('method' in message) && message.id === id);
  return { seen, saw, answered };
}

/** An instance behind a unix socket, as the bridge serves it. */
export async function socketUpstream(name: string, options: { all?: boolean } = {}): Promise<Upstream> {
  const folder = mkdtempSync(join(tmpdir(), 'slw-'));
  const path = join(folder, `${name}.sock`);
  const { seen, saw, answered } = watch();
  const tools = [...TOOLS, ...(options.all ? MORE_TOOLS : [])];
  const prompts = [{ name: 'greet' }, { name: 'part', _meta: { kept: true } }];
  const sockets = new Set<Socket>();
  let opened = 0;
  const listener = createSocketServer((socket) => {
    opened++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    const send = (message: object): void => void socket.write(`${JSON.stringify(message)}\n`);
    const receive = mind({ name, send, seen, tools, ...(options.all ? { prompts } : {}) });
    const lines = createInterface({ input: socket }).on('line', (line) => receive(JSON.parse(line) as RpcMessage));
    // Readline hands on what goes wrong with its input.
    (lines as NodeJS.EventEmitter).on('error', () => {});
  });
  await bound(listener, { path });
  const drop = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    endpoint: { id: name, transport: 'stdio', address: `unix:${path}` },
    seen,
    saw,
    answered,
    tools,
    prompts,
    headers: [],
    get opened() {
      return opened;
    },
    get listeners() {
      return sockets.size;
    },
    say: (message) => sockets.forEach((socket) => void socket.write(`${JSON.stringify(message)}\n`)),
    drop,
    [Symbol.asyncDispose]: async () => {
      drop();
      await closed(listener);
      rmSync(folder, { recursive: true });
    },
  };
}

/** A remote server over Streamable HTTP; `stream` makes it answer calls with events, `all` gives it more than tools. */
export async function httpUpstream(name: string, options: { stream?: boolean; all?: boolean } = {}): Promise<Upstream> {
  const { seen, saw, answered } = watch();
  const asked = new Map();
  const tools = [...TOOLS, ...(options.all ? MORE_TOOLS : [])];
  const prompts = [{ name: 'greet' }, { name: 'part', _meta: { kept: true } }];
  const headers: IncomingHttpHeaders[] = [];
  const sessions = new Set<string>();
  const listeners = new Set<ServerResponse>();
  let opened = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    headers.push(request.headers);
    const session = String(request.headers['mcp-session-id'] ?? '');
    if (request.method === 'GET')
      return void listeners.add(
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).on('close', () => listeners.delete(response)),
      );
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (request.method === 'DELETE') return void response.writeHead(200).end();
    const message = JSON.parse(body) as RpcMessage & { method: string };
    if (message.method === 'initialize') {
      sessions.add(`s${++opened}`);
      response.setHeader('Mcp-Session-Id', `s${opened}`);
    } else if (!sessions.has(session)) return void response.writeHead(404).end();
    const streamed = options.stream === true && message.method === 'tools/call';
    let begun = false;
    const send = (out: object): void => {
      if (streamed && !begun) response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      begun = true;
      if (streamed) response.write(`data: ${JSON.stringify(out)}\r\n\r\n`);
      else if ('id' in out) response.writeHead(200, { 'Content-Type': 'application/json' }).write(JSON.stringify(out));
      if ('result' in out || 'error' in out) response.end();
    };
    mind({ name, send, seen, tools, ...(options.all ? { prompts, asked } : {}) })(message);
    if (!('id' in message && 'method' in message)) response.writeHead(202).end();
  };
  const listener = createServer((request, response) => void handle(request, response));
  await bound(listener, { port: 0, host: '127.0.0.1' });
  return {
    endpoint: {
      id: name,
      transport: 'http',
      address: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`,
    },
    seen,
    saw,
    answered,
    tools,
    prompts,
    headers,
    get opened() {
      return opened;
    },
    get listeners() {
      return listeners.size;
    },
    say: (message) => listeners.forEach((stream) => void stream.write(`data: ${JSON.stringify(message)}\n\n`)),
    drop: () => sessions.clear(),
    [Symbol.asyncDispose]: async () => {
      listener.closeAllConnections();
      await closed(listener);
    },
  };
}

/** A remote server that keeps the requests of one method waiting until it is let go. */
export async function holdingUpstream(name: string, method: string) {
  const { seen, saw } = watch();
  const held = Promise.withResolvers<void>();
  const tools = [...TOOLS, ...MORE_TOOLS];
  const listener = createServer(async (request, response) => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const message = JSON.parse(await text(request)) as RpcMessage;
    const holds = 'method' in message && message.method === method;
    const send = async (out: object): Promise<void> => {
      if (holds) await held.promise;
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(out));
    };
    mind({ name, send, seen, tools, prompts: [] })(message);
    if (!('id' in message)) response.writeHead(202).end();
  });
  await bound(listener, { port: 0, host: '127.0.0.1' });
  const address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
  return {
    endpoint: { id: name, transport: 'http', address } satisfies Endpoint,
    seen,
    saw,
    letGo: () => held.resolve(),
    [Symbol.asyncDispose]: async () => {
      listener.closeAllConnections();
      await closed(listener);
    },
  };
}

function bound(server: Server, where: object): Promise<void> {
  return new Promise((resolve, reject) => server.once('error', reject).listen(where, resolve));
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Over HTTP, what a server says unasked is heard once the gateway listens. */
export async function listening(up: Upstream): Promise<void> {
  while (up.endpoint.transport === 'http' && up.listeners === 0) await new Promise(setImmediate);
}

/** Servers over HTTP that forget, refuse, restart or never hang up: whoever else calls them does not pay for it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { expect, test, vi } from 'vitest';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { opened } from '../helpers/opened.ts';
import { listen, session, start } from './helpers/gateway.ts';
import { httpUpstream, listening, socketUpstream } from './helpers/upstreams.ts';

const PATIENT = { timeout: 15_000, interval: 20 };

type Asked = Partial<RpcRequest> & { readonly method: string };

interface Wayward {
  readonly url: string;
  /** Methods of the messages it got, and of GETs, in order. */
  readonly seen: string[];
  /** Forgets every session. */
  forget(): void;
  readonly session: string | undefined;
}

/** @param odd answers itself where it returns true */
async function wayward(
  odd: (asked: Asked, response: ServerResponse, request: IncomingMessage) => boolean = () => false,
): Promise<Wayward> {
  const seen: string[] = [];
  let count = 0;
  let known: string | undefined;
  const json = (response: ServerResponse, message: object): void =>
    void response.writeHead(200, { 'Content-Type': 'Application/JSON' }).end(JSON.stringify(message));
  const listener = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message = (body === '' ? { method: request.method } : JSON.parse(body)) as Asked;
    seen.push(message.method);
    if (odd(message, response, request)) return;
    const { id, method } = message;
    if (method === 'initialize') {
      response.setHeader('Mcp-Session-Id', (known = `s${++count}`));
      const result = {
        protocolVersion: '2025-06-18',
        capabilities: { tools: {}, resources: {} },
        serverInfo: { name: 'w', version: '1' },
      };
      return json(response, { jsonrpc: '2.0', id, result });
    }
    if (request.headers['mcp-session-id'] !== known) return void response.writeHead(404).end();
    if (method === 'GET') return void response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
    if (id === undefined) return void response.writeHead(202).end();
    const lists: Record<string, object> = {
      'tools/list': { tools: [{ name: 'who', inputSchema: { type: 'object' } }] },
      'resources/list': { resources: [] },
      'resources/templates/list': { resourceTemplates: [] },
    };
    const result = lists[method] ?? { content: [{ type: 'text', text: `in ${known}` }] };
    json(response, { jsonrpc: '2.0', id, result });
  });
  return {
    url: `${await opened(listener)}/mcp`,
    seen,
    forget: () => {
      known = undefined;
      listener.closeAllConnections();
    },
    get session() {
      return known;
    },
  };
}

const endpoint = ({ url }: Wayward) => ({ id: 'up', transport: 'http', address: url }) as const;
const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';
const times = (up: Wayward, method: string): number => up.seen.filter((each) => each === method).length;

test('a server that was not ready when it was to take us up again is asked again by the next call', async () => {
  let isReady = true;
  const up = await wayward(({ method }, response) => {
    if (isReady || method !== 'initialize') return false;
    isReady = true;
    response.writeHead(503).end();
    return true;
  });
  await using gateway = await start({ servers: { up: endpoint(up) } });
  const mine = await session(gateway.url);
  const who = async () => (await mine.rpc('tools/call', { name: 'up__who' })).json;
  expect(textOf((await who()).result)).toBe('in s1');
  up.forget();
  isReady = false;
  await vi.waitFor(async () => expect(textOf((await who()).result)).toBe('in s2'), PATIENT);
  expect(textOf((await who()).result)).toBe('in s2');
});

test.each([
  ['as MCP says', 404, ''],
  [
    'as an SDK does',
    400,
    '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}',
  ],
  ['as another does', 400, 'Bad Request: No valid session ID provided'],
])('a server that has forgotten us is met again, whatever it says of it: %s', async (_, status, body) => {
  const up = await wayward(({ method }, response, { headers }) => {
    if (method === 'initialize' || headers['mcp-session-id'] === up.session) return false;
    response.writeHead(status, { 'Content-Type': body.startsWith('{') ? 'application/json' : 'text/plain' }).end(body);
    return true;
  });
  await using gateway = await start({ servers: { up: endpoint(up) } });
  const mine = await session(gateway.url);
  const who = async () => (await mine.rpc('tools/call', { name: 'up__who' })).json.result;
  expect(textOf(await who())).toBe('in s1');
  up.forget();
  await vi.waitFor(async () => expect(textOf(await who())).toBe('in s2'), PATIENT);
});

test('a refusal that does not speak of the session begins no other one', async () => {
  const up = await wayward(({ method, params }, response) => {
    if (method !== 'tools/call' || params?.['arguments'] === undefined) return false;
    response.writeHead(400, { 'Content-Type': 'text/plain' }).end('Bad Request: no such thing');
    return true;
  });
  await using gateway = await start({ servers: { up: endpoint(up) } });
  const mine = await session(gateway.url);
  const { error } = (await mine.rpc('tools/call', { name: 'up__who', arguments: {} })).json;
  expect(error?.message).toContain('HTTP 400');
  expect(textOf((await mine.rpc('tools/call', { name: 'up__who' })).json.result)).toBe('in s1');
});

test('who waits for updates is heard of again by a server that restarted, although nobody calls', async () => {
  const up = await wayward();
  await using gateway = await start({ servers: { up: endpoint(up) } });
  const mine = await session(gateway.url);
  await mine.rpc('tools/call', { name: 'up__who' });
  await vi.waitFor(() => expect(up.seen).toContain('GET'), PATIENT);
  up.forget();
  await vi.waitFor(() => expect(up.session).toBe('s2'), PATIENT);
  await vi.waitFor(() => expect(up.seen.at(-1)).toBe('GET'), PATIENT);
});

test('a server without such a stream is not taken for one that restarted', async () => {
  const up = await wayward(({ method }, response) => {
    if (method === 'GET') response.writeHead(404).end();
    return method === 'GET';
  });
  await using gateway = await start({ servers: { up: endpoint(up) } });
  const mine = await session(gateway.url);
  await mine.rpc('tools/call', { name: 'up__who' });
  await vi.waitFor(() => expect(times(up, 'GET')).toBe(2), PATIENT);
  expect(times(up, 'initialize')).toBe(1);
});

test('a server that knows no session right after it opened one is not asked for ever', async () => {
  const up = await wayward(({ method }, response) => {
    if (method === 'notifications/initialized') response.writeHead(404).end();
    return method === 'notifications/initialized';
  });
  await using gateway = await start({ servers: { up: endpoint(up) } });
  const mine = await session(gateway.url);
  for (let n = 0; n < 3; n++) expect((await mine.rpc('tools/call', { name: 'up__who' })).json.result).toBeDefined();
  expect(times(up, 'initialize')).toBe(1);
});

test('connection exhaustion: a server that leaves the streams of its answers open keeps no connection with them', async () => {
  const open = new Set<ServerResponse>();
  const up = await wayward(({ id, method }, response) => {
    if (method !== 'tools/call') return false;
    const answer = { jsonrpc: '2.0', id, result: { content: [] } };
    response.writeHead(200, { 'Content-Type': 'Text/Event-Stream' }).write(`data: ${JSON.stringify(answer)}\n\n`);
    open.add(response);
    response.once('close', () => open.delete(response));
    return true;
  });
  await using gateway = await start({ servers: { up: endpoint(up) } });
  const mine = await session(gateway.url);
  const calls = Array.from({ length: 300 }, (_, at) => mine.rpc('tools/call', { name: 'up__who' }, at + 10));
  for (const { json } of await Promise.all(calls)) expect(json.result).toEqual({ content: [] });
  await vi.waitFor(() => expect(open.size).toBe(0), PATIENT);
});

test('who sends what a server refuses closes it to nobody else', async () => {
  const up = await wayward(({ params }, response) => {
    if (params?.['arguments'] === undefined) return false;
    response.writeHead(413, { 'Content-Type': 'text/html' }).end('<h1>Too large</h1>');
    return true;
  });
  await using gateway = await start({ servers: { up: endpoint(up) } });
  const [eve, ann] = [await session(gateway.url), await session(gateway.url)];
  for (let n = 0; n < 8; n++) {
    const { json } = await eve.rpc('tools/call', { name: 'up__who', arguments: { much: n } });
    expect(json.error?.message).toContain('HTTP 413');
  }
  expect(gateway.upstreams('up')).toMatchObject([{ breaker: 'closed' }]);
  expect(textOf((await ann.rpc('tools/call', { name: 'up__who' })).json.result)).toBe('in s1');
});

test('what nobody lists is read from the server that has it, although another one is down', async () => {
  await using up = await httpUpstream('up', { all: true });
  const down = await wayward(({ method }, response) => {
    if (method === 'resources/read') response.writeHead(500).end();
    return method === 'resources/read';
  });
  await using gateway = await start({ servers: { down: { ...endpoint(down), id: 'down' }, up: up.endpoint } });
  const mine = await session(gateway.url);
  const { json } = await mine.rpc('resources/read', { uri: 'mem://up/unlisted' });
  expect(down.seen).toContain('resources/read');
  expect(json).toMatchObject({ result: { contents: [{ uri: 'mem://up/unlisted' }] } });
});

test('who subscribed to a folder hears of what is in it; others do not', async () => {
  await using up = await httpUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const [mine, other] = [await session(gateway.url), await session(gateway.url)];
  await mine.rpc('resources/subscribe', { uri: 'mem://up/a' });
  await other.rpc('resources/subscribe', { uri: 'mem://up/ab' });
  const [heard, unheard] = [await listen(gateway.url, mine.id), await listen(gateway.url, other.id)];
  await listening(up);
  const updated = (uri: string) => ({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
  up.say(updated('mem://up/a/part/of'));
  up.say(updated('mem://up/ab'));
  expect(await heard.next()).toEqual(updated('mem://up/a/part/of'));
  expect(await unheard.next()).toEqual(updated('mem://up/ab'));
  for (const stream of [heard, unheard]) stream.close();
});

test('who subscribed goes on hearing of a server that hung up and is back, although nobody calls', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  await mine.rpc('resources/subscribe', { uri: 'mem://up/a' });
  const stream = await listen(gateway.url, mine.id);
  up.drop();
  const again = () => up.seen.filter((message) => 'method' in message && message.method === 'resources/subscribe');
  await vi.waitFor(() => expect(again()).toHaveLength(2), PATIENT);
  const updated = { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'mem://up/a' } };
  up.say(updated);
  expect(await stream.next()).toEqual(updated);
  stream.close();
  // Nobody waits any more: it is left alone.
  await mine.rpc('resources/unsubscribe', { uri: 'mem://up/a' });
  await vi.waitFor(() => expect(up.listeners).toBe(1), PATIENT);
});

test('a page in the place of the rest of a stream is no stream: the call is given up, and not asked for until its time is over', async () => {
  let pages = 0;
  const up = await wayward(({ method }, response, request) => {
    if (method === 'tools/call') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('id: e1\nretry: 1\ndata: \n\n');
      return true;
    }
    if (method !== 'GET' || request.headers['last-event-id'] === undefined) return false;
    pages++;
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>Under maintenance</p>');
    return true;
  });
  await using gateway = await start({
    servers: { up: { endpoints: [{ id: 'up', transport: 'http', address: up.url }], timeoutMs: 30_000 } },
  });
  const mine = await session(gateway.url);
  const { error } = (await mine.rpc('tools/call', { name: 'up__who' })).json;
  expect(error?.data).toMatchObject({ error_code: 'upstream-unavailable' });
  expect(pages).toBeLessThan(10);
});

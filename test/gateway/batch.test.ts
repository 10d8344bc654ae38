/** Several messages in one body: for clients and servers of MCP 2025-03-26, and for nobody else. */
import { createServer, request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { Kept } from '../access/helpers/kept.ts';
import { eventually } from '../helpers/until.ts';
import { events as eventsOf, MCP_HEADERS, principal, raw, session, start } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';
import { holdingUpstream, socketUpstream } from './helpers/upstreams.ts';

const VERSION = '2025-03-26';
const call = (id: unknown, said: string) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'up__echo', arguments: { text: said } },
});
const cancelled = (requestId: unknown) => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId },
});

interface Said {
  readonly id?: unknown;
  readonly method?: string;
  readonly result?: { readonly content: readonly { readonly text: string }[] };
  readonly error?: { readonly code: number; readonly data?: { readonly error_code: string } };
}

async function batches(url: string, version = VERSION, token = '') {
  const { id } = await session(url, { version, token });
  const bearer: Record<string, string> = token === '' ? {} : { Authorization: `Bearer ${token}` };
  const headers = { ...MCP_HEADERS, ...bearer, 'Mcp-Session-Id': id };
  return async (body: unknown) => {
    const answer = await raw(url, { method: 'POST', path: '/mcp', headers, body: JSON.stringify(body) });
    const events = [...answer.text.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(String(json)) as Said);
    return { ...answer, events, byId: new Map(events.map((event) => [event.id, event])) };
  };
}

test('each request gets its answer on one stream; what asks nothing gets 202', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const send = await batches(gateway.url);
  const list = { jsonrpc: '2.0', id: 'l', method: 'tools/list' };
  const unknown = { jsonrpc: '2.0', id: 3, method: 'nope' };
  const answer = await send([call(1, 'one'), list, call(2, 'two'), cancelled('nobody'), unknown]);
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/event-stream']);
  expect(answer.events).toHaveLength(4);
  expect(answer.byId.get(1)?.result?.content[0]?.text).toBe('up:one');
  expect(answer.byId.get(2)?.result?.content[0]?.text).toBe('up:two');
  expect(answer.byId.get('l')?.result).toHaveProperty('tools');
  expect(answer.byId.get(3)?.error?.code).toBe(-32_601);
  expect(await send([cancelled('nobody'), cancelled('nobody else')])).toMatchObject({ status: 202, text: '' });
  expect((await send([call(9, 'alone')])).events).toHaveLength(1);
});

test('progress of one comes before its answer, and one that is slow holds up no other', async () => {
  await using up = await holdingUpstream('up', 'tools/call');
  await using quick = await socketUpstream('quick');
  await using gateway = await start({ servers: { up: up.endpoint, quick: quick.endpoint } });
  const send = await batches(gateway.url);
  const other = { ...call(2, 'x'), params: { name: 'quick__echo', arguments: { text: 'x' } } };
  const answer = send([call(1, 'slow'), other]);
  await up.saw('tools/call');
  await quick.saw('tools/call');
  up.letGo();
  expect((await answer).events.map(({ id }) => id)).toEqual([2, 1]);
});

test('refused: where the revision has none, empty, too many, with what is no message, with initialize', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const send = await batches(gateway.url);
  const initialize = { jsonrpc: '2.0', id: 5, method: 'initialize', params: {} };
  const many = Array.from({ length: 101 }, (_, id) => call(id, 'x'));
  for (const body of [[], many, [call(1, 'x'), 7], [call(1, 'x'), [call(2, 'x')]], [call(1, 'x'), initialize]])
    expect(await send(body)).toMatchObject({ status: 400, json: { id: null, error: { code: -32_600 } } });
  for (const version of ['2024-11-05', '2025-06-18', '2025-11-25']) {
    const other = await batches(gateway.url, version);
    expect((await other([call(1, 'x')])).json.error).toMatchObject({
      message: expect.stringContaining('not supported'),
    });
  }
  const modern = await raw(gateway.url, {
    method: 'POST',
    path: '/mcp',
    headers: { ...MCP_HEADERS, 'MCP-Protocol-Version': '2026-07-28' },
    body: JSON.stringify([call(1, 'x')]),
  });
  expect(modern.status).toBe(400);
  // Nothing of any of them was done.
  expect(up.seen.some((message) => 'method' in message && message.method === 'tools/call')).toBe(false);
  expect((await ask(gateway.url, 'tools/call', call(1, 'x').params)).status).toBe(200);
});

test('limit evasion: to limits and the audit log each is a request of its own', async () => {
  const audit = new Kept();
  await using up = await socketUpstream('up');
  const rate = { perSecond: 0.001, burst: 5 };
  await using gateway = await start(
    { servers: { up: up.endpoint }, principals: [principal('ada', 'tok')], limits: { perPrincipal: { rate } } },
    { audit },
  );
  // To initialize took one of five.
  const send = await batches(gateway.url, VERSION, 'tok');
  const before = audit.events.length;
  const { events } = await send([1, 2, 3, 4, 5, 6].map((id) => call(id, String(id))));
  const codes = events.map(({ error }) => error?.data?.error_code ?? 'done').sort();
  expect(codes).toEqual(['done', 'done', 'done', 'done', 'rate-limited', 'rate-limited']);
  await audit.last(before + 6);
  const told = audit.events.slice(before) as AuditDraft[];
  expect(told.filter(({ allowed }) => allowed)).toHaveLength(4);
  expect(told.filter(({ deniedReason }) => deniedReason === 'rate-limited')).toHaveLength(2);
  expect(new Set(told.map(({ requestId }) => requestId)).size).toBe(6);
  expect(told.every((event) => event.method === 'tools/call' && event.principal === 'token:ada')).toBe(true);
});

test('limit evasion: notices, addresses and bodies are counted one by one as well', async () => {
  await using up = await socketUpstream('up');
  const rate = { perSecond: 0.001, burst: 4 };
  const perAddress = { connections: 100, failures: rate, trustedHops: 0, requests: rate };
  const notice = { jsonrpc: '2.0', method: 'notifications/custom' };
  const servers = { up: up.endpoint };
  {
    await using gateway = await start({ servers, limits: { perPrincipal: { rate } } });
    const { id } = await session(gateway.url, { path: '/servers/up/mcp', version: VERSION });
    const headers = { ...MCP_HEADERS, 'Mcp-Session-Id': id };
    const body = JSON.stringify(Array.from({ length: 10 }, () => notice));
    const path = '/servers/up/mcp';
    expect((await raw(gateway.url, { method: 'POST', path, headers, body })).status).toBe(202);
    // They arrive before what is asked after them.
    await up.saw('notifications/custom');
    expect(up.seen.filter((message) => 'method' in message && message.method === notice.method)).toHaveLength(3);
  }
  {
    await using gateway = await start({ servers, limits: { perAddress } });
    const send = await batches(gateway.url);
    const { events } = await send([1, 2, 3, 4, 5].map((id) => call(id, 'x')));
    expect(events.filter(({ result }) => result)).toHaveLength(3);
  }
  {
    await using gateway = await start({ servers, limits: { servers: { up: { bodyBytes: 500 } } } });
    const send = await batches(gateway.url);
    const { byId } = await send([...[1, 2, 3, 4, 5].map((id) => call(id, 'x')), call(6, 'x'.repeat(500))]);
    expect([1, 2, 3, 4, 5].every((id) => byId.get(id)?.result)).toBe(true);
    expect(byId.get(6)?.error?.data?.error_code).toBe('body-too-large');
  }
});

test('memory exhaustion: answers that nobody reads keep what they took, and are not piled up', async () => {
  const large = { content: [{ type: 'text', text: 'y'.repeat(8 * 2 ** 20) }] };
  await using up = await bySaying(() => large);
  const limits = { perPrincipal: { concurrency: 2 } };
  await using gateway = await start({ servers: { up: up.endpoint }, limits });
  const { id } = await session(gateway.url, { version: VERSION });
  const { host, hostname, port } = new URL(gateway.url);
  const body = JSON.stringify([call(1, 'x'), call(2, 'x')]);
  const socket = connect(Number(port), hostname).pause();
  const head = `Host: ${host}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream`;
  const length = Buffer.byteLength(body);
  socket.write(`POST /mcp HTTP/1.1\r\n${head}\r\nMcp-Session-Id: ${id}\r\nContent-Length: ${length}\r\n\r\n${body}`);
  await eventually(() => up.asked.filter((method) => method === 'tools/call').length === 2);
  const list = { method: 'POST', path: '/mcp', headers: { ...MCP_HEADERS, 'Mcp-Session-Id': id } };
  const next = () => raw(gateway.url, { ...list, body: JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'ping' }) });
  expect((await next()).status).toBe(429);
  socket.destroy();
  await eventually(async () => (await next()).status === 200);
});

test('a client that comes back finds all answers, however much else was said meanwhile', async () => {
  const go = Promise.withResolvers<void>();
  await using up = await bySaying(async ({ params }, say) => {
    const { name, _meta } = params as { name: string; _meta?: { progressToken: unknown } };
    const tell = (progress: number): void => {
      const said = { progressToken: _meta?.progressToken, progress };
      say({ jsonrpc: '2.0', method: 'notifications/progress', params: said });
    };
    const isChatty = name === 'chatty';
    if (isChatty) tell(0);
    await go.promise;
    if (isChatty) for (let at = 1; at <= 1100; at++) tell(at);
    return { content: [{ type: 'text', text: name }] };
  });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const { id } = await session(gateway.url, { version: VERSION });
  const quick = { ...call(1, 'x'), params: { name: 'up__quick', arguments: {} } };
  const chatty = { ...call(2, 'x'), params: { name: 'up__chatty', arguments: {}, _meta: { progressToken: 'p' } } };
  const headers = { ...MCP_HEADERS, 'Mcp-Session-Id': id };
  const sent = request(`${gateway.url}/mcp`, { method: 'POST', headers, agent: false }).on('error', () => {});
  sent.end(JSON.stringify([quick, chatty]));
  const stream = await eventsOf(sent);
  await stream.next();
  const after = stream.lastId;
  stream.close();
  go.resolve();
  await eventually(() => up.answered === 2);
  const back = { Accept: 'text/event-stream', 'Mcp-Session-Id': id, 'Last-Event-ID': after };
  const { text: all } = await raw(gateway.url, { path: '/mcp', headers: back });
  expect([...all.matchAll(/"id":(\d),"result"/g)].map(([, answered]) => answered).sort()).toEqual(['1', '2']);
});

test('what is on record of one is found by what its answer says it is', async () => {
  const audit = new Kept();
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } }, { audit });
  const send = await batches(gateway.url);
  const before = audit.events.length;
  const { headers } = await send([call(1, 'x'), call(2, 'x')]);
  await audit.last(before + 2);
  const found = audit.events.filter(({ correlationId }) => correlationId === headers['x-request-id']);
  expect(found.map(({ method, session: of }) => [method, typeof of])).toEqual([
    ['tools/call', 'string'],
    ['tools/call', 'string'],
  ]);
});

test('a client that ends its session and hangs up takes all of it back', async () => {
  await using up = await holdingUpstream('up', 'tools/call');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const { id } = await session(gateway.url, { version: VERSION });
  const gone = new AbortController();
  const sent = fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { ...MCP_HEADERS, 'Mcp-Session-Id': id },
    body: JSON.stringify([call(1, 'a'), call(2, 'b')]),
    signal: gone.signal,
  });
  await up.saw('tools/call');
  await raw(gateway.url, { method: 'DELETE', path: '/mcp', headers: { 'Mcp-Session-Id': id } });
  gone.abort();
  await Promise.allSettled([sent, sent.then((answer) => answer.text())]);
  await up.saw('notifications/cancelled');
  up.letGo();
});

type Call = (request: RpcRequest, say: (message: object) => void) => unknown;

/** A server over HTTP that answers calls on a stream, as it is told. */
async function bySaying(called: Call) {
  const asked: string[] = [];
  let answered = 0;
  const listener = createServer(async (incoming, response) => {
    const body = await text(incoming);
    if (incoming.method !== 'POST') return void response.writeHead(405).end();
    const message = JSON.parse(body) as RpcRequest;
    asked.push(message.method);
    const { id, method } = message;
    if (id === undefined) return void response.writeHead(202).end();
    const known: Readonly<Record<string, object>> = {
      initialize: { protocolVersion: VERSION, capabilities: { tools: {} }, serverInfo: { name: 'up', version: '1' } },
      'tools/list': { tools: ['echo', 'quick', 'chatty'].map((name) => ({ name, inputSchema: { type: 'object' } })) },
    };
    if (method === 'tools/call') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const say = (said: object): void => void response.write(`data: ${JSON.stringify(said)}\n\n`);
      say({ jsonrpc: '2.0', id, result: await called(message, say) });
      response.end(() => answered++);
    } else {
      const out = known[method] ? { result: known[method] } : { error: { code: -32_601, message: '?' } };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...out }));
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
  return {
    endpoint: { id: 'up', transport: 'http' as const, address },
    asked,
    /** How many calls were answered to the end. */
    get answered() {
      return answered;
    },
    [Symbol.asyncDispose]: async () => {
      listener.closeAllConnections();
      listener.close();
    },
  };
}

test('a server may say several things at once, too', async () => {
  await using up = await bySaying(({ id, params }, say) => {
    const { progressToken } = (params as { _meta: { progressToken: unknown } })._meta;
    const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 1 } };
    say([progress, { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'together' }] } }]);
    return { content: [] };
  });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const send = await batches(gateway.url);
  const asked = call(1, 'x');
  const { events: said } = await send([{ ...asked, params: { ...asked.params, _meta: { progressToken: 'p' } } }]);
  expect(said.map(({ method, id }) => method ?? id)).toEqual(['notifications/progress', 1]);
  expect(said[1]?.result?.content[0]?.text).toBe('together');
});

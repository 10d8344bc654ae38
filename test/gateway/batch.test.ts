/** Several messages in one body: for clients and servers of MCP 2025-03-26, and for nobody else. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { Kept } from '../access/helpers/kept.ts';
import { MCP_HEADERS, principal, raw, session, start } from './helpers/gateway.ts';
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

test('a server may say several things at once, too', async () => {
  const listener = createServer(async (request, response) => {
    const body = await text(request);
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const { id, method, params } = JSON.parse(body) as RpcRequest;
    if (id === undefined) return void response.writeHead(202).end();
    const results: Record<string, object> = {
      initialize: { protocolVersion: VERSION, capabilities: { tools: {} }, serverInfo: { name: 'up', version: '1' } },
      'tools/list': { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] },
      'tools/call': { content: [{ type: 'text', text: 'together' }] },
    };
    const answer = results[method]
      ? { jsonrpc: '2.0', id, result: results[method] }
      : { jsonrpc: '2.0', id, error: { code: -32_601, message: '?' } };
    if (method !== 'tools/call') {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      return void response.end(JSON.stringify(answer));
    }
    const { progressToken } = (params as { _meta: { progressToken: unknown } })._meta;
    const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 1 } };
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.end(`data: ${JSON.stringify([progress, answer])}\n\n`);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
  await using gateway = await start({ servers: { up: { id: 'up', transport: 'http', address } } });
  const send = await batches(gateway.url);
  const asked = call(1, 'x');
  const { events } = await send([{ ...asked, params: { ...asked.params, _meta: { progressToken: 'p' } } }]);
  expect(events.map(({ method, id }) => method ?? id)).toEqual(['notifications/progress', 1]);
  expect(events[1]?.result?.content[0]?.text).toBe('together');
  listener.closeAllConnections();
  listener.close();
});

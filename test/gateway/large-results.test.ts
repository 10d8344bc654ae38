/** Large results pass as the bytes that the server sent: whole, or not at all. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../gateway/index.ts';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { raw, session, start, MCP_HEADERS } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';

const MB = 1024 * 1024;
/** White space and escapes that a gateway which parses would not keep. */
const TEXT = String.raw`\u0041 "quoted" \\ é😀 },\"id\":99`;

/** Answers as the arguments of the call say. */
const WAYS: Readonly<Record<string, (response: ServerResponse, answer: string) => void>> = {
  length: (response, answer) =>
    void response.writeHead(200, { ...JSON_TYPE, 'Content-Length': Buffer.byteLength(answer) }).end(answer),
  chunks: (response, answer) => {
    response.writeHead(200, JSON_TYPE);
    for (let at = 0; at < answer.length; at += 50_001) response.write(answer.slice(at, at + 50_001));
    response.end();
  },
  dies: (response, answer) => {
    response.writeHead(200, { ...JSON_TYPE, 'Content-Length': Buffer.byteLength(answer) });
    response.write(answer.slice(0, answer.length / 2), () => response.destroy());
  },
  smuggles: (response, answer) => void response.writeHead(200, JSON_TYPE).end(`${answer.slice(0, -1)},"id":99,"x":{}}`),
};
const JSON_TYPE = { 'Content-Type': 'application/json' };

const upstream = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const { id, method, params } = JSON.parse(body || '{}') as Partial<RpcRequest>;
  if (id === undefined) return void response.writeHead(202).end();
  const say = (result: object): void =>
    void response.writeHead(200, JSON_TYPE).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  if (method === 'initialize')
    return say({
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'up', version: '1' },
    });
  if (method === 'tools/list') return say({ tools: [{ name: 'big', inputSchema: { type: 'object' } }] });
  if (method !== 'tools/call') return void response.writeHead(404).end();
  const {
    way,
    size = MB,
    more = '',
  } = (params as Record<string, unknown>)['arguments'] as { way: string; size?: number; more?: string };
  const text = `"${JSON.stringify(TEXT).slice(1, -1)}${'x'.repeat(size)}"`;
  WAYS[way]?.(response, `{"jsonrpc":"2.0","id":${id},"result":{ "content" : [{"type":"text","text":${text}}]${more}}}`);
});

let gateway: Gateway;

beforeAll(async () => {
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const address = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/mcp`;
  gateway = await start({ servers: { up: { id: 'up', transport: 'http', address } } });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  upstream.closeAllConnections();
  upstream.close();
});

const big = (way: string, more: object = {}) => ({ name: 'up__big', arguments: { way, ...more } });
const expected = { type: 'text', text: TEXT + 'x'.repeat(MB) };

for (const way of ['length', 'chunks'])
  describe(`an answer that comes with ${way}`, () => {
    test('is what the server sent, under the id of the client', async () => {
      const { json, text, headers } = await (await session(gateway.url)).rpc('tools/call', big(way), 'own "id"');
      expect(json).toEqual({ jsonrpc: '2.0', id: 'own "id"', result: { content: [expected] } });
      expect(text).toContain('{ "content" : [');
      expect(headers['content-length']).toBe(String(Buffer.byteLength(text)));
    });

    test('reaches a client of the other era with what that one needs', async () => {
      const { json } = await ask(gateway.url, 'tools/call', big(way));
      expect(json.result).toMatchObject({ resultType: 'complete', content: [expected] });
      expect(Object.keys((json.result as { _meta: object })._meta)).toHaveLength(1);
      const own = await ask(gateway.url, 'tools/call', big(way, { more: ',"_meta":{"a":1}' }));
      expect(own.json.result).toMatchObject({ resultType: 'complete', content: [expected], _meta: { a: 1 } });
    });
  });

test('what is no JSON inside reaches nobody as JSON', async () => {
  const more = ',"_meta":{},"structuredContent":{"a":tru}';
  const { json } = await ask(gateway.url, 'tools/call', big('length', { more }));
  expect(json).toMatchObject({ error: { message: expect.stringContaining('cannot be read') } });
  const { text } = await (await session(gateway.url)).rpc('tools/call', big('length', { more }));
  expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
});

test('that a tool failed is seen', async () => {
  const before = gateway.tally('up').errors;
  await (await session(gateway.url)).rpc('tools/call', big('length', { more: ',"isError":true' }));
  expect(gateway.tally('up').errors).toBe(before + 1);
});

test('a server that dies half-way: an error, and never a part of a result', async () => {
  const { json } = await (await session(gateway.url)).rpc('tools/call', big('dies'));
  expect(json).toMatchObject({ jsonrpc: '2.0', id: 1, error: { code: -32_010 } });
});

test('answer smuggling: a result that ends early answers for nobody else', async () => {
  const { text } = await (await session(gateway.url)).rpc('tools/call', big('smuggles'));
  expect(text.endsWith(',"id":99,"x":{}}')).toBe(false);
});

test('a client that reads slowly, or leaves half-way, costs nobody else anything', async () => {
  const mine = await session(gateway.url);
  const { hostname, port } = new URL(gateway.url);
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: big('length', { size: 20 * MB }),
  });
  const head = Object.entries({ ...MCP_HEADERS, Host: 'localhost', 'Mcp-Session-Id': mine.id })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const open = await Promise.all(
    [0, 1].map(async () => {
      const socket = connect(Number(port), hostname);
      socket.write(`POST /mcp HTTP/1.1\r\n${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      await once(socket, 'readable');
      return socket;
    }),
  );
  expect((await mine.rpc('tools/call', big('length'), 2)).json.result).toBeDefined();
  open[0]?.destroy();
  let got = 0;
  for await (const chunk of open[1] ?? []) {
    got += (chunk as Buffer).length;
    if (got > 20 * MB) break;
  }
  expect(got).toBeGreaterThan(20 * MB);
  expect((await raw(gateway.url, { path: '/health' })).status).toBe(200);
});

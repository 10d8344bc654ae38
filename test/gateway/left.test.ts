/** A server over HTTP that is replaced, at its address, by one that speaks only MCP 2026-07-28, while a call to the old one runs. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, test, vi } from 'vitest';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { session, start } from './helpers/gateway.ts';
import { opened } from '../helpers/opened.ts';

const REFUSED = { error: { code: -32_022, message: 'Unsupported', data: { supported: ['2026-07-28'] } } };

/** Its tool `hold` is answered on an event stream, by the test; anything else at once. */
async function changing() {
  const ended: unknown[] = [];
  let isModern = false;
  const held = Promise.withResolvers<{ stream: ServerResponse; id: unknown }>();
  const answers: Record<string, (params: RpcRequest['params']) => object> = {
    initialize: () => ({
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'up', version: '1' },
    }),
    'server/discover': () => ({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }),
    'tools/list': () => ({ tools: ['hold', 'who'].map((name) => ({ name, inputSchema: { type: 'object' } })) }),
    'tools/call': () => ({ content: [{ type: 'text', text: isModern ? 'new' : 'old' }] }),
  };
  const listener = createServer(async (request, response) => {
    const own = request.headers['mcp-session-id'];
    if (request.method === 'DELETE') ended.push(own);
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const { id, method, params } = JSON.parse(await text(request)) as RpcRequest;
    if (id === undefined) return void response.writeHead(202).end();
    if (params?.['name'] === 'hold') {
      const stream = response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      stream.flushHeaders();
      return held.resolve({ stream, id });
    }
    // As each of them is: the old one does not know how to discover, the new one is never greeted.
    const strange = isModern ? request.headers['mcp-protocol-version'] !== '2026-07-28' : method === 'server/discover';
    const result = { ...(isModern ? { resultType: 'complete' } : {}), ...answers[method]?.(params) };
    const out = strange ? (isModern ? REFUSED : { error: { code: -32_601, message: 'Method not found' } }) : { result };
    response.writeHead(strange ? 400 : 200, {
      'Content-Type': 'application/json',
      ...(method === 'initialize' ? { 'Mcp-Session-Id': 'first' } : {}),
    });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...out }));
  });
  const address = `${await opened(listener)}/mcp`;
  return {
    ended,
    held: held.promise,
    endpoint: { id: 'up', transport: 'http' as const, address },
    becomeModern: () => void (isModern = true),
  };
}

test('the call runs to its end, and then the connection is closed, although the stream of that call stays open', async () => {
  const up = await changing();
  await using gateway = await start({ servers: { up: up.endpoint } });
  const [ann, eve] = [await session(gateway.url), await session(gateway.url)];
  const running = ann.rpc('tools/call', { name: 'up__hold' });
  const { stream, id } = await up.held;
  up.becomeModern();
  expect((await eve.rpc('tools/call', { name: 'up__who' })).json.result).toMatchObject({ content: [{ text: 'new' }] });
  expect(gateway.era('up')).toBe('modern');
  expect(up.ended).toEqual([]);
  const closed = once(stream, 'close');
  const result = { content: [{ type: 'text', text: 'held' }] };
  stream.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`);
  expect((await running).json.result).toMatchObject(result);
  await closed;
  await vi.waitFor(() => expect(up.ended).toEqual(['first']));
});

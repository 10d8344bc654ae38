/** Servers of older revisions over HTTP that hang, refuse, forget and change: nobody else's calls suffer. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import { session, start } from './helpers/gateway.ts';
import { opened } from '../helpers/opened.ts';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly message: RpcRequest;
  /** Answers with a result. */
  give(result: object): void;
}

const TOOLS = ['quick', 'slow', 'big'].map((name) => ({ name, inputSchema: { type: 'object' } }));
const DONE = { content: [{ type: 'text', text: 'done' }] };

/** What a well-behaved server answers. */
function usual({ response, message: { id, method }, give }: Exchange): void {
  if (id === undefined) return void response.writeHead(202).end();
  if (method === 'server/discover') return void response.writeHead(400).end();
  if (method === 'initialize')
    return give({
      protocolVersion: '2025-11-25',
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: 'up', version: '1' },
    });
  give(method === 'tools/list' ? { tools: TOOLS } : DONE);
}

/** A server by hand over Streamable HTTP: `handle` says what is special about it. @returns true where it has answered */
async function server(handle: (exchange: Exchange) => boolean | void | Promise<boolean | void>): Promise<Endpoint> {
  const listener = createServer(async (request, response) => {
    const message = JSON.parse((await text(request)) || '{}') as RpcRequest;
    const give = (result: object): void => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
    };
    const exchange = { request, response, message, give };
    if (await handle(exchange)) return;
    if (request.method === 'POST') usual(exchange);
    else response.writeHead(405).end();
  });
  return { id: 'up', transport: 'http', address: `${await opened(listener)}/mcp` };
}

test('a notice that a server never accepts does not hold its socket for ever', async () => {
  const held: Promise<void>[] = [];
  let notices = 0;
  const endpoint = await server(({ response, message: { method } }) => {
    if (method === 'notifications/cancelled') {
      notices++;
      held.push(new Promise((resolve) => response.once('close', resolve)));
    }
    return method === 'tools/call' || method === 'notifications/cancelled';
  });
  await using gateway = await start({ servers: { up: { endpoints: [endpoint], timeoutMs: 200 } } });
  const mine = await session(gateway.url);
  await mine.rpc('tools/list');
  // The clock runs faster from here on.
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  const faster = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => timeout(ms / 50));
  onTestFinished(() => faster.mockRestore());
  const calls = Array.from({ length: 3 }, (_, id) => mine.rpc('tools/call', { name: 'up__slow' }, id));
  for (const { json } of await Promise.all(calls))
    expect(json.error?.data).toMatchObject({ error_code: 'upstream-timeout' });
  await expect.poll(() => notices).toBe(3);
  await Promise.all(held);
});

test('a session that is begun anew takes no call before it stands: those that come meanwhile wait for it', async () => {
  let live = '';
  let ready = false;
  let begun = 0;
  let calls = 0;
  const slow = Promise.withResolvers<void>();
  const reopening = Promise.withResolvers<void>();
  const endpoint = await server(async ({ request, response, message: { id, method } }) => {
    if (request.method !== 'POST' || method === 'server/discover') return false;
    if (method === 'initialize') {
      ready = false;
      if (begun++ > 0) {
        reopening.resolve();
        await slow.promise;
      }
      live = `s${begun}`;
      response.setHeader('Mcp-Session-Id', live);
      return false;
    }
    const known = request.headers['mcp-session-id'];
    if (known !== live) return Boolean(response.writeHead(known === undefined ? 400 : 404).end());
    if (id !== undefined) {
      // A strict server: who did not say that it is ready is refused.
      if (!ready) return Boolean(response.writeHead(400).end());
      if (method === 'tools/call') calls++;
      return false;
    }
    // Whatever could overtake the notice has time to.
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    ready = true;
    return false;
  });
  await using gateway = await start({ servers: { up: endpoint } });
  const mine = await session(gateway.url);
  const call = async (id: number) => (await mine.rpc('tools/call', { name: 'up__quick' }, id)).json;
  expect((await call(1)).result).toEqual(DONE);
  live = 'forgotten';
  const first = call(2);
  await reopening.promise;
  const others = [call(3), call(4)];
  await vi.waitFor(() => expect(gateway.upstreams('up')).toMatchObject([{ inFlight: 3 }]), 20_000);
  slow.resolve();
  expect((await Promise.all([first, ...others])).map(({ result }) => result)).toEqual([DONE, DONE, DONE]);
  expect([begun, calls]).toEqual([2, 4]);
});

test('a server that speaks only MCP 2026-07-28 after an update is met anew, by the very call that notices', async () => {
  let modern = false;
  const begun: string[] = [];
  const slow = Promise.withResolvers<void>();
  const endpoint = await server(async ({ response, message: { id, method, params }, give }) => {
    if (method === 'server/discover' || method === 'initialize') begun.push(method);
    // What began before the update may still end.
    if (params?.['name'] === 'slow') {
      await slow.promise;
      give(DONE);
      return true;
    }
    if (!modern || id === undefined) return false;
    const { 'io.modelcontextprotocol/protocolVersion': version } = (params?.['_meta'] ?? {}) as Record<string, unknown>;
    if (version !== '2026-07-28') {
      const data = { supported: ['2026-07-28'], requested: '2025-11-25' };
      const error = { code: -32_022, message: 'Unsupported protocol version', data };
      response.writeHead(400, { 'Content-Type': 'application/json' });
      return Boolean(response.end(JSON.stringify({ jsonrpc: '2.0', id, error })));
    }
    if (method !== 'server/discover') return false;
    give({ resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } });
    return true;
  });
  await using gateway = await start({ servers: { up: endpoint } });
  const mine = await session(gateway.url);
  const call = async (name: string, id: number) => (await mine.rpc('tools/call', { name }, id)).json.result;
  expect(await call('up__quick', 1)).toEqual(DONE);
  const running = call('up__slow', 2);
  await vi.waitFor(() => expect(gateway.upstreams('up')).toMatchObject([{ inFlight: 1 }]), 20_000);
  modern = true;
  expect(await call('up__quick', 3)).toMatchObject(DONE);
  expect(gateway.era('up')).toBe('modern');
  slow.resolve();
  expect(await running).toEqual(DONE);
  expect(begun).toEqual(['server/discover', 'initialize', 'server/discover']);
});

test.each(['e1', undefined])(
  'what a server said while nobody listened is made up for (event id %s)',
  async (eventId) => {
    let added = false;
    const gets: unknown[] = [];
    let stream: ServerResponse | undefined;
    const endpoint = await server(({ request, response, message: { method }, give }) => {
      if (request.method === 'GET') {
        const last = request.headers['last-event-id'];
        gets.push(last);
        stream = response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        stream.write(eventId !== undefined && gets.length === 1 ? `id: ${eventId}\ndata: \n\n` : ': here\n\n');
        const changed = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
        if (last === 'e1') stream.write(`id: e2\ndata: ${changed}\n\n`);
        return true;
      }
      if (method !== 'tools/list') return false;
      give({ tools: added ? [...TOOLS, { name: 'added', inputSchema: { type: 'object' } }] : TOOLS });
      return true;
    });
    await using gateway = await start({ servers: { up: endpoint } });
    const mine = await session(gateway.url);
    const listed = async () => (await mine.rpc('tools/list')).text;
    expect(await listed()).not.toContain('up__added');
    await vi.waitFor(() => expect(gets).toHaveLength(1), 20_000);
    added = true;
    stream?.destroy();
    await expect.poll(listed, { timeout: 20_000 }).toContain('up__added');
    expect(gets).toEqual([undefined, eventId]);
  },
);

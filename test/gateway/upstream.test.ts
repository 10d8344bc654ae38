import { createServer, type ServerResponse } from 'node:http';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { SseParser, type SseEvent } from '../../schemas/sse.ts';
import { Peer, type Connect } from '../../schemas/peer.ts';
import { named } from '../../gateway/upstream/unavailable.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { server as mind } from './fixtures/tools.mjs';
import { client, session, start } from './helpers/gateway.ts';
import { httpUpstream } from './helpers/upstreams.ts';
import type { RpcMessage } from '../../schemas/jsonrpc.ts';
import { opened } from '../helpers/opened.ts';

interface Old {
  /** Makes it name a post address on another origin. */
  readonly elsewhere?: string;
  /** The HTTP status that it refuses a message with; 0 cuts the connection. */
  readonly refuse?: (message: RpcMessage) => number | undefined;
  readonly seen?: RpcMessage[];
}

/** An HTTP+SSE server of 2024-11-05. */
async function sseUpstream({ elsewhere, refuse, seen = [] }: Old = {}): Promise<string> {
  let stream: ServerResponse | undefined;
  const send = (message: object): void => void stream?.write(`data: ${JSON.stringify(message)}\n\n`);
  const receive = mind({ name: 'old', send, seen });
  const listener = createServer(async (request, response) => {
    if (request.method === 'GET') {
      stream = response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      return void stream.write(`event: endpoint\ndata: ${elsewhere ?? '/messages?id=1'}\n\n`);
    }
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message = JSON.parse(body) as RpcMessage;
    const refused = refuse?.(message);
    if (refused === 0) return void request.socket.destroy();
    response.writeHead(refused ?? 202).end();
    if (refused === undefined) receive(message);
  });
  return `${await opened(listener)}/sse`;
}

test('a server of 2024-11-05 is reached over HTTP+SSE', async () => {
  const address = await sseUpstream();
  await using gateway = await start({ servers: { old: { id: 'old', transport: 'sse', address } } });
  const mine = await session(gateway.url);
  const { json } = await mine.rpc('tools/call', { name: 'old__who' });
  expect(json.result).toEqual({ content: [{ type: 'text', text: 'old' }] });
});

test('over HTTP+SSE a message that is refused ends no call but its own', async () => {
  const seen: RpcMessage[] = [];
  const statuses = [413, 0, 404];
  let refused = 0;
  const refuse = (message: RpcMessage): number | undefined =>
    'method' in message && message.params?.['name'] === 'who' ? statuses[refused++] : undefined;
  const address = await sseUpstream({ refuse, seen });
  const methods = (): string[] => seen.flatMap((message) => ('method' in message ? [message.method] : []));
  await using gateway = await start({ servers: { old: { id: 'old', transport: 'sse', address } } });
  const [ann, eve] = [await session(gateway.url), await session(gateway.url)];
  const who = async () => (await eve.rpc('tools/call', { name: 'old__who' })).json.error;
  await ann.rpc('tools/list');
  const running = ann.rpc('tools/call', { name: 'old__hang' });
  await vi.waitFor(() => expect(methods()).toContain('tools/call'), 20_000);
  expect(await who()).toMatchObject({ code: -32_010, message: expect.stringContaining('HTTP 413') });
  expect(await who()).toMatchObject({ code: -32_010, message: expect.stringContaining('broke') });
  expect(gateway.upstreams('old')).toMatchObject([{ inFlight: 1, connected: true }]);
  // A server that does not know the stream any more answers nobody on it.
  expect(await who()).toMatchObject({ code: -32_010 });
  expect((await running).json.error).toMatchObject({ code: -32_010 });
  expect(methods().filter((method) => method === 'initialize')).toHaveLength(1);
  expect((await eve.rpc('tools/call', { name: 'old__who' })).json.result).toBeDefined();
  expect(methods().filter((method) => method === 'initialize')).toHaveLength(2);
});

test('SSRF: a server that sends us to another origin gets nothing there', async () => {
  await using victim = await httpUpstream('victim');
  const address = await sseUpstream({ elsewhere: victim.endpoint.address });
  await using gateway = await start({ servers: { old: { id: 'old', transport: 'sse', address } } });
  const mine = await session(gateway.url);
  expect((await mine.rpc('tools/call', { name: 'old__who' })).json.error?.code).toBe(-32010);
  expect(victim.headers).toEqual([]);
});

test('SSRF: a redirect is not followed', async () => {
  await using victim = await httpUpstream('victim');
  const listener = createServer(
    (_, response) => void response.writeHead(307, { Location: victim.endpoint.address }).end(),
  );
  const address = `${await opened(listener)}/mcp`;
  await using gateway = await start({ servers: { up: { id: 'up', transport: 'http', address } } });
  const mine = await session(gateway.url);
  const { json } = await mine.rpc('tools/call', { name: 'up__who' });
  expect(json.error).toMatchObject({ code: -32010, message: expect.stringContaining('HTTP 307') });
  expect(victim.headers).toEqual([]);
});

test('an instance of this process is handed over, and opened again after it ended', async () => {
  const peers: Peer[] = [];
  const end = (peer: Peer | undefined): void => peer?.close(new SlipwayError('upstream-unavailable', 'ended'));
  const connect: Connect = (id, handlers) => {
    if (id !== 'here') return undefined;
    const receive = mind({ name: 'here', send: (message) => peer.receive(message as RpcMessage) });
    const peer = new Peer({ ...handlers, send: receive });
    peers.push(peer);
    return {
      get inFlight() {
        return peer.inFlight;
      },
      request: (method, params, options) => peer.request(method, params, options),
      notify: (method, params) => peer.notify(method, params),
      close: () => end(peer),
    };
  };
  const endpoint = { id: 'here', transport: 'stdio', address: 'unix:/nonexistent' } as const;
  await using gateway = await start({ servers: { up: endpoint } }, { connect });
  const mine = await session(gateway.url);
  const who = async (): Promise<unknown> => (await mine.rpc('tools/call', { name: 'up__who' })).json.result;
  expect(await who()).toEqual({ content: [{ type: 'text', text: 'here' }] });
  end(peers[0]);
  expect(await who()).toEqual({ content: [{ type: 'text', text: 'here' }] });
  expect(peers).toHaveLength(2);
});

test('what goes wrong with a server names it: a client sees many servers as one', () => {
  const error = new SlipwayError('crash-loop', 'The server keeps crashing (exit 3); next try in 9 s.');
  expect(named({ name: 'up', entry: {} }, error)).toMatchObject({
    code: 'crash-loop',
    message: 'up: The server keeps crashing (exit 3); next try in 9 s.',
    hint: expect.stringContaining('slipway logs up'),
  });
});

test('event streams read the same however they are cut', () => {
  const line = fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replace(/[\r\n\uFEFF]/g, ''));
  const events = fc.array(
    fc.record({ event: fc.constantFrom('message', 'endpoint'), data: fc.array(line, { minLength: 1, maxLength: 3 }) }),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(
      events,
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.array(fc.nat(9), { minLength: 1 }),
      (sent, eol, cuts) => {
        const text = sent
          .map(({ event, data }) =>
            [`event: ${event}`, ': note', ...data.map((part) => `data: ${part}`), '', ''].join(eol),
          )
          .join('');
        const bytes = Buffer.from(`\uFEFF${text}`);
        const got: SseEvent[] = [];
        const parser = new SseParser((event) => got.push(event), 10_000);
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = (cuts[turn % cuts.length] ?? 0) + 1;
          parser.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(got).toEqual(sent.map(({ event, data }) => ({ event, data: data.join('\n') })));
      },
    ),
  );
  const ids = new SseParser(() => {}, 100);
  const known = ['id: 1\ndata: a\n\n', 'id: 2\ndata: b', '\n\n', 'id: 3\n', '\n'].map((part) => {
    ids.push(Buffer.from(part));
    return ids.lastId;
  });
  expect(known).toEqual(['1', '1', '2', '2', '3']);
  const parser = new SseParser(() => {}, 100);
  expect(() => Array.from({ length: 20 }, () => parser.push(Buffer.from('data: xxxx')))).toThrow(RangeError);
});

test('what a modern server asked, and never got the answer to, is answered once more without asking again', async () => {
  const heard: Record<string, unknown>[] = [];
  let inFlight = 0;
  let away = 0;
  const answers: Record<string, (params: Record<string, unknown>) => unknown> = {
    'server/discover': () => ({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }),
    'tools/call': (params) => {
      heard.push(params);
      if (params['inputResponses']) return { content: [{ type: 'text', text: 'thanks' }] };
      const question = {
        method: 'elicitation/create',
        params: { message: 'Who?', requestedSchema: { type: 'object', properties: {} } },
      };
      return { resultType: 'input_required', inputRequests: { q: question }, requestState: 'kept' };
    },
  };
  const connect: Connect = () => ({
    get inFlight() {
      return inFlight;
    },
    request: async (method, params = {}) => {
      // As an instance that has just ended: what is sent is not even counted.
      if (params['inputResponses'] && away++ === 0) throw new SlipwayError('upstream-unavailable', 'It has ended.');
      inFlight++;
      await Promise.resolve();
      inFlight--;
      return answers[method]?.(params) ?? {};
    },
    notify: () => {},
    close: () => {},
  });
  const endpoint = { id: 'up', transport: 'stdio', address: 'unix:/nonexistent' } as const;
  await using gateway = await start(
    { servers: { up: { endpoints: [endpoint], tools: [{ name: 'who' }] } } },
    { connect },
  );
  await using sdk = await client(`${gateway.url}/mcp`, undefined, { elicitation: {} });
  let asked = 0;
  sdk.setRequestHandler(ElicitRequestSchema, () => {
    asked++;
    return { action: 'accept', content: { name: 'Ada' } };
  });
  const { content } = await sdk.callTool({ name: 'up__who', arguments: {} });
  expect(content).toEqual([{ type: 'text', text: 'thanks' }]);
  expect(asked).toBe(1);
  expect(away).toBe(2);
  expect(heard).toMatchObject([{}, { requestState: 'kept', inputResponses: { q: { action: 'accept' } } }]);
});

test('an instance that cannot be started is tried once for each try of a call, not once for each thing that is asked of it', async () => {
  const asked: string[] = [];
  let inFlight = 0;
  const connect: Connect = () => ({
    get inFlight() {
      return inFlight;
    },
    request: async (method) => {
      asked.push(method);
      inFlight++;
      await Promise.resolve();
      inFlight--;
      throw new SlipwayError('start-failed', 'It exited with code 3.');
    },
    notify: () => {},
    close: () => {},
  });
  const endpoint = { id: 'up', transport: 'stdio', address: 'unix:/nonexistent' } as const;
  await using gateway = await start(
    { servers: { up: { endpoints: [endpoint], tools: [{ name: 'who' }] } } },
    { connect },
  );
  const mine = await session(gateway.url);
  asked.length = 0;
  const { error } = (await mine.rpc('tools/call', { name: 'up__who' })).json;
  expect(error?.message).toContain('It exited with code 3.');
  expect(asked).toEqual(['server/discover', 'server/discover']);
});

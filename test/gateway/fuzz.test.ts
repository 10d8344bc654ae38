/** Whatever comes in, from either side and however it is cut: nothing crashes, and nothing reaches a session it is not for. */
import { createServer as createHttp, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { LineSplitter } from '../../schemas/lines.ts';
import { MCP_HEADERS, raw, session, start } from './helpers/gateway.ts';
import { socketUpstream } from './helpers/upstreams.ts';

/** Bounded, so that a slow machine tries less instead of failing. */
const EFFORT = { numRuns: 200, interruptAfterTimeLimit: 8_000 } as const;

const METHODS = [
  'initialize',
  'ping',
  'tools/list',
  'tools/call',
  'resources/read',
  'prompts/get',
  'completion/complete',
];
const MORE = [
  'logging/setLevel',
  'resources/subscribe',
  'notifications/cancelled',
  'server/discover',
  'tasks/get',
  'nope',
];

const envelope = fc.record(
  {
    jsonrpc: fc.constantFrom('2.0', '1.0', 2),
    id: fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.object()),
    method: fc.oneof(fc.constantFrom(...METHODS, ...MORE), fc.string()),
    params: fc.oneof(
      fc.object(),
      fc.record({ name: fc.constantFrom('up__who', 'up__echo', 'up__fail', '__proto__', ''), arguments: fc.json() }),
      fc.record({ uri: fc.webUrl(), _meta: fc.object(), cursor: fc.string(), level: fc.string() }),
      fc.array(fc.anything()),
    ),
    result: fc.object(),
    error: fc.object(),
  },
  { requiredKeys: [] },
);

test(
  'random JSON-RPC: each request is answered with JSON-RPC or refused, and the session lives on',
  { timeout: 120_000 },
  async () => {
    await using up = await socketUpstream('up', { all: true });
    await using gateway = await start({ servers: { up: up.endpoint } });
    const mine = await session(gateway.url, { capabilities: { roots: {}, sampling: {}, elicitation: {} } });
    const headers = { ...MCP_HEADERS, 'Mcp-Session-Id': mine.id };
    await fc.assert(
      fc.asyncProperty(fc.oneof(envelope, fc.jsonValue()), async (message) => {
        const body = JSON.stringify(message);
        const { status, json, text } = await raw(gateway.url, { method: 'POST', path: '/mcp', headers, body });
        expect([200, 202, 400, 404, 405]).toContain(status);
        if (status !== 202) expect([text, 'result' in json || 'error' in json]).toEqual([text, true]);
        expect(json.error?.code).not.toBe(-32603);
      }),
      EFFORT,
    );
    expect((await mine.rpc('ping')).json.result).toEqual({});
  },
);

test(
  'answers and notices that nobody waits for, under random ids, reach no other session',
  { timeout: 120_000 },
  async () => {
    await using up = await socketUpstream('up', { all: true });
    await using gateway = await start({ servers: { up: up.endpoint } });
    const ada = await session(gateway.url);
    const eve = await session(gateway.url);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.string({ maxLength: 12 }), { minLength: 2, maxLength: 6 }), async (texts) => {
        const calls = texts.map((text, at) =>
          ada.rpc('tools/call', { name: 'up__echo', arguments: { text } }, at).then(({ json }) => json.result),
        );
        for (const id of texts.keys()) {
          await eve.send({ method: 'notifications/cancelled', params: { requestId: id } });
          await eve.send({ id, result: { content: [{ type: 'text', text: 'forged' }] } });
        }
        const answers = (await Promise.all(calls)) as { content: { text: string }[] }[];
        expect(answers.map(({ content }) => content[0]?.text)).toEqual(texts.map((text) => `up:${text}`));
      }),
      { ...EFFORT, numRuns: 40 },
    );
  },
);

/** Cuts bytes where it likes, in the middle of characters too. */
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length] ?? 1;
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

test('lines read the same however they are split and joined, characters cut in the middle', () => {
  const lines = fc.array(fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll(/[\n\r]/g, '')));
  fc.assert(
    fc.property(lines, cuts, (texts, sizes) => {
      const read: string[] = [];
      const splitter = new LineSplitter((line) => read.push(line), { maxBytes: 10_000 });
      const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''), 'utf8');
      for (const part of cut(bytes, sizes)) splitter.push(part);
      expect(read.filter((line) => line.trim() !== '')).toEqual(
        texts.map((text) => Buffer.from(text, 'utf8').toString('utf8')).filter((line) => line.trim() !== ''),
      );
    }),
    EFFORT,
  );
});

/** A server whose bytes come as cut, with rubbish in between. */
interface Cutting {
  sizes: number[];
  noise: string[];
  text: string;
}

const wild = fc.record({
  sizes: cuts,
  noise: fc.array(fc.oneof(fc.string(), fc.json(), fc.constant('{"jsonrpc":"2.0"')), { maxLength: 4 }),
  text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
});

function answerTo(line: string, { text }: Cutting): string | undefined {
  const { id, method, params } = JSON.parse(line) as { id?: number; method: string; params: Record<string, unknown> };
  if (id === undefined) return undefined;
  const results: Record<string, unknown> = {
    initialize: {
      protocolVersion: params?.['protocolVersion'],
      capabilities: { tools: {} },
      serverInfo: { name: 'wild', version: '1' },
    },
    'tools/list': { tools: [{ name: 'say', inputSchema: { type: 'object' } }] },
    'tools/call': { content: [{ type: 'text', text }] },
  };
  const result = results[method];
  const error = { code: -32601, message: 'no' };
  return JSON.stringify(result ? { jsonrpc: '2.0', id, result } : { jsonrpc: '2.0', id, error });
}

test('a stdio server whose frames are cut and mixed with rubbish is understood', { timeout: 120_000 }, async () => {
  const now: Cutting = { sizes: [7], noise: [], text: 'x' };
  const folder = mkdtempSync(join(tmpdir(), 'slw-'));
  const path = join(folder, 'wild.sock');
  const listener = createServer((socket) => {
    socket.on('error', () => {});
    const lines = new LineSplitter(
      (line) => {
        const answer = answerTo(line, now);
        const noise = now.noise.map((text) => text.replaceAll(/[\n\r]/g, ' '));
        const all = [...noise, ...(answer === undefined ? [] : [answer])].map((text) => `${text}\n`).join('');
        for (const part of cut(Buffer.from(all), now.sizes)) socket.write(part);
      },
      { maxBytes: 1_000_000 },
    );
    socket.on('data', (chunk) => lines.push(chunk));
  });
  await new Promise<void>((resolve) => listener.listen(path, resolve));
  onTestFinished(() => {
    listener.close();
    rmSync(folder, { recursive: true });
  });
  await using gateway = await start({ servers: { wild: { id: 'wild', transport: 'stdio', address: `unix:${path}` } } });
  const mine = await session(gateway.url);
  await fc.assert(
    fc.asyncProperty(wild, async (next) => {
      Object.assign(now, next);
      const { json } = await mine.rpc('tools/call', { name: 'wild__say' });
      expect(json.result).toEqual({ content: [{ type: 'text', text: next.text }] });
    }),
    EFFORT,
  );
});

test(
  'an event stream that is cut anywhere, with comments and strange fields in between, is understood',
  { timeout: 120_000 },
  async () => {
    const now: Cutting = { sizes: [7], noise: [], text: 'x' };
    const send = async (response: ServerResponse, parts: readonly Buffer[]): Promise<void> => {
      for (const part of parts) {
        response.write(part);
        await new Promise(setImmediate);
      }
      response.end();
    };
    const listener = createHttp(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const answer = request.method === 'POST' ? answerTo(body, now) : undefined;
      if (answer === undefined) return void response.writeHead(request.method === 'GET' ? 405 : 202).end();
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const noise = now.noise.map((text) => `: ${text.replaceAll(/[\n\r]/g, ' ')}\r\nstrange: field\r\n\r\n`).join('');
      await send(response, cut(Buffer.from(`${noise}event: message\r\ndata: ${answer}\n\n`), now.sizes));
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      listener.closeAllConnections();
      listener.close();
    });
    const address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
    await using gateway = await start({ servers: { wild: { id: 'wild', transport: 'http', address } } });
    const mine = await session(gateway.url);
    await fc.assert(
      fc.asyncProperty(wild, async (next) => {
        Object.assign(now, next);
        const { json } = await mine.rpc('tools/call', { name: 'wild__say' });
        expect(json.result).toEqual({ content: [{ type: 'text', text: next.text }] });
      }),
      EFFORT,
    );
  },
);

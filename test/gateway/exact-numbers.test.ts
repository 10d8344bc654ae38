/** Numbers that JavaScript cannot hold, ids of 64 bits for one, arrive as they were sent, whoever speaks to whomever. */
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { hashArguments, hashLarge } from '../../reconciler/record/audit/arguments.ts';
import { canonical } from '../../gateway/cache/canonical.ts';
import { parseExact, rounded } from '../../schemas/exact-json.ts';
import { redactValue } from '../../schemas/secret-shapes.ts';
import type { Endpoint, ServerEntry } from '../../schemas/snapshot.ts';
import { session, start } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';

const NUMBERS = '{"id":12345678901234567891,"deep":[{"ratio":0.5,"less":-9007199254740993}],"rawJSON":"7"}';
const schema = { type: 'object', properties: { id: { type: 'integer', maximum: 1e19 } } };

/** The text of an answer: what a program that knows nothing of JavaScript would say. */
function answerTo(asked: string, tool: object = { name: 'echo', inputSchema: schema }): string | undefined {
  const id = /"id":(\d+),"method"|"method".*"id":(\d+)\}$/.exec(asked)?.slice(1).find(Boolean);
  const method = /"method":"([^"]+)"/.exec(asked)?.[1];
  if (id === undefined) return undefined;
  const complete = '"resultType":"complete",';
  const results: Readonly<Record<string, string>> = {
    initialize: '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"up","version":"1"}}',
    'server/discover': `{${complete}"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}`,
    'tools/list': `{${complete}"ttlMs":1000,"cacheScope":"public","tools":[${JSON.stringify(tool)}]}`,
    'tools/call': `{${complete}"content":[],"structuredContent":${/"arguments":(\{.*?"rawJSON":"7"\})/.exec(asked)?.[1]}}`,
  };
  const result = results[method ?? ''];
  return `{"jsonrpc":"2.0","id":${id},${result ? `"result":${result}` : '"error":{"code":-32601,"message":"?"}'}}`;
}

interface Up extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly asked: string[];
}

/** @param first the request that an era begins with; the server knows no other */
async function overHttp(first: string, tool?: object): Promise<Up> {
  const asked: string[] = [];
  const listener = createHttpServer(async (request, response) => {
    const body = await text(request);
    asked.push(body);
    const other = first === 'initialize' ? 'server/discover' : 'initialize';
    const answer = body.includes(`"${other}"`) ? answerTo(body.replace(other, 'none')) : answerTo(body, tool);
    if (request.method !== 'POST') response.writeHead(405).end();
    else if (answer === undefined) response.writeHead(202).end();
    else response.writeHead(200, { 'Content-Type': 'application/json' }).end(answer);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  return {
    endpoint: { id: 'up', transport: 'http', address: `http://127.0.0.1:${port}/mcp` },
    asked,
    [Symbol.asyncDispose]: async () => {
      listener.closeAllConnections();
      listener.close();
    },
  };
}

async function overStdio(first: string): Promise<Up> {
  const asked: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'slipway-exact-'));
  const other = first === 'initialize' ? 'server/discover' : 'initialize';
  const listener = createServer((socket) => {
    createInterface({ input: socket }).on('line', (line) => {
      asked.push(line);
      const answer = line.includes(`"${other}"`) ? answerTo(line.replace(other, 'none')) : answerTo(line);
      if (answer !== undefined) socket.write(`${answer}\n`);
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => listener.listen(join(folder, 's'), resolve));
  return {
    endpoint: { id: 'up', transport: 'stdio', address: `unix:${join(folder, 's')}` },
    asked,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const args = parseExact(NUMBERS) as Record<string, unknown>;
const call = { name: 'up__echo', arguments: args };

const clients: Readonly<Record<string, (url: string) => Promise<string>>> = {
  legacy: async (url) => (await (await session(url)).rpc('tools/call', call)).text,
  modern: async (url) => (await ask(url, 'tools/call', call)).text,
};

for (const [over, serve] of Object.entries({ http: overHttp, stdio: overStdio }))
  for (const [era, first] of Object.entries({ legacy: 'initialize', modern: 'server/discover' }))
    for (const [by, answered] of Object.entries(clients))
      test(`a ${by} client and a ${era} server over ${over}`, async () => {
        await using up = await serve(first);
        await using gateway = await start({ servers: { up: up.endpoint } });
        expect(await answered(gateway.url)).toContain(`"structuredContent":${NUMBERS}`);
        expect(up.asked.at(-1)).toContain(`"arguments":${NUMBERS}`);
      });

describe('what looks into arguments and results', () => {
  const calls = async (entry: Partial<ServerEntry>, tool?: object) => {
    const up = await overHttp('initialize', tool);
    const gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 5000, ...entry } } });
    const client = await session(gateway.url);
    const stop = async (): Promise<void> => {
      await gateway[Symbol.asyncDispose]();
      await up[Symbol.asyncDispose]();
    };
    return { call: (id: string) => client.rpc('tools/call', with64(id)), up, [Symbol.asyncDispose]: stop };
  };
  const with64 = (id: string) => ({ name: 'up__echo', arguments: parseExact(`{"id":${id},"rawJSON":"7"}`) });

  test('validation takes them for the numbers that they are', async () => {
    await using open = await calls({ validateArguments: true });
    expect((await open.call('9223372036854775807')).text).toContain('"structuredContent":{"id":9223372036854775807,');
    expect((await open.call('92233720368547758070')).text).toContain('id must be <= 10000000000000000000');
    expect((await open.call('1234567890123456.7891')).text).toContain('id must be integer');
  });

  test('redaction leaves them as they are', async () => {
    await using open = await calls({ redact: true });
    expect((await open.call('9223372036854775807')).text).toContain('"structuredContent":{"id":9223372036854775807,');
    const { value, count } = redactValue(parseExact('{"a":9223372036854775807,"b":"ghp_' + 'a'.repeat(36) + '"}'));
    expect([JSON.stringify(value), count]).toEqual([expect.stringMatching(/^\{"a":9223372036854775807,"b":"[^g]/), 1]);
  });

  test('a schema with such a number can be used, and is listed as before', async () => {
    const int64 = { type: 'integer', maximum: parseExact('9223372036854775807') };
    await using open = await calls(
      { validateArguments: true },
      { name: 'echo', inputSchema: { properties: { id: int64 } } },
    );
    expect((await open.call('5')).text).toContain('"structuredContent":{"id":5,');
    expect((await open.call('19223372036854775807')).text).toContain('id must be <= 9223372036854776000');
  });

  test('a header that repeats one is refused still: two readers may make two numbers of it', async () => {
    const region = { type: 'integer', 'x-mcp-header': 'Region' };
    const tool = { name: 'echo', inputSchema: { type: 'object', properties: { id: region } } };
    await using up = await overHttp('server/discover', tool);
    await using gateway = await start({ servers: { up: up.endpoint } });
    const answer = await ask(gateway.url, 'tools/call', with64('9223372036854775807'));
    expect(answer.json).toMatchObject({ error: { code: -32_020 } });
    expect(up.asked.some((body) => body.includes('tools/call'))).toBe(false);
  });

  test('code of the config repo, and pipelines, get them as JavaScript has them, and none gets past them', async () => {
    const bounds = { config: {}, timeoutMs: 5000, memoryBytes: 32 * 2 ** 20 };
    const code = `export const onToolCallAfter = ({ result: { structuredContent: { id } } }) =>
      ({ result: { content: [{ type: 'text', text: 'seen ' + id }] } });`;
    const hooks = { onToolCallAfter: ['p'] };
    const stages = [{ type: 'redact' as const, patterns: ['[0-9]{15,}'] }];
    const routes = {
      '/mcp': { servers: ['up'], separator: '__', plugin: 'p' },
      '/servers/up/mcp': { servers: ['up'], separator: '__', pipeline: 'r' },
    };
    await using up = await overHttp('initialize');
    await using gateway = await start({
      servers: { up: up.endpoint },
      plugins: { p: { ...bounds, file: 'p.js', code, hooks } },
      pipelines: { r: { appliesTo: ['toolResult'], minBytes: 0, stages } },
      routes,
    });
    const asked = with64('9223372036854775807');
    const plugged = await (await session(gateway.url)).rpc('tools/call', asked);
    expect(plugged.json.result?.['content']).toEqual([{ type: 'text', text: 'seen 9223372036854776000' }]);
    const piped = await session(gateway.url, { path: '/servers/up/mcp' });
    const { result } = (await piped.rpc('tools/call', asked)).json;
    expect(result).toMatchObject({ structuredContent: { id: 2 ** 63, rawJSON: '7' } });
  });

  test('hashes and cache keys tell two of them apart, and from an object of that look', async () => {
    const [one, other] = ['9223372036854775807', '9223372036854775806'].map((id) => parseExact(`{"b":1,"a":${id}}`));
    const fake = { b: 1, a: { rawJSON: '9223372036854775807' } };
    for (const of of [hashArguments, hashLarge, canonical]) {
      const [a, b, c] = [await of(one), await of(other), await of(fake)];
      expect([a, a, b]).not.toEqual([b, c, c]);
      expect(a).not.toEqual(b);
      expect(a).not.toEqual(c);
    }
    expect(canonical(one)).toBe('{"a":9223372036854775807,"b":1}');
    expect(await hashLarge(one)).toEqual(hashArguments(one));
  });
});

describe('parseExact', () => {
  const again = (json: string): string => JSON.stringify(parseExact(json));

  test('keeps what JavaScript would change, and nothing else', () => {
    for (const json of ['9007199254740993', '-9007199254740993', '12345678901234567890123'])
      expect(again(`[${json}]`)).toBe(`[${json}]`);
    const doubles = ['0.30000000000000004', '1.0000000000000000', '1234567890123456.0', '1.2345678901234567e-05'];
    for (const same of ['1700000000000000000', '9007199254740991', '"9007199254740993"', ...doubles])
      expect((parseExact(`[${same}]`) as unknown[])[0]).toBe(JSON.parse(same));
    expect(rounded(parseExact('{"a":[9007199254740993]}'))).toEqual({ a: [9007199254740992] });
    expect(() => parseExact('{"a":9007199254740993')).toThrow(SyntaxError);
  });

  test('a value that is deep is read as ever, too', () => {
    const deep = `${'['.repeat(3000)}9007199254740993${']'.repeat(3000)}`;
    expect(parseExact(deep)).toHaveLength(1);
  });

  test('what is very long is read as ever: a look at each of a million numbers would hold everybody up', () => {
    const many = `[${'1,'.repeat(150_000)}9007199254740993]`;
    expect((parseExact(many) as number[]).at(-1)).toBe(9007199254740992);
  });
});

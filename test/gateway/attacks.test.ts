/**
 * Attacks, one a test. More of them stand where what they attack is tested: DNS rebinding, Host, Origin and absolute-form
 * in `security.test.ts`; hijack and fixation of sessions in `sessions.test.ts` and `resume.test.ts`; `$ref` bombs and
 * patterns in `arguments.test.ts`; the old transport in `sse-attacks.slow.test.ts`; tasks in `tasks.test.ts`; tampering with and replay of request state in the modern era's tests.
 */
import { once } from 'node:events';
import { createServer, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type LookupFunction } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isPublic, publicLookup } from '../../gateway/upstream/reach.ts';
import { MCP_HEADERS, principal, raw, session, snapshot, start } from './helpers/gateway.ts';
import { ask as askModern, begin } from './helpers/modern.ts';
import { httpUpstream } from './helpers/upstreams.ts';
import { opened } from '../helpers/opened.ts';

/** Sends bytes as they are. @returns all that comes back until the other side hangs up */
function bytes(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

describe('request smuggling: what two parsers could read differently is refused, and the connection closed', () => {
  const smuggled: Readonly<Record<string, string>> = {
    'Content-Length and Transfer-Encoding': `Content-Length: ${PING.length}\r\nTransfer-Encoding: chunked`,
    'two different Content-Lengths': `Content-Length: ${PING.length}\r\nContent-Length: 3`,
    'a Transfer-Encoding that does not end with chunked': 'Transfer-Encoding: chunked, identity',
    'a space before the colon': `Content-Length : ${PING.length}`,
    'a folded header': `Content-Type: application/json\r\n  ; x\r\nContent-Length: ${PING.length}`,
    'a line end that is none': `Content-Length: ${PING.length}\nX: y`,
    'a length that is no number': 'Content-Length: +40',
  };
  for (const [what, headers] of Object.entries(smuggled))
    test(what, async () => {
      await using gateway = await start({});
      const { host } = new URL(gateway.url);
      const answer = await bytes(gateway.url, `POST /mcp HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n\r\n${PING}`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    });
});

test('oversized headers: 431, whether one is too long or there are too many', async () => {
  await using gateway = await start({});
  const { host } = new URL(gateway.url);
  const many = Array.from({ length: 2_000 }, (_, at) => `X-${at}: ${'y'.repeat(10)}\r\n`).join('');
  for (const headers of [`X: ${'y'.repeat(20_000)}\r\n`, many]) {
    const answer = await bytes(gateway.url, `GET /mcp HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`).catch(String);
    expect(answer).toMatch(/^HTTP\/1\.1 431 |ECONNRESET|EPIPE/);
  }
  expect((await raw(gateway.url, { path: '/healthz' })).status).toBe(200);
});

test(
  'slow-loris: a client that dribbles its headers is cut off, and others are served meanwhile',
  { timeout: 120_000 },
  async () => {
    await using gateway = await start({});
    const { host } = new URL(gateway.url);
    const began = performance.now();
    const cut = bytes(gateway.url, `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nX: `);
    expect((await raw(gateway.url, { path: '/healthz' })).status).toBe(200);
    expect(await cut).toMatch(/^HTTP\/1\.1 408 /);
    expect(performance.now() - began).toBeLessThan(45_000);
  },
);

test('stream exhaustion: a principal that opens streams without end is refused more, and the others still get theirs', async () => {
  await using up = await httpUpstream('up');
  const principals = [principal('eve', 'thief'), principal('ada', 'sesame')];
  await using gateway = await start({ servers: { up: up.endpoint }, principals });
  const open = (token: string) =>
    begin(gateway.url, 'subscriptions/listen', { notifications: { toolsListChanged: true } }, { token });
  const answered = async (call: ClientRequest): Promise<IncomingMessage> => {
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    return answer.on('error', () => {}).resume();
  };
  const streams = Array.from({ length: 1_000 }, () => open('thief'));
  onTestFinished(() => streams.forEach((stream) => void stream.on('error', () => {}).destroy()));
  for (const answer of await Promise.all(streams.map(answered))) expect(answer.statusCode).toBe(200);
  const by = { token: 'thief' };
  const refused = await askModern(gateway.url, 'subscriptions/listen', { notifications: {} }, by);
  expect(refused.json.error).toMatchObject({
    message: '1000 streams of yours are open, which is as many as one may have.',
    data: { error_code: 'concurrency-limited' },
  });
  // The streams of the other era are the same ones.
  const mine = await session(gateway.url, { token: 'thief' });
  const headers = { Accept: 'text/event-stream', Authorization: 'Bearer thief', 'Mcp-Session-Id': mine.id };
  expect((await raw(gateway.url, { path: '/mcp', headers })).status).toBe(429);
  const other = open('sesame');
  expect((await answered(other)).statusCode).toBe(200);
  other.on('error', () => {}).destroy();
  // One that is closed makes room for another.
  streams[0]?.on('error', () => {}).destroy();
  await expect
    .poll(async () => {
      const again = open('thief');
      streams.push(again);
      return (await answered(again)).statusCode;
    })
    .toBe(200);
});

test('names of Object.prototype are no tools, methods, servers or routes', async () => {
  await using up = await httpUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  for (const name of ['__proto__', 'constructor', 'toString', 'up____proto__']) {
    expect((await mine.rpc('tools/call', { name })).json.error).toMatchObject({ code: -32602 });
    expect((await mine.rpc(name)).json.error).toMatchObject({ code: -32601 });
    const path = `/servers/${name}/mcp`;
    const answer = await raw(gateway.url, { method: 'POST', path, headers: MCP_HEADERS, body: PING });
    expect(answer.status).toBe(404);
  }
});

test('deep JSON from a server takes nothing down', async () => {
  const listener = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(`{"jsonrpc":"2.0","id":1,"result":${'['.repeat(500_000)}${']'.repeat(500_000)}}`);
  });
  const address = await listening(listener);
  await using good = await httpUpstream('good');
  await using gateway = await start({
    servers: { deep: { id: 'deep', transport: 'http', address }, good: good.endpoint },
  });
  const mine = await session(gateway.url);
  expect((await mine.rpc('tools/call', { name: 'deep__x' })).json.error).toBeDefined();
  expect((await mine.rpc('tools/call', { name: 'good__who' })).json.result).toBeDefined();
});

describe('SSRF: a url of the config does not lead into private networks unless its Server says so', () => {
  const addresses = ['127.0.0.1', '10.1.2.3', '169.254.169.254', '192.168.0.1', '172.20.0.1', '100.64.0.1', '0.0.0.0'];
  const six = ['::1', '::', 'fe80::1', 'fd00::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', 'ff02::1'];
  test('which addresses are private', () => {
    for (const address of [...addresses, ...six]) expect([address, isPublic(address)]).toEqual([address, false]);
    for (const address of ['93.184.216.34', '8.8.8.8', '2606:4700::1111']) expect(isPublic(address)).toBe(true);
  });

  test('an address, in whatever spelling, and a name that leads to one', async () => {
    await using victim = await httpUpstream('victim');
    const { port } = new URL(victim.endpoint.address);
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost', '0.0.0.0']) {
      const address = `http://${host}:${port}/mcp`;
      await using gateway = await start({
        servers: { in: { id: 'in', transport: 'http', address, publicOnly: true } },
      });
      const mine = await session(gateway.url);
      const { json } = await mine.rpc('tools/call', { name: 'in__who' });
      expect(json.error).toMatchObject({ code: -32010, message: expect.stringContaining('private network') });
    }
    expect(victim.headers).toEqual([]);
  });

  test('over the old HTTP+SSE transport too', async () => {
    await using victim = await httpUpstream('victim');
    const endpoint = { ...victim.endpoint, id: 'in', transport: 'sse', publicOnly: true } as const;
    await using gateway = await start({ servers: { in: endpoint } });
    const mine = await session(gateway.url);
    expect((await mine.rpc('tools/call', { name: 'in__who' })).json.error?.code).toBe(-32010);
    expect(victim.headers).toEqual([]);
  });

  test('a name that is public when checked and private when dialled: what was checked is what is dialled', async () => {
    let asked = 0;
    const rebinding = publicLookup((_, done) =>
      done(null, [{ address: asked++ === 0 ? '93.184.216.34' : '127.0.0.1', family: 4 }]),
    );
    expect(await ask(rebinding)).toBe('93.184.216.34');
    await expect(ask(rebinding)).rejects.toThrow('private network');
    // Of many addresses, only those that are public are dialled.
    const both = publicLookup((_, done) =>
      done(null, [
        { address: '10.0.0.1', family: 4 },
        { address: '8.8.8.8', family: 4 },
      ]),
    );
    expect(await ask(both)).toBe('8.8.8.8');
  });
});

function ask(lookup: LookupFunction): Promise<string> {
  return new Promise((resolve, reject) =>
    lookup('rebind.example', {}, (error, address) => (error ? reject(error) : resolve(String(address)))),
  );
}

test('a url server that is this gateway itself is refused, under whatever name, and makes no storm', async () => {
  await using good = await httpUpstream('good');
  await using gateway = await start({ servers: { good: good.endpoint } });
  const { port } = new URL(gateway.url);
  const self = { id: 'self', transport: 'http', address: `http://localhost:${port}/mcp` } as const;
  await gateway.swap(snapshot({ servers: { good: good.endpoint, self } }));
  const mine = await session(gateway.url);
  const { json } = await mine.rpc('tools/call', { name: 'self__who' });
  expect(json.error).toMatchObject({ code: -32010, message: expect.stringContaining('came from this gateway itself') });
  const { result } = (await mine.rpc('tools/list')).json;
  expect(result?.['_meta']).toHaveProperty(['slipway/unavailable', 'self']);
  expect((await mine.rpc('tools/call', { name: 'good__who' })).json.result).toBeDefined();
});

async function listening(listener: ReturnType<typeof createServer>): Promise<string> {
  return `${await opened(listener)}/mcp`;
}

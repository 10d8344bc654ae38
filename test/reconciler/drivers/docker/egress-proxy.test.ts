/** The proxy program itself, without a container: for whom it takes a connection, from the first bytes that come. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../../../reconciler/drivers/docker/egress-proxy.mjs', import.meta.url));

let child: ChildProcess;
let port: number;
let both: number;
let proxyPort: number;
let target: Server;
const said: string[] = [];
let heard = Promise.withResolvers<void>();

/** The next thing it says that `wanted` matches. */
async function says(wanted: RegExp): Promise<string> {
  for (;;) {
    const found = said.find((line) => wanted.test(line));
    if (found) return found;
    await heard.promise;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  return free;
}

const targetPort = (): number => (target.address() as AddressInfo).port;

beforeAll(async () => {
  target = createHttpServer(({ headers, url, method }, answer) =>
    answer.end(`${method} ${headers.host} ${url}`),
  ).listen(0, '127.0.0.1');
  await once(target, 'listening');
  [port, both, proxyPort] = [await freePort(), await freePort(), await freePort()];
  // It listens for localhost, which it then refuses to connect to: that tells which host it took a connection for.
  const allow = [
    `localhost:${port}`,
    `localhost:${both}`,
    `second.test:${both}`,
    `127.0.0.1:${targetPort()}`,
    '[::1]:9',
  ];
  child = spawn(process.execPath, [PROGRAM], {
    env: { SLIPWAY_EGRESS: JSON.stringify({ allow, proxyPort }) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (child.stderr)
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      heard.resolve();
      heard = Promise.withResolvers();
    });
  await says(/^ready$/);
});
afterAll(() => {
  child.kill();
  target.close();
});

/** Sends the parts one after the other, each in a packet of its own. @returns what it said, and what came back */
async function send(to: number, parts: readonly (Buffer | string)[]): Promise<{ said: string; answer: string }> {
  said.length = 0;
  const socket = connect({ host: '127.0.0.1', port: to, noDelay: true });
  const answer: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => answer.push(chunk)).on('error', () => {});
  const closed = once(socket, 'close');
  for (const part of parts) {
    if (socket.destroyed) break;
    await new Promise((resolve) => socket.write(part, resolve));
  }
  await closed;
  return { said: await says(new RegExp(`refused|:${to}: `)), answer: Buffer.concat(answer).toString() };
}

/** The first bytes that a TLS client sends. */
async function hello(servername?: string): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectTls({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    ...(servername ? { servername } : {}),
  });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

/** The same message in several TLS records. */
function records(bytes: Buffer, size: number): Buffer {
  const body = bytes.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    parts.push(bytes.subarray(0, 3), Buffer.from([part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(parts);
}

const accepted = /^localhost:\d+: it resolves to a local address$/;

describe('a connection is for whom its first bytes say', () => {
  const http = (head: string): string => `GET / HTTP/1.1\r\n${head}\r\n\r\n`;
  test.each([
    ['HTTP', [http('Host: localhost')]],
    ['HTTP with a port', [http('host:LocalHost:8080')]],
    ['HTTP in pieces', [...http('X: y\r\nHost: localhost')]],
    ['HTTP that names nobody', ['GET / HTTP/1.0\r\n\r\n']],
    ['HTTP/2 without TLS', ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']],
    ['something else', [Buffer.from([0, 1, 2, 3])]],
  ])('%s: the one host of the port', async (_, parts) => {
    expect((await send(port, parts)).said).toMatch(accepted);
  });

  test('TLS, in one piece, byte by byte, in many records, in other letters', async () => {
    const bytes = await hello('localhost');
    for (const parts of [
      [bytes],
      [...bytes].map((byte) => Buffer.from([byte])),
      [records(bytes, 7)],
      [await hello('LOCALHOST')],
    ])
      expect((await send(both, parts)).said).toMatch(accepted);
  });

  test('TLS that names nobody: the one host of the port, and nobody where there are two', async () => {
    expect((await send(port, [await hello()])).said).toMatch(accepted);
    expect((await send(both, [await hello()])).said).toBe(`refused no name:${both}`);
  });

  test.each([
    ['another Host', [http('Host: evil.test')], 'evil.test'],
    ['a Host that begins the same', [http('Host: localhost.evil.test')], 'localhost.evil.test'],
    ['two Hosts', [http('Host: localhost\r\nHost: evil.test')], '(several hosts)'],
    ['TLS that is none', [Buffer.from([0x16, 3, 1, 0, 5, 9, 0, 0, 1, 0])], '(broken TLS)'],
    ['TLS that ends in the middle', [Buffer.from([0x16, 3, 1, 0, 6, 1, 0, 0, 2, 0, 0])], '(broken TLS)'],
    ['a head without end', [`GET / HTTP/1.1\r\nX: ${'x'.repeat(70_000)}`], '(too much)'],
  ])('%s is refused', async (_, parts, name) => {
    const { said: line, answer } = await send(port, parts);
    expect(line).toBe(`refused ${name}:${port}`);
    expect(answer).toMatch(/^$|^HTTP\/1.1 403/);
  });

  test('TLS with another name is refused', async () => {
    expect((await send(port, [await hello('evil.test')])).said).toBe(`refused evil.test:${port}`);
  });
});

describe('asked as a proxy', () => {
  const ask = (options: object, inner = 'whoever'): Promise<{ status: number | undefined; text: string }> =>
    new Promise((resolve, reject) => {
      const call = request({ host: '127.0.0.1', port: proxyPort, ...options }, async (answer) =>
        resolve({ status: answer.statusCode, text: (await answer.toArray()).join('') }),
      );
      call.on('connect', (answer, socket) => {
        socket.on(
          'data',
          (data: Buffer) => (resolve({ status: answer.statusCode, text: data.toString() }), socket.destroy()),
        );
        socket.on('close', () => resolve({ status: answer.statusCode, text: '' })).on('error', () => {});
        socket.write(`GET /tunnel HTTP/1.1\r\nHost: ${inner}\r\n\r\n`);
      });
      call.on('error', reject).end();
    });

  test('it passes requests on to what is allowed', async () => {
    const place = `127.0.0.1:${targetPort()}`;
    expect(await ask({ path: `http://${place}/a?b`, headers: { 'proxy-authorization': 'secret' } })).toEqual({
      status: 200,
      text: `GET ${place} /a?b`,
    });
    const tunnel = await ask({ method: 'CONNECT', path: place });
    expect(tunnel.status).toBe(200);
    expect(tunnel.text).toContain('GET whoever /tunnel');
  });

  test.each(['127.0.0.1:1', 'evil.test:443', '169.254.169.254:80', 'localhost', '', '[::1]:10'])(
    'not to %j',
    async (place) => {
      expect((await ask({ path: place === '' ? '/' : `http://${place}/` })).status).toBe(403);
      if (place !== '') expect((await ask({ method: 'CONNECT', path: place })).status).toBe(403);
    },
  );

  test('a name that leads to this machine is refused there too', async () => {
    const tunnel = await ask({ method: 'CONNECT', path: `localhost:${port}` }, 'localhost');
    expect(tunnel).toEqual({ status: 200, text: '' });
    expect(await says(/^localhost/)).toMatch(accepted);
    expect((await ask({ method: 'CONNECT', path: `localhost:${port}` }, 'evil.test')).text).toContain('403');
  });
});

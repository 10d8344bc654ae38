import { connect } from 'node:net';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Gateway } from '../../gateway/index.ts';
import { client, MCP_HEADERS, principal, raw, session, snapshot, start } from './helpers/gateway.ts';
import { httpUpstream, socketUpstream } from './helpers/upstreams.ts';

const ROUTES = [
  '/health',
  '/healthz',
  '/readyz',
  '/mcp',
  '/projects/dev/mcp',
  '/servers/a/mcp',
  '/api/v1/status',
  '/none',
];
const METHODS = ['GET', 'POST', 'DELETE', 'OPTIONS'];
const someServer = { a: { unavailable: { code: 'x', message: 'x' } } };
const portOf = (gateway: Gateway): string => new URL(gateway.url).port;

test('DNS rebinding: every route and method refuses a foreign Host', async () => {
  await using gateway = await start({
    servers: someServer,
    gateway: { allowedHosts: ['mcp.example:99', 'any.example'] },
  });
  const port = portOf(gateway);
  const bad = [
    'evil.example',
    `localhost.evil.example:${port}`,
    `localhost.:${port}`,
    'mcp.example:98',
    'mcp.example',
    '127.1',
    '0x7f.1',
    'a b',
    '[::1',
  ];
  for (const path of ROUTES)
    for (const method of METHODS)
      for (const Host of bad) {
        const answer = await raw(gateway.url, { method, path, headers: { Host }, body: '{' });
        expect([answer.status, path, method, Host], answer.text).toEqual([403, path, method, Host]);
        expect(answer.text).toContain('host-not-allowed');
      }
  for (const Host of [
    `localhost:${port}`,
    'LOCALHOST',
    '127.0.0.1',
    `[::1]:${port}`,
    '192.168.7.7:1',
    'mcp.example:99',
    'any.example:5',
  ])
    expect([(await raw(gateway.url, { path: '/health', headers: { Host } })).status, Host]).toEqual([200, Host]);
});

test('DNS rebinding: a missing or doubled Host and an absolute-form target are refused', async () => {
  await using gateway = await start({ servers: someServer });
  const port = portOf(gateway);
  const send = (head: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(`${head}\r\nConnection: close\r\n\r\n`));
      socket
        .on('data', (part) => (text += String(part)))
        .on('end', () => resolve(text))
        .on('error', reject);
    });
  for (const head of [
    'GET /health HTTP/1.1',
    'GET /health HTTP/1.1\r\nHost:',
    `GET /health HTTP/1.1\r\nHost: localhost:${port}\r\nHost: evil.example`,
    `GET http://evil.example/health HTTP/1.1\r\nHost: localhost:${port}`,
    `GET http://localhost:${port}/health HTTP/1.1\r\nHost: localhost:${port}`,
  ])
    expect(await send(head)).toMatch(/^HTTP\/1.1 403/);
  expect(await send(`GET /health HTTP/1.1\r\nHost: localhost:${port}`)).toMatch(/^HTTP\/1.1 200/);
});

test('DNS rebinding: every route refuses a foreign, null or doubled Origin', async () => {
  await using gateway = await start({
    servers: someServer,
    gateway: { allowedOrigins: ['https://app.example'], publicUrl: 'https://mcp.example/base' },
  });
  const port = portOf(gateway);
  const own = `http://localhost:${port}`;
  const bad: (string | string[])[] = [
    'null',
    'http://evil.example',
    'http://localhost:1',
    `ftp://localhost:${port}`,
    'https://app.example.evil',
    '',
    [own, own],
  ];
  for (const path of ROUTES)
    for (const Origin of bad) {
      const answer = await raw(gateway.url, { method: 'POST', path, headers: { Origin } });
      expect([answer.status, path, Origin]).toEqual([403, path, Origin]);
      expect(answer.text).toContain('origin-not-allowed');
    }
  for (const Origin of [
    own,
    `http://127.0.0.1:${port}`,
    `https://localhost:${port}`,
    'https://app.example',
    'https://mcp.example',
  ])
    expect((await raw(gateway.url, { path: '/health', headers: { Origin } })).status).toBe(200);
});

test('routes × credentials: who gets in where', async () => {
  const principals = [
    principal('all', 'tok-all'),
    principal('dev', 'tok-dev', { projects: ['dev'] }),
    principal('old', 'tok-old', { expiresAt: Date.now() - 1 }),
  ];
  const given = snapshot({ servers: someServer, principals });
  given.routes['/projects/ops/mcp'] = { project: 'ops', servers: [] };
  await using gateway = await start(given, { control: async () => ({ status: 200, body: { ok: true } }) });
  const expected: Record<string, [none: number, wrong: number, old: number, dev: number, all: number]> = {
    '/health': [200, 200, 200, 200, 200],
    '/healthz': [200, 200, 200, 200, 200],
    '/readyz': [200, 200, 200, 200, 200],
    '/mcp': [401, 401, 401, 403, 400],
    '/servers/a/mcp': [401, 401, 401, 403, 400],
    '/projects/dev/mcp': [401, 401, 401, 400, 400],
    '/projects/ops/mcp': [401, 401, 401, 403, 400],
    '/projects/none/mcp': [401, 401, 401, 403, 404],
    // What it may see there is decided where it is answered.
    '/api/v1/status': [401, 401, 401, 200, 200],
    '/none': [404, 404, 404, 404, 404],
  };
  for (const path of Object.keys(given.routes)) expect(expected).toHaveProperty([path]);
  for (const [path, statuses] of Object.entries(expected)) {
    const answers = ['', 'Bearer wrong', 'Bearer tok-old', 'Bearer tok-dev', 'bearer tok-all'].map(
      async (Authorization) => {
        const answer = await raw(gateway.url, {
          path,
          headers: { ...(Authorization ? { Authorization } : {}), Accept: 'text/event-stream' },
        });
        if (answer.status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer');
        return answer.status;
      },
    );
    expect([path, await Promise.all(answers)]).toEqual([path, statuses]);
  }
});

test('without any Token: open on loopback, but never the control API; closed beyond it', async () => {
  await using gateway = await start({ servers: someServer }, { control: async () => ({ status: 200 }) });
  expect((await session(gateway.url)).id).not.toBe('undefined');
  const control = await raw(gateway.url, { path: '/api/v1/status' });
  expect([control.status, control.json.error_code]).toEqual([401, 'unauthorized']);
  await expect(start({}, { listen: '0.0.0.0:0' })).rejects.toMatchObject({ code: 'unsafe-listen' });
  await expect(start({}, { listen: 'nonsense' })).rejects.toMatchObject({ code: 'invalid-value' });
  await expect(start({}, { listen: `127.0.0.1:${portOf(gateway)}` })).rejects.toMatchObject({ code: 'listen-failed' });
});

test('the last Token removed while listening beyond loopback: refused, and said once', async () => {
  const said: string[] = [];
  const principals = [principal('all', 'tok')];
  await using gateway = await start(
    { principals, gateway: { listen: '0.0.0.0:0' } },
    { log: (level, message) => level === 'warn' && said.push(message) },
  );
  await gateway.swap(snapshot({ gateway: { listen: '0.0.0.0:0' } }));
  const answer = await raw(gateway.url, { path: '/mcp', headers: { Authorization: 'Bearer tok' } });
  expect(answer.status).toBe(401);
  expect(said).toHaveLength(1);
});

test('a client’s bearer token never reaches an upstream, and never a log', async () => {
  await using web = await httpUpstream('web');
  const logged: unknown[] = [];
  await using gateway = await start(
    { servers: { web: web.endpoint }, principals: [principal('all', 'tok-secret')] },
    { log: (...line) => logged.push(line) },
  );
  const mine = await session(gateway.url, { token: 'tok-secret' });
  await mine.rpc('tools/call', { name: 'web__echo', arguments: { text: 'x' } });
  expect(web.headers.length).toBeGreaterThan(2);
  expect(JSON.stringify([web.headers, web.seen, logged])).not.toContain('tok-secret');
});

test('bodies: over the limit, announced or not; batches; not JSON; not UTF-8; wrong type', async () => {
  await using gateway = await start({ servers: someServer, gateway: { maxBodyBytes: 1000 } });
  const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
    raw(gateway.url, { method: 'POST', path: '/mcp', headers: { ...MCP_HEADERS, ...headers }, body });
  const big = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { pad: 'x'.repeat(200_000) } });
  for (const headers of [{ 'Content-Length': String(big.length) }, { 'Transfer-Encoding': 'chunked' }]) {
    const answer = await post(big, headers);
    expect([answer.status, answer.headers.connection]).toEqual([413, 'close']);
    expect(answer.json.error?.data).toMatchObject({ error_code: 'body-too-large' });
  }
  const code = async (body: string | Buffer, headers = {}) => {
    const { status, json } = await post(body, headers);
    return [status, json.error?.code];
  };
  expect(await code('[{"jsonrpc":"2.0","id":1,"method":"ping"}]')).toEqual([400, -32600]);
  expect(await code('{"jsonrpc":"1.0","id":1,"method":"ping"}')).toEqual([400, -32600]);
  expect(await code('{nope')).toEqual([400, -32700]);
  expect(await code(Buffer.from([0x22, 0xff, 0x22]))).toEqual([400, -32700]);
  const deep = (levels: number) =>
    code(`{"jsonrpc":"2.0","id":1,"method":"ping","x":${'['.repeat(levels)}${']'.repeat(levels)}}`);
  expect(await deep(400)).toEqual([400, -32700]);
  expect(await deep(200)).toEqual([400, -32600]);
  expect(await code(`{"jsonrpc":"2.0","id":1,"method":"ping","x":"\\"${'['.repeat(400)}"}`)).toEqual([400, -32600]);
  expect(await code('{}', { 'Content-Type': 'text/plain' })).toEqual([400, -32600]);
  const taken = async (accept: string): Promise<boolean> => (await post('{}', { Accept: accept })).status !== 406;
  expect(await taken('application/json')).toBe(false);
  expect(await taken('application/json, text/plain')).toBe(false);
  expect(await taken('Application/JSON;q=1, text/event-stream')).toBe(true);
  expect(await taken('application/*, text/*;q=0.5')).toBe(true);
  const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  const version = await post(list, { 'MCP-Protocol-Version': '1999-01-01' });
  expect([version.status, version.text]).toEqual([400, expect.stringContaining('2025-11-25, 2025-06-18')]);
});

test('Expect: 100-continue is refused before the body is asked for', async () => {
  await using gateway = await start({ principals: [principal('all', 'tok')] });
  const answer = await raw(gateway.url, {
    method: 'POST',
    path: '/mcp',
    headers: { Expect: '100-continue', 'Content-Length': 10 },
    body: '',
  }).catch(String);
  expect(answer).toMatchObject({ status: 401 });
});

test('wrong methods name the right ones', async () => {
  await using gateway = await start({ servers: someServer });
  const put = await raw(gateway.url, { method: 'PUT', path: '/mcp' });
  expect([put.status, put.headers.allow]).toEqual([405, 'GET, POST, DELETE']);
  const posted = await raw(gateway.url, { method: 'POST', path: '/health' });
  expect([posted.status, posted.headers.allow]).toEqual([405, 'GET, HEAD']);
  expect((await raw(gateway.url, { method: 'HEAD', path: '/health' })).status).toBe(200);
});

test('the unix socket: mode 0600, trusted without a token, but not for a web page; a stale one is replaced', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slw-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const socketPath = join(folder, 'control.sock');
  await using up = await socketUpstream('up');
  const wish = { servers: { up: up.endpoint }, principals: [principal('all', 'tok')] };
  const control = async (): Promise<{ status: number; body: object }> => ({ status: 200, body: { fine: true } });
  {
    await using gateway = await start(wish, { socketPath, control });
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
    const answer = await raw(gateway.url, { socketPath, path: '/api/v1/status' });
    expect([answer.status, answer.text]).toEqual([200, '{"fine":true}']);
    const page = await raw(gateway.url, {
      socketPath,
      path: '/api/v1/status',
      headers: { Origin: 'http://localhost' },
    });
    expect(page.status).toBe(403);
    await expect(start(wish, { socketPath })).rejects.toMatchObject({ code: 'listen-failed' });
  }
  await writeFile(socketPath, 'not a socket');
  await expect(start(wish, { socketPath })).rejects.toMatchObject({ code: 'listen-failed' });
});

test('an SDK client gets in with its token', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({
    servers: { up: up.endpoint },
    principals: [principal('dev', 'tok', { projects: ['dev'] })],
  });
  await using sdk = await client(`${gateway.url}/projects/dev/mcp`, 'tok');
  expect((await sdk.listTools()).tools).toHaveLength(6);
  await expect(client(`${gateway.url}/mcp`, 'tok')).rejects.toThrow();
});

/** Users of a real identity provider get in: from the first 401 to the tool's answer, as an MCP client does it. */
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { decodeJwt } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import type { Control } from '../../schemas/control.ts';
import { client as withToken, principal, raw, snapshot, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { identityProvider, KNOWN_CLIENT, logIn, Visitor } from '../helpers/identity-provider.ts';
import { HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { bound, provider } from './helpers/identities.ts';

type Transport = Parameters<Client['connect']>[0];

/** Connects as far as the provider, logs in there, and comes back. */
async function visit(url: URL, visitor: Visitor, name: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const first = new StreamableHTTPClientTransport(url, { authProvider: visitor });
  await expect(client.connect(first as Transport)).rejects.toBeInstanceOf(UnauthorizedError);
  await first.finishAuth(await logIn(visitor.sentTo as URL, name));
  await client.connect(new StreamableHTTPClientTransport(url, { authProvider: visitor }) as Transport);
  return client;
}

test('a client finds its way from a 401 to the provider, logs its user in, and calls a tool', async () => {
  await using idp = await identityProvider({ ada: { email: 'ada@example.com', email_verified: true } });
  await using up = await socketUpstream('up');
  await using gateway = await start({
    servers: { up: up.endpoint },
    gateway: { providers: [provider(idp.issuer, { requiredScopes: ['mcp'] })] },
    users: [{ name: 'ada', email: 'ada@example.com' }],
    access: bound({ kind: 'User', name: 'ada', role: 'member' }),
  });
  const visitor = new Visitor();
  const url = new URL(`${gateway.url}/projects/dev/mcp`);
  const client = await visit(url, visitor, 'ada');
  expect(visitor.sentTo?.searchParams.get('resource')).toBe(url.href);
  expect(visitor.sentTo?.searchParams.get('scope')).toBe('mcp');
  const { aud, sub } = decodeJwt(visitor.tokens()?.access_token ?? '');
  expect([aud, sub]).toEqual([url.href, 'ada']);
  const answer = await client.callTool({ name: 'up__echo', arguments: { text: 'hello' } });
  expect(JSON.stringify(answer.content)).toContain('hello');
  await client.close();
  // Made for that route, so worth nothing on another.
  await expect(withToken(`${gateway.url}/mcp`, visitor.tokens()?.access_token)).rejects.toThrow();
});

test('behind a proxy that passes on one path only, and takes it off, a client finds its way too', async () => {
  await using idp = await identityProvider();
  await using up = await socketUpstream('up');
  const asked: string[] = [];
  let behind = '';
  const proxy = createServer((request, response) => {
    const { url = '', method, headers } = request;
    asked.push(url);
    if (!url.startsWith('/servers/')) return void response.writeHead(404).end();
    const onward = httpRequest(behind + url.slice('/servers'.length), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const publicUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/servers`;
  await using gateway = await start({
    servers: { up: up.endpoint },
    gateway: { publicUrl, providers: [provider(idp.issuer, { requiredScopes: ['mcp'] })] },
    users: [{ name: 'ada', subject: 'ada' }],
    access: bound({ kind: 'User', name: 'ada', role: 'member' }),
  });
  behind = gateway.url;
  const visitor = new Visitor();
  const client = await visit(new URL(`${publicUrl}/servers/up/mcp`), visitor, 'ada');
  expect(decodeJwt(visitor.tokens()?.access_token ?? '').aud).toBe(`${publicUrl}/servers/up/mcp`);
  expect((await client.listTools()).tools.length).toBeGreaterThan(0);
  expect(asked).toContain('/servers/.well-known/oauth-protected-resource/servers/up/mcp');
  await client.close();
});

test('somebody whom the provider knows and the config does not may log in, and gets nothing', async () => {
  await using idp = await identityProvider();
  await using up = await socketUpstream('up');
  await using gateway = await start({
    servers: { up: up.endpoint },
    gateway: { providers: [provider(idp.issuer, { requiredScopes: ['mcp'] })] },
    users: [{ name: 'ada', subject: 'ada' }],
    access: bound({ kind: 'User', name: 'ada', role: 'member' }),
  });
  const client = visit(new URL(`${gateway.url}/mcp`), new Visitor(), 'eve');
  await expect(client).rejects.toThrow('forbidden');
});

test('step-up: a route that needs more says so, and the client comes back with more', async () => {
  await using idp = await identityProvider();
  await using up = await socketUpstream('up');
  const corp = provider(idp.issuer, {
    requiredScopes: ['mcp'],
    stepUp: [{ scopes: ['mcp:admin'], projects: ['dev'], roles: [] }],
  });
  await using gateway = await start({
    servers: { up: up.endpoint },
    gateway: { providers: [corp] },
    users: [{ name: 'ada', subject: 'ada' }],
    access: bound({ kind: 'User', name: 'ada', role: 'member' }),
  });
  const visitor = new Visitor();
  visitor.saveClientInformation({ client_id: KNOWN_CLIENT });
  const url = new URL(`${gateway.url}/projects/dev/mcp`);
  await expect(visit(url, visitor, 'ada')).rejects.toBeInstanceOf(UnauthorizedError);
  expect(visitor.sentTo?.searchParams.get('scope')).toBe('mcp mcp:admin');
  const again = new StreamableHTTPClientTransport(url, { authProvider: visitor });
  await again.finishAuth(await logIn(visitor.sentTo as URL, 'ada'));
  await using client = await withToken(url.href, visitor.tokens()?.access_token);
  expect((await client.listTools()).tools.length).toBeGreaterThan(0);
});

test('step-up: a role that the access token does not extend to does not count, and it is told what to ask for', async () => {
  await using idp = await identityProvider();
  await using up = await socketUpstream('up');
  const control: Control = async ({ caller }) => ({ status: caller.grant.operation('sync') ? 200 : 403, body: {} });
  const requiredScopes = ['mcp'];
  const wish = {
    servers: { up: up.endpoint },
    gateway: { providers: [provider(idp.issuer, { requiredScopes })] },
    users: [{ name: 'ada', subject: 'ada' }],
    access: bound({ kind: 'User', name: 'ada', role: 'member' }, { kind: 'User', name: 'ada', role: 'admin' }),
  };
  await using gateway = await start(wish);
  const visitor = new Visitor();
  const client = await visit(new URL(`${gateway.url}/mcp`), visitor, 'ada');
  await client.close();
  const token = visitor.tokens()?.access_token ?? '';
  const audiences = [String(decodeJwt(token).aud)];
  const stepUp = [{ scopes: ['mcp:admin'], projects: [], roles: ['admin'] }];
  const corp = provider(idp.issuer, { audiences, requiredScopes, stepUp });
  await using admins = await start({ ...wish, gateway: { providers: [corp] } }, { control });
  const headers = { Authorization: `Bearer ${token}` };
  // Refused by the gateway, and by who answers behind it.
  for (const path of ['/metrics', '/api/v1/sync']) {
    const refused = await raw(admins.url, { path, headers });
    expect([path, refused.status, refused.json.error_code]).toEqual([path, 403, 'insufficient-scope']);
    expect(refused.headers['www-authenticate']).toBe(
      `Bearer error="insufficient_scope", resource_metadata="http://127.0.0.1:${new URL(admins.url).port}/.well-known/oauth-protected-resource", scope="mcp mcp:admin"`,
    );
  }
  // As a member it goes on.
  await using member = await withToken(`${admins.url}/mcp`, token);
  expect((await member.listTools()).tools.length).toBeGreaterThan(0);
});

test('metadata: of the gateway and of each route, at the public URL, also below a path behind a TLS proxy', async () => {
  const corp = provider('https://id.example.com', { requiredScopes: ['mcp'], scopes: ['mcp', 'mcp:admin'] });
  const wish = { servers: { a: { unavailable: { code: 'x', message: 'x' } } } };
  await using gateway = await start({ ...wish, gateway: { providers: [corp] } });
  const at = async (path: string, headers = {}): Promise<unknown> => {
    const { status, json } = await raw(gateway.url, { path: `/.well-known/oauth-protected-resource${path}`, headers });
    return status === 200 ? json : status;
  };
  const said = (resource: string): object => ({
    resource,
    authorization_servers: ['https://id.example.com'],
    bearer_methods_supported: ['header'],
    scopes_supported: ['mcp', 'mcp:admin'],
  });
  expect(await at('/mcp')).toEqual(said(`${gateway.url}/mcp`));
  expect(await at('')).toEqual(said(gateway.url));
  expect(await at('/api/v1/status')).toBe(404);
  // It does not tell whether a project exists.
  expect(await at('/projects/secret/mcp')).toEqual(said(`${gateway.url}/projects/secret/mcp`));
  expect(await at('/mcp', { Host: 'evil.example' })).toBe(403);

  await gateway.swap(snapshot({ ...wish, gateway: { publicUrl: 'https://example.com/tools/', providers: [corp] } }));
  for (const path of ['/projects/dev/mcp', '/tools/projects/dev/mcp'])
    expect(await at(path)).toEqual(said('https://example.com/tools/projects/dev/mcp'));
  expect(await at('/tools')).toEqual(said('https://example.com/tools'));
  const refused = await raw(gateway.url, { path: '/projects/dev/mcp', headers: { Host: 'example.com' } });
  expect([refused.status, refused.headers['www-authenticate']]).toEqual([
    401,
    'Bearer resource_metadata="https://example.com/tools/.well-known/oauth-protected-resource/projects/dev/mcp", scope="mcp"',
  ]);

  // A path of its own that looks like the beginning of a route.
  await gateway.swap(snapshot({ ...wish, gateway: { publicUrl: 'https://example.com/servers', providers: [corp] } }));
  for (const path of ['/servers/a/mcp', '/servers/servers/a/mcp'])
    expect(await at(path)).toEqual(said('https://example.com/servers/servers/a/mcp'));
  expect(await at('/servers')).toEqual(said('https://example.com/servers'));

  await gateway.swap(snapshot({ ...wish, principals: [principal('ci', 'tok')] }));
  expect(await at('/mcp')).toBe(404);
  expect((await raw(gateway.url, { path: '/mcp' })).headers['www-authenticate']).toBe('Bearer');
});

test('header injection: a path with quotes, form feeds or high bytes ends up in no challenge, and breaks nothing', async () => {
  await using gateway = await start({ gateway: { providers: [provider('https://id.example.com')] } });
  const { port } = new URL(gateway.url);
  for (const odd of ['"', '\f', '\t', '\u00e9', ' x', '\\', '<>']) {
    const socket = connect(Number(port), '127.0.0.1');
    socket.end(
      Buffer.from(`GET /projects/a${odd}b/mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`, 'latin1'),
    );
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1.1 40[01] /);
    const wanted = `Bearer resource_metadata="http://localhost/.well-known/oauth-protected-resource"`;
    // Some of them no HTTP parser lets in.
    if (answer.startsWith('HTTP/1.1 401')) expect(answer).toContain(`WWW-Authenticate: ${wanted}\r\n`);
  }
  expect((await raw(gateway.url, { path: '/mcp' })).status).toBe(401);
});

test('web pages may read the metadata, and nothing else', async () => {
  await using gateway = await start({ gateway: { providers: [provider('https://id.example.com')] } });
  const headers = { Origin: 'https://inspector.example' };
  for (const method of ['GET', 'OPTIONS']) {
    const answer = await raw(gateway.url, { method, path: '/.well-known/oauth-protected-resource/mcp', headers });
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([method === 'GET' ? 200 : 204, '*']);
  }
  for (const path of ['/mcp', '/api/v1/status', '/.well-known/other']) {
    const answer = await raw(gateway.url, { path, headers });
    expect([answer.status, answer.headers['access-control-allow-origin']], path).toEqual([403, undefined]);
  }
});

test('the whole program: git says who Ada is; when git says it no more, her token is worth nothing', async () => {
  await using idp = await identityProvider({ ada: { email: 'ada@example.com', email_verified: true } });
  await using desk = new Desk();
  const resource = (kind: string, name: string, spec: object): string =>
    JSON.stringify({ apiVersion: 'slipway/v1', kind, metadata: { name }, spec });
  const corp = { name: 'corp', issuer: idp.issuer, privateNetwork: true, requiredScopes: ['mcp'], clockSkew: '5s' };
  desk.push({
    'gateway.yaml': resource('Gateway', 'main', { auth: { jwt: [corp] } }),
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello'),
    'ada.yaml': resource('User', 'ada', { email: 'ada@example.com' }),
    'rights.yaml': resource('RoleBinding', 'ada', { subjects: [{ kind: 'User', name: 'ada' }], role: 'member' }),
  });
  const running = await desk.up();
  const url = new URL(`${await running.serving}/servers/hello/mcp`);
  const visitor = new Visitor();
  const client = await visit(url, visitor, 'ada');
  const answer = await client.callTool({ name: 'hello', arguments: { name: 'Ada' } });
  expect(JSON.stringify(answer.content)).toContain('Hello, Ada');
  const { access_token: token = '' } = visitor.tokens() ?? {};
  const get = (path: string): Promise<{ status: number }> =>
    raw(url.origin, { path, headers: { Accept: 'text/event-stream', Authorization: `Bearer ${token}` } });
  expect((await get('/api/v1/status')).status).toBe(401); // Made for another resource.
  desk.push({ 'ada.yaml': undefined, 'rights.yaml': undefined });
  expect((await desk.sync()).code).toBe(0);
  expect((await get('/servers/hello/mcp')).status).toBe(403);
  expect(running.log).not.toContain(token.split('.')[1]);
});

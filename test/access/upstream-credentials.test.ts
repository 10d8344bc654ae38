/** Credentials that no person is asked for: from Secrets, of the gateway itself, or in exchange for the caller's own. */
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Server as McpServer } from '@modelcontextprotocol/sdk/server/index.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { expect, onTestFinished, test } from 'vitest';
import { GATEWAY } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { client, principal, start } from '../gateway/helpers/gateway.ts';
import { modernServer } from '../gateway/helpers/modern-upstream.ts';
import { bound, provider } from './helpers/identities.ts';
import { Issuer } from './helpers/issuer.ts';
import { lastToken, ProtectedServer } from './helpers/protected-server.ts';
import { call, Scene } from './helpers/scene.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const SECRET = 'hunter2-and-a-half';
const resource = (kind: string, name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'slipway/v1', kind, metadata: { name }, spec });

async function guarded(header: string, value: string): Promise<ProtectedServer> {
  const server = await ProtectedServer.start('', { secret: { header, value } });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

test('headers and bearer tokens come from Secrets when they are needed, and are written nowhere', async () => {
  const byKey = await guarded('x-api-key', SECRET);
  const byToken = await guarded('authorization', `Bearer ${SECRET}`);
  await using desk = new Desk();
  const file = join(desk.home, 'token');
  writeFileSync(file, `${SECRET}\n`);
  const from = (key: string) => ({ secretRef: { name: 'doors', key } });
  const remote = (url: string, auth: object): object => ({ url, privateNetwork: true, auth });
  desk.push({
    'gateway.yaml': GATEWAY,
    'doors.yaml': resource('Secret', 'doors', {
      data: { key: { env: 'DOOR_KEY' }, token: { file }, none: { env: 'NOT_SET' } },
    }),
    'by-key.yaml': resource(
      'Server',
      'by-key',
      remote(byKey.url, {
        headers: [
          { name: 'X-Api-Key', valueFrom: from('key') },
          { name: 'X-Team', value: 'platform' },
        ],
      }),
    ),
    'by-token.yaml': resource('Server', 'by-token', remote(byToken.url, { bearer: from('token') })),
    'by-none.yaml': resource('Server', 'by-none', remote(byToken.url, { bearer: from('none') })),
  });
  const running = await desk.up([], { DOOR_KEY: SECRET });
  const gateway = await running.serving;
  const said: string[] = [];
  const whoami = async (name: string): Promise<string> => {
    await using caller = await client(`${gateway}/servers/${name}/mcp`);
    const text = await call(caller, 'whoami').then(JSON.stringify, String);
    said.push(text);
    return text;
  };
  expect(await whoami('by-key')).toContain('whoami: secret');
  expect(byKey.seen).toContain('platform');
  expect(await whoami('by-token')).toContain('whoami: secret');
  expect(await whoami('by-none')).toContain('Secret doors, key none: the environment variable NOT_SET is not set');

  // One that is wrong is told; one that is right again needs no restart.
  writeFileSync(file, 'wrong-for-now');
  expect(await whoami('by-token')).toContain('refuses the credentials');
  writeFileSync(file, SECRET);
  expect(await whoami('by-token')).toContain('whoami: secret');

  const written = [
    ...said,
    running.log,
    (await desk.slipway(['plan', '--repo', desk.remote])).out,
    (await desk.slipway(['describe', 'server', 'by-token', '--state-dir', desk.state])).out,
    JSON.stringify(await desk.status()),
    ...readdirSync(desk.state, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')),
  ].join('\n');
  expect(written).toContain('by-token');
  expect(written).not.toMatch(/hunter2-and-a-half|wrong-for-now/);
});

test('client credentials: one token for all, another one when it is refused', async () => {
  const machine = {
    client_id: 'machine',
    client_secret: SECRET,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  };
  const scene = await Scene.set({ clients: [machine] });
  const use = { secret: 'doors', key: 'key', from: { env: 'X' } };
  const { url } = await scene.upWith(
    {
      type: 'clientCredentials',
      clientId: 'machine',
      clientSecret: use,
      scopes: ['mcp:write'],
      headers: [{ name: 'AUTHORIZATION', value: 'Basic stale' }],
    },
    {},
    { secrets: () => Promise.resolve(SECRET) },
  );
  await using ada = await client(`${url}/servers/docs/mcp`);
  await Promise.all(Array.from({ length: 20 }, () => call(ada, 'whoami')));
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: machine' }] });
  expect(scene.provider.count('/token', 'client_credentials')).toBe(1);
  scene.server.refused.add(lastToken(scene.server).token);
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: machine' }] });
  expect(scene.provider.count('/token', 'client_credentials')).toBe(2);
  // The server's challenge names other scopes, which nobody would see being asked for; and a header of that name takes no token's place.
  const asked = scene.provider.requests.filter(({ path }) => path === '/token');
  expect(asked.map(({ body }) => body.get('scope'))).toEqual(['mcp:write', 'mcp:write']);
  expect(scene.server.seen).not.toContain('Basic stale');
});

test('token exchange: each caller as who they are, and their own token goes to its issuer only', async () => {
  await using idp = await Issuer.make();
  const gatewayUrl = 'https://slipway.example';
  const exchanger = {
    client_id: 'exchanger',
    client_secret: SECRET,
    grant_types: [EXCHANGE],
    redirect_uris: [],
    response_types: [],
  };
  const scene = await Scene.set({ clients: [exchanger] });
  const { url } = await scene.upWith(
    {
      type: 'tokenExchange',
      issuer: scene.provider.url,
      clientId: 'exchanger',
      clientSecret: { secret: 'doors', key: 'key', from: { env: 'X' } },
      headers: [],
    },
    {
      gateway: { publicUrl: gatewayUrl, providers: [provider(idp.url)] },
      users: ['ada', 'bob'].map((name) => ({ name, subject: name })),
      principals: [principal('ci', 'ci-token')],
      access: bound(...['ada', 'bob'].map((name) => ({ kind: 'User' as const, name, role: 'member' }))),
    },
    { secrets: () => Promise.resolve(SECRET) },
  );
  const tokens = await Promise.all(['ada', 'bob'].map((sub) => idp.token({ sub, aud: gatewayUrl })));
  const [hers = '', his = ''] = tokens;
  await using ada = await client(`${url}/servers/docs/mcp`, hers);
  await using bob = await client(`${url}/servers/docs/mcp`, his);
  for (let turn = 0; turn < 2; turn++) {
    expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
    expect(await call(bob, 'whoami')).toMatchObject({ content: [{ text: 'whoami: bob' }] });
  }
  expect(scene.server.sessions).toEqual(['ada', 'bob']);
  expect(scene.provider.count('/token', EXCHANGE)).toBe(2);
  const seen = scene.server.seen.join('\n');
  for (const token of [...tokens, 'ci-token']) expect(seen).not.toContain(token);

  await using ci = await client(`${url}/servers/docs/mcp`, 'ci-token');
  await expect(call(ci, 'whoami')).rejects.toThrow(/only for callers with a token of an identity provider/);
});

/** Lets nobody through to another server without the token, on any request. */
async function doorkeeper(to: string, token: string): Promise<string> {
  const { hostname, port } = new URL(to);
  const keeper = createServer((request, response) => {
    if (request.headers.authorization !== `Bearer ${token}`) return void response.writeHead(401).end();
    const { method, url: path, headers } = request;
    const on = httpRequest({ hostname, port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders();
      answer.pipe(response);
    });
    request.pipe(on);
    response.on('close', () => on.destroy());
    on.on('error', () => response.destroy());
  });
  keeper.listen(0, '127.0.0.1');
  await once(keeper, 'listening');
  onTestFinished(() => {
    keeper.closeAllConnections();
    keeper.close();
  });
  return `http://127.0.0.1:${(keeper.address() as AddressInfo).port}${new URL(to).pathname}`;
}

/** A server of 2024-11-05 (SDK). */
async function oldServer(): Promise<string> {
  let transport: SSEServerTransport | undefined;
  const listener = createServer((request, response) => {
    if (request.method === 'POST') return void transport?.handlePostMessage(request, response);
    const server = new McpServer({ name: 'old', version: '1' }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [{ name: 'echo', inputSchema: { type: 'object' as const } }],
    }));
    server.setRequestHandler(CallToolRequestSchema, () => ({ content: [{ type: 'text', text: 'old' }] }));
    transport = new SSEServerTransport('/messages', response);
    void server.connect(transport);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  onTestFinished(() => {
    listener.closeAllConnections();
    listener.close();
  });
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}/sse`;
}

test('over every transport each request has the credentials, and without them none is answered', async () => {
  await using modern = await modernServer();
  const places = {
    modern: { transport: 'http' as const, address: await doorkeeper(modern.endpoint.address, SECRET) },
    old: { transport: 'sse' as const, address: await doorkeeper(await oldServer(), SECRET) },
  };
  const auth = { type: 'headers' as const, headers: [{ name: 'Authorization', prefix: 'Bearer ', value: SECRET }] };
  for (const [name, place] of Object.entries(places)) {
    const endpoints = [{ id: name, ...place }];
    await using gateway = await start({ servers: { in: { endpoints, auth }, out: { endpoints } } });
    await using inside = await client(`${gateway.url}/servers/in/mcp`);
    expect((await call(inside, 'echo')).isError).toBeFalsy();
    await using outside = await client(`${gateway.url}/servers/out/mcp`);
    await expect(call(outside, 'echo')).rejects.toThrow();
  }
});

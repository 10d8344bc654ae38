/** Whoever stands between a person, the authorization server and the gateway gets nothing, and nobody else's. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Consents } from '../../gateway/upstream/auth/consents.ts';
import { guardedFetch } from '../../gateway/upstream/auth/guarded-fetch.ts';
import { Holders } from '../../gateway/upstream/auth/holders.ts';
import { Vault } from '../../gateway/upstream/auth/vault.ts';
import { silent } from '../../schemas/log.ts';
import { client, principal, raw, snapshot, start } from '../gateway/helpers/gateway.ts';
import { Browser } from './helpers/consent-provider.ts';
import { call, consented, Scene, urlIn, type OAuth } from './helpers/scene.ts';

/** Somebody who signed in and consented, on the way back: the address that their browser is about to open. */
async function wayBack(gateway: string, account: string, token?: string): Promise<URL> {
  await using caller = await client(`${gateway}/servers/docs/mcp`, token);
  const link = urlIn(await call(caller, 'whoami'));
  return new URL((await new Browser({ stay: true }).consent(link, account)).url);
}

const opened = async (url: URL): Promise<{ status: number; text: string }> => {
  const response = await fetch(url, { redirect: 'manual' });
  return { status: response.status, text: await response.text() };
};

test('a state is good for once, and only for the gateway that made it', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  const back = await wayBack(url, 'ada');
  const wrong = new URL(back);
  wrong.searchParams.set('state', 'a'.repeat(43));
  expect(await opened(wrong)).toMatchObject({ status: 400, text: expect.stringContaining('Nobody is waited for') });
  const none = new URL(back);
  none.searchParams.delete('state');
  expect((await opened(none)).status).toBe(400);

  const other = await start({});
  onTestFinished(() => other[Symbol.asyncDispose]());
  const elsewhere = new URL(back.pathname + back.search, other.url);
  expect((await opened(elsewhere)).status).toBe(400);
  expect(scene.provider.count('/token')).toBe(0);

  expect((await opened(back)).status).toBe(200);
  expect(await opened(back)).toMatchObject({ status: 400, text: expect.stringContaining('Nobody is waited for') });
  expect(scene.provider.count('/token')).toBe(1);
});

test('a code of one’s own cannot be brought in for somebody else', async () => {
  const scene = await Scene.set();
  const tokens = [principal('ada', 'ada-token'), principal('eve', 'eve-token')];
  const { url } = await scene.up({}, { principals: tokens });
  const hers = await wayBack(url, 'ada', 'ada-token');
  const evil = await wayBack(url, 'eve', 'eve-token');
  // The code of one journey with the state of the other: PKCE binds them together.
  const mixed = new URL(hers);
  mixed.searchParams.set('code', evil.searchParams.get('code') ?? '');
  expect(await opened(mixed)).toMatchObject({ status: 400, text: expect.stringContaining('invalid_grant') });
  await using ada = await client(`${url}/servers/docs/mcp`, 'ada-token');
  expect((await call(ada, 'whoami')).isError).toBe(true);
});

test('an answer of another authorization server is neither believed nor shown (RFC 9207)', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  const changes: ((back: URL) => void)[] = [
    (back) => back.searchParams.set('iss', 'https://evil.example'),
    (back) => back.searchParams.set('iss', `${scene.provider.url}/`),
    (back) => back.searchParams.set('iss', ''),
    (back) => back.searchParams.delete('iss'),
    (back) => back.searchParams.append('iss', scene.provider.url),
  ];
  for (const change of changes) {
    const back = await wayBack(url, 'ada');
    change(back);
    back.searchParams.set('error_description', '<script>alert(1)</script>');
    const page = await opened(back);
    expect(page.status).toBe(400);
    expect(page.text).not.toContain('alert');
  }
  expect(scene.provider.count('/token')).toBe(0);
});

test('a consent that is refused changes nothing, and says so', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`);
  const page = await new Browser().consent(urlIn(await call(ada, 'whoami')), 'ada', true);
  expect(page).toMatchObject({ status: 400, text: expect.stringContaining('Consent was refused') });
  expect((await call(ada, 'whoami')).isError).toBe(true);
  await consented(ada, 'ada');
});

test('the way back is guarded like every route, and leads nowhere else', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  const path = '/oauth/callback?state=x&redirect_uri=https://evil.example&code=%3Cscript%3E';
  expect((await raw(url, { path, headers: { Host: 'evil.example' }, setHost: false })).status).toBe(403);
  expect((await raw(url, { path, headers: { Origin: 'https://evil.example' } })).status).toBe(403);
  expect((await raw(url, { path, method: 'POST' })).status).toBe(405);
  const page = await raw(url, { path });
  expect(page.status).toBe(400);
  expect(page.headers).not.toHaveProperty('location');
  expect(page.text).not.toMatch(/evil|<script/);
  expect((await raw(url, { path: '/oauth/client.json' })).status).toBe(404);
});

test('a gateway with a public address says who it is, and has people come back there', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up({}, { gateway: { publicUrl: 'https://slipway.example/mcp-gateway/' } });
  const { json } = await raw(url, { path: '/oauth/client.json' });
  expect(json).toEqual({
    client_id: 'https://slipway.example/mcp-gateway/oauth/client.json',
    client_name: 'Slipway',
    redirect_uris: ['https://slipway.example/mcp-gateway/oauth/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: 'web',
    token_endpoint_auth_method: 'none',
  });
  await using ada = await client(`${url}/servers/docs/mcp`);
  expect(new URL(urlIn(await call(ada, 'whoami'))).searchParams.get('redirect_uri')).toBe(
    'https://slipway.example/mcp-gateway/oauth/callback',
  );
});

/** A server that answers each call with a challenge, and whatever else as told. */
async function hostile(
  answers: (path: string, self: string) => { status?: number; body?: unknown; location?: string },
) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const self = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    asked.push(request.url ?? '');
    const { status = 200, body, location } = answers(request.url ?? '', self);
    const challenge = { 'WWW-Authenticate': 'Bearer scope="a"' };
    response.writeHead(status, { ...(status === 401 ? challenge : {}), ...(location ? { Location: location } : {}) });
    response.end(JSON.stringify(body ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const WELL_KNOWN = '/.well-known/';
const good = (self: string) => ({
  issuer: self,
  authorization_endpoint: `${self}/authorize`,
  token_endpoint: `${self}/token`,
  registration_endpoint: `${self}/register`,
  code_challenge_methods_supported: ['S256'],
});

test('an authorization server that looks clients up is told where, and nobody registers', async () => {
  const { url, asked } = await hostile((path, self) => {
    if (path.startsWith(`${WELL_KNOWN}oauth-protected-resource`))
      return { body: { resource: self, authorization_servers: [self] } };
    if (path.startsWith(WELL_KNOWN)) return { body: { ...good(self), client_id_metadata_document_supported: true } };
    return { status: 401 };
  });
  const gateway = await start({
    servers: {
      docs: {
        endpoints: [{ id: 'docs', transport: 'http', address: `${url}/mcp` }],
        auth: { type: 'oauth', perPrincipal: true, headers: [] },
      },
    },
    gateway: { publicUrl: 'https://slipway.example' },
  });
  onTestFinished(() => gateway[Symbol.asyncDispose]());
  await using caller = await client(`${gateway.url}/servers/docs/mcp`);
  const link = new URL(urlIn(await call(caller, 'whoami')));
  expect(Object.fromEntries(link.searchParams)).toMatchObject({
    client_id: 'https://slipway.example/oauth/client.json',
    redirect_uri: 'https://slipway.example/oauth/callback',
    resource: url,
    scope: 'a',
  });
  expect(asked).not.toContain('/register');
});

test.each([
  [
    'another resource',
    (self: string) => ({ resource: { resource: 'https://honest.example/mcp', authorization_servers: [self] } }),
    /about another resource/,
  ],
  [
    'a sibling of the resource',
    (self: string) => ({ resource: { resource: `${self}/mc`, authorization_servers: [self] } }),
    /about another resource/,
  ],
  [
    'another issuer',
    (self: string) => ({ as: { ...good(self), issuer: 'https://honest.example' } }),
    /is not the metadata of/,
  ],
  ['no PKCE', (self: string) => ({ as: { ...good(self), code_challenge_methods_supported: undefined } }), /PKCE/],
  ['plain PKCE', (self: string) => ({ as: { ...good(self), code_challenge_methods_supported: ['plain'] } }), /PKCE/],
  [
    'a page that runs something',
    (self: string) => ({ as: { ...good(self), authorization_endpoint: 'javascript:alert(1)' } }),
    /no page for consent|is not the metadata/,
  ],
  [
    'no registration',
    (self: string) => ({ as: { ...good(self), registration_endpoint: undefined } }),
    /give its clientId/,
  ],
  [
    'nowhere to register',
    (self: string) => ({ as: { ...good(self), registration_endpoint: 'over there' } }),
    /over there is no URL/,
  ],
  ['a status that is none', () => ({ status: 999 }), /answers what cannot be read/],
])('metadata is not believed: %s', async (_, make, wanted) => {
  const { url } = await hostile((path, self) => {
    const { resource, as, status } = make(self) as { resource?: object; as?: object; status?: number };
    if (status !== undefined && path.startsWith(WELL_KNOWN)) return { status };
    if (path.startsWith(`${WELL_KNOWN}oauth-protected-resource`))
      return { body: resource ?? { resource: `${self}/mcp`, authorization_servers: [self] } };
    if (path.startsWith(WELL_KNOWN)) return { body: as ?? good(self) };
    return { status: 401 };
  });
  const gateway = await start({
    servers: {
      docs: {
        endpoints: [{ id: 'docs', transport: 'http', address: `${url}/mcp` }],
        auth: { type: 'oauth', perPrincipal: true, headers: [] },
      },
    },
  });
  onTestFinished(() => gateway[Symbol.asyncDispose]());
  await using caller = await client(`${gateway.url}/servers/docs/mcp`);
  const answer = await call(caller, 'whoami');
  expect(answer).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(wanted) }] });
});

test('what a public server names cannot lead into a private network, nor by a redirect', async () => {
  const inside = await hostile(() => ({ body: {} }));
  const { url, asked } = await hostile((path, self) => {
    if (path.startsWith(WELL_KNOWN)) return { status: 302, location: `${inside.url}/secret` };
    return { status: 401, body: self };
  });
  const gateway = await start({
    servers: {
      docs: {
        endpoints: [{ id: 'docs', transport: 'http', address: `${url}/mcp` }],
        auth: { type: 'oauth', perPrincipal: true, headers: [] },
      },
    },
  });
  onTestFinished(() => gateway[Symbol.asyncDispose]());
  await using caller = await client(`${gateway.url}/servers/docs/mcp`);
  expect((await call(caller, 'whoami')).isError).toBe(true);
  expect(asked.some((path) => path.startsWith(WELL_KNOWN))).toBe(true);
  expect(inside.asked).toEqual([]);

  for (const address of [
    `${inside.url}/x`,
    inside.url.replace('http', 'https'),
    'https://169.254.169.254/latest',
    'https://[::ffff:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://2130706433/',
    'file:///etc/passwd',
  ])
    await expect(guardedFetch(true)(address)).rejects.toThrow();
  expect(inside.asked).toEqual([]);
});

test('a server that asks for something else each time fills no memory, however many calls it is asked by at once', async () => {
  const scene = await Scene.set();
  const spec: OAuth = { type: 'oauth', perPrincipal: true, headers: [] };
  const holder = { server: 'docs', url: new URL(scene.server.url), principal: 'local' };
  const vault = new Vault(undefined, silent);
  const holders = new Holders(vault);
  const endpoints = [{ id: 'docs', transport: 'http' as const, address: scene.server.url }];
  holders.follow(snapshot({ servers: { docs: { endpoints, auth: spec } } }));
  const consents = new Consents({
    vault,
    holders,
    secrets: () => Promise.reject(new Error('there are none')),
    base: () => 'http://127.0.0.1',
    onGranted: () => {},
  });
  const wanted = { holder, spec, key: 'hers', fetch: guardedFetch(false), publicOnly: false, scopes: [], steps: 0 };
  const links = await Promise.all(
    Array.from({ length: 12 }, (_, turn) =>
      consents.begin({ ...wanted, challenge: { status: 401, scope: `s${turn}` } }, AbortSignal.timeout(60_000)),
    ),
  );
  const arrivals = await Promise.all(
    links.map(({ url }) => {
      const state = new URL(url).searchParams.get('state') ?? '';
      return consents.arrive(new URLSearchParams({ state, error: 'access_denied', iss: scene.provider.url }));
    }),
  );
  expect(arrivals.filter(({ text }) => text.startsWith('Consent was refused'))).toHaveLength(5);
  expect(arrivals.filter(({ text }) => text.startsWith('Nobody is waited for'))).toHaveLength(7);
});

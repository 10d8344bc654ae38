/** A remote server wants to know who comes: a person consents once, and the calls of their agents just work. */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport,
  type ClientCapabilities,
} from '@modelcontextprotocol/client';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import {
  ElicitationCompleteNotificationSchema,
  ToolListChangedNotificationSchema,
  type McpError,
} from '@modelcontextprotocol/sdk/types.js';
import { decodeJwt } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { authorized } from '../../reconciler/server-status.ts';
import { client, principal, snapshot } from '../gateway/helpers/gateway.ts';
import { Browser } from './helpers/consent-provider.ts';
import { lastToken, ProtectedServer } from './helpers/protected-server.ts';
import { call, consented, Scene, urlIn, type Answer, type OAuth } from './helpers/scene.ts';

const OAUTH: OAuth = { type: 'oauth', perPrincipal: true, headers: [] };
const TOKENS = [principal('ada', 'ada-token'), principal('bob', 'bob-token')];

async function modernClient(url: string, capabilities: ClientCapabilities = {}): Promise<ModernClient> {
  const modern = new ModernClient(
    { name: 'test', version: '1' },
    { capabilities, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  await modern.connect(new StreamableHTTPClientTransport(new URL(url)));
  onTestFinished(() => modern.close());
  return modern;
}

test('call, consent, call again', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`);
  const first = await call(ada, 'whoami');
  expect(first.isError).toBe(true);
  const link = new URL(urlIn(first));
  expect(link.origin).toBe(scene.provider.url);
  expect(Object.fromEntries(link.searchParams)).toMatchObject({
    response_type: 'code',
    code_challenge_method: 'S256',
    resource: scene.server.url,
    redirect_uri: `${url}/oauth/callback`,
    scope: 'mcp:read offline_access',
  });
  const page = await new Browser().consent(link.href, 'ada');
  expect(page).toMatchObject({ status: 200, url: expect.stringContaining(`${url}/oauth/callback?`) });
  expect(page.text).toContain('<b>docs</b>, for <b>local</b>');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page.headers.get('referrer-policy')).toBe('no-referrer');
  expect(await call(ada, 'whoami')).toEqual({ content: [{ type: 'text', text: 'whoami: ada' }] });
});

test('a server that says nothing about itself is got into by the issuer in the config', async () => {
  const scene = await Scene.set({ isSilent: true });
  const { url } = await scene.up({ issuer: scene.provider.url, scopes: ['mcp:read'] });
  await using ada = await client(`${url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
  expect(decodeJwt(lastToken(scene.server).token).aud).toBe(scene.server.url);
});

test('a client that knows no tool yet is given one that says where to go, and hears of the real ones', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  await using ada = await client(`${url}/mcp`);
  const listed = await ada.listTools();
  expect(listed.tools.map(({ name }) => name)).toEqual(['docs__authorize']);
  expect(Object.keys(listed._meta?.['slipway/unavailable'] ?? {})).toEqual(['plain', 'docs']);
  expect(JSON.stringify(listed)).not.toContain(scene.provider.url);
  const changed = new Promise<void>((resolve) =>
    ada.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()),
  );
  await new Browser().consent(urlIn(await call(ada, 'docs__authorize')), 'ada');
  await changed;
  await expect
    .poll(async () => (await ada.listTools()).tools.map(({ name }) => name))
    .toEqual(['docs__whoami', 'docs__write', 'docs__notes-of-ada']);
});

test('a client that can open pages is asked to, and told when it is done', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`, undefined, { elicitation: { url: {} } });
  const done = new Promise<string>((resolve) =>
    ada.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ params }) => resolve(params.elicitationId)),
  );
  const error = await ada.callTool({ name: 'whoami' }).catch((caught: unknown) => caught as McpError);
  const [asked] = ((error as McpError).data as { elicitations: { url: string; elicitationId: string }[] }).elicitations;
  expect(error).toMatchObject({ code: -32_042 });
  await new Browser().consent(String(asked?.url), 'ada');
  expect(await done).toBe(asked?.elicitationId);
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
});

test('clients of MCP 2026-07-28: as text, and as input that is required', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  const modern = await modernClient(`${url}/servers/docs/mcp`);
  const first = (await modern.callTool({ name: 'whoami', arguments: {} })) as Answer;
  expect(first.isError).toBe(true);
  expect(new URL(urlIn(first)).origin).toBe(scene.provider.url);

  const asking = await modernClient(`${url}/servers/docs/mcp`, { elicitation: { url: {} } });
  const opened: string[] = [];
  asking.setRequestHandler('elicitation/create', async ({ params }) => {
    const { url: page = '' } = params as { url?: string };
    opened.push(page);
    await new Browser().consent(page, 'ada');
    return { action: 'accept' as const };
  });
  expect(await asking.callTool({ name: 'whoami', arguments: {} })).toMatchObject({
    content: [{ text: 'whoami: ada' }],
  });
  expect(opened).toEqual([urlIn(first)]);
});

test('everybody has their own consent, connection and lists', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up({}, { principals: TOKENS });
  await using ada = await client(`${url}/servers/docs/mcp`, 'ada-token');
  await using bob = await client(`${url}/servers/docs/mcp`, 'bob-token');
  const heard: string[] = [];
  const told = new Promise<void>((resolve) =>
    ada.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      heard.push('ada');
      resolve();
    }),
  );
  bob.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.push('bob'));
  await Promise.all([ada.listTools(), bob.listTools()]);
  await consented(ada, 'anna');
  await told;
  expect((await call(bob, 'whoami')).isError).toBe(true);
  expect(heard).not.toContain('bob');
  await consented(bob, 'robert');
  for (let turn = 0; turn < 3; turn++) {
    const [hers, his] = await Promise.all([call(ada, 'whoami'), call(bob, 'whoami')]);
    expect([hers.content[0]?.text, his.content[0]?.text]).toEqual(['whoami: anna', 'whoami: robert']);
  }
  const names = async (of: Client): Promise<string[]> => (await of.listTools()).tools.map(({ name }) => name);
  expect(await names(ada)).toContain('notes-of-anna');
  expect(await names(ada)).not.toContain('notes-of-robert');
  expect(await names(bob)).toContain('notes-of-robert');
  expect(await names(bob)).not.toContain('notes-of-anna');
  expect(scene.server.sessions).toEqual(['anna', 'robert']);
  // What a caller shows the gateway is nothing that a server ever sees.
  expect(scene.server.seen.join()).not.toMatch(/(ada|bob)-token/);
});

test('many who ask at once are sent the same way, by one client', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up({}, { principals: TOKENS });
  await using ada = await client(`${url}/servers/docs/mcp`, 'ada-token');
  await using bob = await client(`${url}/servers/docs/mcp`, 'bob-token');
  const ask = (of: Client): Promise<string>[] =>
    Array.from({ length: 10 }, async () => urlIn(await call(of, 'whoami')));
  const links = await Promise.all([...ask(ada), ...ask(bob)]);
  expect(new Set(links).size).toBe(2);
  expect(new Set(links.map((link) => new URL(link).searchParams.get('client_id'))).size).toBe(1);
  expect(scene.provider.count('/reg')).toBe(1);
});

test('a new commit takes nobody’s connection, and a new address nobody’s token along', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({}, { principals: TOKENS });
  await using ada = await client(`${gateway.url}/servers/docs/mcp`, 'ada-token');
  await consented(ada, 'ada');
  await call(ada, 'whoami');
  await gateway.swap(snapshot({ servers: scene.servers, principals: TOKENS, gateway: { sessionTtlMs: 61_000 } }));
  expect(gateway.upstreams('docs')).toMatchObject([{ connected: true, principal: 'token:ada' }]);
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
  expect(scene.server.sessions).toEqual(['ada']);

  const { token } = lastToken(scene.server);
  await using elsewhere = await ProtectedServer.start(scene.provider.url);
  const docs = { endpoints: [{ id: 'docs', transport: 'http' as const, address: elsewhere.url }], auth: OAUTH };
  await gateway.swap(snapshot({ servers: { docs }, principals: TOKENS }));
  expect((await call(ada, 'whoami')).isError).toBe(true);
  expect(elsewhere.seen.join()).not.toContain(token);
});

test('one consent for all is for those to give who may edit the server', async () => {
  const scene = await Scene.set();
  const principals = [principal('ada', 'ada-token'), principal('bob', 'bob-token', { roles: ['member'] })];
  const { url } = await scene.up({ perPrincipal: false }, { principals });
  await using bob = await client(`${url}/servers/docs/mcp`, 'bob-token');
  const refused = await call(bob, 'whoami');
  expect(refused.content[0]?.text).toMatch(/Somebody who may edit the server/);
  expect(refused.content[0]?.text).not.toContain('http');
  await using ada = await client(`${url}/servers/docs/mcp`, 'ada-token');
  await consented(ada, 'team');
  expect(await call(bob, 'whoami')).toMatchObject({ content: [{ text: 'whoami: team' }] });
  expect(scene.server.sessions).toEqual(['team']);
});

test('a token that is refused is renewed, once for all who wait, and a restart needs no consent', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  await call(ada, 'whoami');
  scene.server.refused.add(lastToken(scene.server).token);
  const calls = Array.from({ length: 50 }, () => call(ada, 'whoami'));
  for (const answer of await Promise.all(calls)) expect(answer.content[0]?.text).toBe('whoami: ada');
  expect(scene.provider.count('/token', 'refresh_token')).toBe(1);
  // Rotated: the next renewal is done with the refresh token that came with this one, after a restart too.
  const again = await scene.up();
  scene.server.refused.add(lastToken(scene.server).token);
  await using later = await client(`${again.url}/servers/docs/mcp`);
  expect(await call(later, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
  expect(scene.provider.count('/token', 'refresh_token')).toBe(2);
  expect(scene.provider.count('/token', 'authorization_code')).toBe(1);
});

test('a token is renewed before it ends, so that nobody is turned away', async () => {
  const scene = await Scene.set({ accessTokenTtl: 5 });
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  await call(ada, 'whoami');
  const { token } = lastToken(scene.server);
  const turnedAway = scene.server.turnedAway;
  // It was to be renewed a fifth of its life before its end; by now the server would turn it away.
  await expect.poll(() => (decodeJwt(token).exp ?? 0) - Date.now() / 1000, { timeout: 10_000 }).toBeLessThan(-0.05);
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
  expect(lastToken(scene.server).token).not.toBe(token);
  expect(scene.server.turnedAway).toBe(turnedAway);
});

test('what is kept is sealed, only for this user, and a damaged file costs a consent and no more', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  await call(ada, 'whoami');
  const { token } = lastToken(scene.server);
  const files = readdirSync(scene.dir).map((name) => join(scene.dir, name));
  // The tokens, the registration, and for what and whom there are any.
  expect(files).toHaveLength(3);
  for (const file of files) {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, 'latin1');
    for (const plain of [token, token.slice(0, 20), 'refresh', 'client_secret', 'accessToken', 'docs'])
      expect(text).not.toContain(plain);
  }
  expect(scene.log.join()).not.toContain(token.slice(-20));
  for (const file of files) writeFileSync(file, 'damaged');
  const again = await scene.up();
  await using later = await client(`${again.url}/servers/docs/mcp`);
  await consented(later, 'ada');
  expect(scene.log.join()).toContain('consent must be given again');
  expect(await call(later, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
});

test('a disk that takes nothing costs nobody their consent, until a restart, and is told', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  rmSync(scene.dir, { recursive: true });
  await using ada = await client(`${url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
  expect(scene.log.join()).toContain('a token cannot be written');
});

test('a consent that was taken back is asked for again', async () => {
  const scene = await Scene.set({ accessTokenTtl: 3600 });
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`);
  await consented(ada, 'gone');
  await call(ada, 'whoami');
  await scene.provider.revoke('gone');
  scene.server.refused.add(lastToken(scene.server).token);
  expect((await call(ada, 'whoami')).isError).toBe(true);
  await consented(ada, 'back');
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: back' }] });
});

test('more scopes are asked for where the server wants them, once', async () => {
  const scene = await Scene.set({ scopeOf: { write: 'mcp:write', 'notes-of-ada': 'mcp:never' } });
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  const more = await call(ada, 'write');
  expect(more.content[0]?.text).toContain('It takes more than was consented to so far');
  const link = urlIn(more);
  expect(new URL(link).searchParams.get('scope')).toBe('mcp:read offline_access mcp:write');
  // What was open stays open meanwhile.
  expect(await call(ada, 'whoami')).toMatchObject({ content: [{ text: 'whoami: ada' }] });
  await new Browser().consent(link, 'ada');
  expect(await call(ada, 'write')).toMatchObject({ content: [{ text: 'write: ada' }] });
  // A scope that nobody can give: asked for once, then refused.
  await new Browser().consent(urlIn(await call(ada, 'notes-of-ada')), 'ada');
  const asked = scene.provider.count('/token');
  await expect(call(ada, 'notes-of-ada')).rejects.toThrow(/refuses this although/);
  expect(scene.provider.count('/token')).toBe(asked);
});

test('who still has to consent is told to operators, without the address', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({}, { principals: TOKENS });
  await using ada = await client(`${gateway.url}/servers/docs/mcp`, 'ada-token');
  await using bob = await client(`${gateway.url}/servers/docs/mcp`, 'bob-token');
  await consented(ada, 'ada');
  await call(ada, 'whoami');
  await call(bob, 'whoami');
  const told = gateway.upstreams('docs').map(({ principal: whose, needsAuthorization }) => [whose, needsAuthorization]);
  expect(told).toEqual([
    ['token:ada', undefined],
    ['token:bob', 'docs: Somebody must give their consent first.'],
  ]);
  const [condition] = authorized(gateway.upstreams('docs'));
  expect(condition).toMatchObject({ type: 'Authorized', status: 'False', reason: 'NeedsAuthorization' });
  expect(condition?.message).toMatch(/as token:bob$/);
  await consented(bob, 'bob');
  await call(bob, 'whoami');
  expect(authorized(gateway.upstreams('docs'))).toEqual([]);
});

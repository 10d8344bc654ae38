/** What becomes of consents when the config changes under them, and of renewals that are overtaken. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Gateway } from '../../gateway/index.ts';
import type { AuditDraft } from '../../schemas/audit.ts';
import { client, principal, raw, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { Browser, ConsentProvider } from './helpers/consent-provider.ts';
import { bound, provider } from './helpers/identities.ts';
import { Issuer } from './helpers/issuer.ts';
import { lastToken } from './helpers/protected-server.ts';
import { call, consented, Scene, urlIn, type Answer, type OAuth } from './helpers/scene.ts';

const OAUTH: OAuth = { type: 'oauth', perPrincipal: true, headers: [] };
const ADA = principal('ada', 'ada-token');
const BOB = principal('bob', 'bob-token');
const EVE = principal('ada', 'eve-token');
const GIVEN = { content: [{ text: 'whoami: ada' }] };
const HIS = { content: [{ text: 'whoami: bob' }] };
const REFUSED = { isError: true };
const BY_HAND = {
  client_id: 'by-hand',
  client_secret: 'hunter2',
  redirect_uris: ['http://127.0.0.1/oauth/callback'],
  application_type: 'native' as const,
  grant_types: ['authorization_code', 'refresh_token'],
};
const clientSecret = { secret: 'doors', key: 'key', from: { env: 'X' } };

/** One call of somebody who comes anew. */
async function whoami({ url }: Gateway, token?: string, server = 'docs'): Promise<Answer> {
  await using caller = await client(`${url}/servers/${server}/mcp`, token);
  return await call(caller, 'whoami');
}

async function consent(gateway: Gateway, token: string, account: string, server = 'docs'): Promise<void> {
  await using caller = await client(`${gateway.url}/servers/${server}/mcp`, token);
  await consented(caller, account);
  expect(await call(caller, 'whoami')).toMatchObject({ content: [{ text: `whoami: ${account}` }] });
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const to = (gateway: Gateway, wish: Wish): Promise<void> => gateway.swap(snapshot(wish));

/** From now on, the first answer of that kind is kept back. */
function keepBack({ provider: kept }: Scene, path: string, grant?: string) {
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  kept.hold = async (at, body) => {
    if (at !== path || (grant !== undefined && body.get('grant_type') !== grant)) return;
    asked.resolve();
    await release.promise;
  };
  return { asked: asked.promise, release: () => release.resolve() };
}

test('a Token that is made anew under an old name has nothing of the old one; a rotated one keeps it', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({}, { principals: [ADA, BOB] });
  const { servers } = scene;
  await consent(gateway, 'ada-token', 'ada');
  await consent(gateway, 'bob-token', 'bob');
  await to(gateway, { servers, principals: [principal('ada', 'rotated'), BOB] });
  expect(await whoami(gateway, 'rotated')).toMatchObject(GIVEN);

  await to(gateway, { servers, principals: [BOB] });
  await expect.poll(() => gateway.upstreams('docs').map(({ principal: whose }) => whose)).toEqual(['token:bob']);
  await to(gateway, { servers, principals: [EVE, BOB] });
  expect(await whoami(gateway, 'eve-token')).toMatchObject(REFUSED);
  expect(await whoami(gateway, 'bob-token')).toMatchObject(HIS);
  const again = await scene.up({}, { principals: [EVE, BOB] });
  expect(await whoami(again, 'eve-token')).toMatchObject(REFUSED);
  expect(await whoami(again, 'bob-token')).toMatchObject(HIS);
});

test('a User that is made anew under an old name has nothing of the old one', async () => {
  await using idp = await Issuer.make();
  const scene = await Scene.set();
  const access = bound({ kind: 'User', name: 'ada', role: 'member' });
  const providers = [provider(idp.url, { audiences: ['slipway'] })];
  const wish = (...subjects: string[]): Wish => ({
    users: subjects.map((subject) => ({ name: 'ada', subject })),
    gateway: { providers },
    access,
  });
  const gateway = await scene.up({}, wish('ada'));
  const { servers } = scene;
  const [hers, evil] = await Promise.all(['ada', 'eve'].map((sub) => idp.token({ sub, aud: 'slipway' })));
  await consent(gateway, hers ?? '', 'ada');
  await to(gateway, { servers, ...wish() });
  await to(gateway, { servers, ...wish('eve') });
  expect(await whoami(gateway, evil)).toMatchObject(REFUSED);
});

test('what went while the gateway was down is gone too', async () => {
  const scene = await Scene.set();
  await consent(await scene.up({}, { principals: [ADA, BOB] }), 'ada-token', 'ada');
  await consent(await scene.up({}, { principals: [ADA, BOB] }), 'bob-token', 'bob');
  const gateway = await scene.up({}, { principals: [BOB] });
  await to(gateway, { servers: scene.servers, principals: [EVE, BOB] });
  expect(await whoami(gateway, 'eve-token')).toMatchObject(REFUSED);
  expect(await whoami(gateway, 'bob-token')).toMatchObject(HIS);
});

test('consents for a server that is gone are gone too, whoever gave them, also before a restart', async () => {
  const scene = await Scene.set();
  await consent(await scene.up({}, { principals: [ADA, BOB] }), 'ada-token', 'ada');
  const gateway = await scene.up({}, { principals: [ADA, BOB] });
  const { docs: _, ...others } = scene.servers;
  const kept = readdirSync(scene.dir).length;
  await to(gateway, { servers: others, principals: [ADA, BOB] });
  expect(readdirSync(scene.dir)).toHaveLength(kept - 1);
  await to(gateway, { servers: scene.servers, principals: [ADA, BOB] });
  expect(await whoami(gateway, 'ada-token')).toMatchObject(REFUSED);
});

test('what cannot be removed is told, stops no commit, and lets nobody in', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({}, { principals: [ADA, BOB] });
  const { docs: _, ...others } = scene.servers;
  await consent(gateway, 'ada-token', 'ada');
  rmSync(scene.dir, { recursive: true });
  writeFileSync(scene.dir, 'in the way');
  await to(gateway, { servers: scene.servers, principals: [BOB] });
  await to(gateway, { servers: others, principals: [ADA, BOB] });
  await to(gateway, { servers: scene.servers, principals: [ADA, BOB] });
  expect(scene.log.filter((line) => line.includes('tokens cannot be removed'))).toHaveLength(2);
  expect(await whoami(gateway, 'ada-token')).toMatchObject(REFUSED);
});

test('a consent is taken back: one’s own, others’ by who may edit the server, and never by a guess', async () => {
  const scene = await Scene.set();
  const events: AuditDraft[] = [];
  const audit = { blocked: false, record: (draft: AuditDraft) => void events.push(draft) };
  const member = principal('eve', 'eve-token', { roles: ['member'] });
  const viewer = principal('vic', 'vic-token', { roles: ['viewer'] });
  const hers = principal('ada', 'ada-token', { roles: ['member'] });
  const wish = { principals: [hers, BOB, member, viewer] };
  const gateway = await scene.up({}, wish, { audit });
  const twin = { ...scene.servers['docs'] };
  await to(gateway, { servers: { ...scene.servers, twin }, ...wish });
  await consent(gateway, 'ada-token', 'ada');
  await consent(gateway, 'ada-token', 'ada', 'twin');
  await consent(gateway, 'bob-token', 'bob');
  const forget = async (token: string, path: string): Promise<number> =>
    (await raw(gateway.url, { method: 'DELETE', path: `/api/v1/consents/${path}`, headers: bearer(token) })).status;

  for (const [token, path, status] of [
    ['eve-token', 'docs', 404],
    ['eve-token', 'docs/token:ada', 403],
    ['vic-token', 'docs/token%3Aada', 403],
    ['vic-token', 'none/token:ada', 403],
    ['eve-token', 'none', 404],
    ['bob-token', 'docs/token:nobody', 404],
    ['bob-token', '%zz', 400],
    ['wrong', 'docs', 401],
  ] as const)
    expect([token, path, await forget(token, path)]).toEqual([token, path, status]);
  expect(await whoami(gateway, 'ada-token')).toMatchObject(GIVEN);

  expect(await forget('ada-token', 'docs')).toBe(200);
  // Nor does what was open with it stay open.
  const open = gateway.upstreams('docs').filter(({ connected }) => connected);
  expect(open.map(({ principal: whose }) => whose)).toEqual(['token:bob']);
  expect(await whoami(gateway, 'ada-token', 'twin')).toMatchObject(GIVEN);
  expect(await forget('ada-token', 'docs')).toBe(404);
  expect(await whoami(gateway, 'ada-token')).toMatchObject(REFUSED);
  expect(await whoami(gateway, 'bob-token')).toMatchObject(HIS);
  await consent(gateway, 'ada-token', 'ada');
  expect(await forget('bob-token', 'docs/token%3Aada')).toBe(200);
  expect(await whoami(gateway, 'ada-token')).toMatchObject(REFUSED);
  expect(events).toContainEqual(
    expect.objectContaining({
      kind: 'control',
      method: 'DELETE /api/v1/consents/docs/token%3Aada',
      principal: 'token:bob',
      server: 'docs',
      allowed: true,
    }),
  );

  const shared = await scene.up({ perPrincipal: false }, wish);
  await consent(shared, 'bob-token', 'all');
  const all = async (token: string): Promise<number> =>
    (await raw(shared.url, { method: 'DELETE', path: '/api/v1/consents/docs', headers: bearer(token) })).status;
  expect(await all('ada-token')).toBe(404);
  expect((await whoami(shared, 'ada-token')).isError).toBeFalsy();
  expect(await all('bob-token')).toBe(200);
  expect(await whoami(shared, 'ada-token')).toMatchObject(REFUSED);
});

test('a gateway that begins without any config forgets nothing', async () => {
  const scene = await Scene.set();
  const { servers } = scene;
  await consent(await scene.up({}, { principals: [ADA] }), 'ada-token', 'ada');
  const gateway = await start({ ...snapshot(), commit: '' }, { vault: scene.vault });
  onTestFinished(() => gateway[Symbol.asyncDispose]());
  await to(gateway, { servers: { ...servers, ...scene.servers }, principals: [ADA] });
  expect(await whoami(gateway, 'ada-token')).toMatchObject(GIVEN);
});

test('who set out before their Token was taken back brings nothing to its name', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({}, { principals: [ADA, BOB] });
  const link = urlIn(await whoami(gateway, 'ada-token'));
  await to(gateway, { servers: scene.servers, principals: [BOB] });
  await to(gateway, { servers: scene.servers, principals: [EVE, BOB] });
  expect(await new Browser().consent(link, 'ada')).toMatchObject({ status: 400 });
  expect(await whoami(gateway, 'eve-token')).toMatchObject(REFUSED);
  expect(scene.provider.count('/token')).toBe(0);
});

test('a Token that is taken back while its consent is on the way gets no tokens and no address', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({}, { principals: [ADA, BOB] });
  const link = urlIn(await whoami(gateway, 'ada-token'));
  const kept = readdirSync(scene.dir).length;
  const code = keepBack(scene, '/token');
  const page = new Browser().consent(link, 'ada');
  await code.asked;
  await to(gateway, { servers: scene.servers, principals: [BOB] });
  code.release();
  expect(await page).toMatchObject({ status: 400, text: expect.stringContaining('not asked for any more') });
  expect(readdirSync(scene.dir)).toHaveLength(kept);

  const metadata = keepBack(scene, '/.well-known/oauth-authorization-server');
  const late = whoami(gateway, 'bob-token');
  await metadata.asked;
  await to(gateway, { servers: scene.servers, principals: [ADA] });
  metadata.release();
  expect(await late.then(JSON.stringify, String)).not.toContain(scene.provider.url);
});

test('another issuer in the config: the one before is not shown the new secret, nor asked for anything', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({ issuer: scene.provider.url }, { principals: [ADA] });
  await consent(gateway, 'ada-token', 'ada');
  scene.server.refused.add(lastToken(scene.server).token);
  await using other = await ConsentProvider.start();
  const auth = { ...OAUTH, issuer: other.url, clientId: 'slipway', clientSecret };
  const asked = scene.provider.count('/token');
  await to(gateway, { servers: { docs: { ...scene.servers['docs'], auth } }, principals: [ADA] });
  expect(await whoami(gateway, 'ada-token')).toMatchObject(REFUSED);
  expect(scene.provider.count('/token')).toBe(asked);
});

test('a renewal that is overtaken by a consent for more does not undo it', async () => {
  const scene = await Scene.set({ scopeOf: { write: 'mcp:write' } });
  const gateway = await scene.up();
  await using ada = await client(`${gateway.url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  await call(ada, 'whoami');
  const link = urlIn(await call(ada, 'write'));
  const renewal = keepBack(scene, '/token', 'refresh_token');
  scene.server.refused.add(lastToken(scene.server).token);
  const late = call(ada, 'whoami');
  await renewal.asked;
  await new Browser().consent(link, 'ada');
  renewal.release();
  expect(await late).toMatchObject(GIVEN);
  expect(await call(ada, 'write')).toMatchObject({ content: [{ text: 'write: ada' }] });
});

test('a renewal that fails takes nothing from a consent that came meanwhile', async () => {
  const scene = await Scene.set({ scopeOf: { write: 'mcp:write' } });
  const gateway = await scene.up();
  await using ada = await client(`${gateway.url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  await call(ada, 'whoami');
  const link = urlIn(await call(ada, 'write'));
  await scene.provider.revoke('ada');
  const renewal = keepBack(scene, '/token', 'refresh_token');
  scene.server.refused.add(lastToken(scene.server).token);
  const late = call(ada, 'whoami');
  await renewal.asked;
  await new Browser().consent(link, 'ada');
  renewal.release();
  expect(await late).toMatchObject(GIVEN);
  scene.server.refused.add(lastToken(scene.server).token);
  expect(await call(ada, 'whoami')).toMatchObject(GIVEN);
});

test('an authorization server that has forgotten who registered is registered at again', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up();
  await using ada = await client(`${gateway.url}/servers/docs/mcp`);
  await consented(ada, 'ada');
  await call(ada, 'whoami');
  scene.server.refused.add(lastToken(scene.server).token);
  await scene.provider.forgetClients();
  expect(await call(ada, 'whoami')).toMatchObject(REFUSED);
  expect(scene.provider.count('/reg')).toBe(2);
  await consented(ada, 'ada');
  expect(await call(ada, 'whoami')).toMatchObject(GIVEN);
});

test('a wrong secret of a client that was registered by hand costs nobody’s consent, here or next door', async () => {
  let secret = 'wrong';
  const scene = await Scene.set({ clients: [BY_HAND] });
  const gateway = await scene.up({}, {}, { secrets: () => Promise.resolve(secret) });
  await consent(gateway, '', 'ada');
  const auth = { ...OAUTH, issuer: scene.provider.url, clientId: 'by-hand', clientSecret };
  await to(gateway, { servers: { ...scene.servers, strict: { ...scene.servers['docs'], auth } } });
  await using strict = await client(`${gateway.url}/servers/strict/mcp`);
  const page = await new Browser().consent(urlIn(await call(strict, 'whoami')), 'ada');
  expect(page).toMatchObject({ status: 400, text: expect.stringContaining('invalid_client') });
  scene.server.refused.add(lastToken(scene.server).token);
  expect(await whoami(gateway)).toMatchObject(GIVEN);
  expect(scene.provider.count('/reg')).toBe(1);

  secret = 'hunter2';
  await consented(strict, 'ada');
  expect(await call(strict, 'whoami')).toMatchObject(GIVEN);
  secret = 'wrong';
  scene.server.refused.add(lastToken(scene.server).token);
  await expect(call(strict, 'whoami')).rejects.toThrow(/no new token just now/);
  secret = 'hunter2';
  expect(await call(strict, 'whoami')).toMatchObject(GIVEN);
});

test('with `sessions: isolated`, every client has a session of its own, with the credentials of its principal', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({}, { principals: [ADA, BOB] });
  const isolated = { maxInstances: 4, idleMs: 60_000 };
  const servers = { docs: { ...scene.servers['docs'], isolated } };
  await to(gateway, { servers, principals: [ADA, BOB] });
  const url = `${gateway.url}/servers/docs/mcp`;
  await using one = await client(url, 'ada-token');
  await using two = await client(url, 'ada-token');
  await using bob = await client(url, 'bob-token');
  expect(await call(bob, 'whoami')).toMatchObject(REFUSED);
  await consented(one, 'anna');
  await consented(bob, 'robert');
  for (let turn = 0; turn < 2; turn++) {
    const [first, second, his] = await Promise.all([one, two, bob].map((each) => call(each, 'whoami')));
    expect([first, second, his].map((each) => each?.content[0]?.text)).toEqual([
      'whoami: anna',
      'whoami: anna',
      'whoami: robert',
    ]);
  }
  const apart = gateway.upstreams('docs').filter((each) => each.for === 'client' && each.connected);
  expect(apart.map(({ principal: whose }) => whose).sort()).toEqual(['token:ada', 'token:ada', 'token:bob']);
  // A Token that is taken back leaves no open session behind.
  await to(gateway, { servers, principals: [BOB] });
  await expect
    .poll(() => new Set(gateway.upstreams('docs').map(({ principal: whose }) => whose)))
    .toEqual(new Set(['token:bob']));
});

test('who comes back after long has sessions of their own again, and one that waits', async () => {
  const scene = await Scene.set();
  const gateway = await scene.up({}, { principals: [ADA, BOB] });
  const isolated = { maxInstances: 4, warm: 1, idleMs: 60_000 };
  const servers = { docs: { ...scene.servers['docs'], isolated } };
  await to(gateway, { servers, principals: [ADA, BOB] });
  const hers = () => gateway.upstreams('docs').filter(({ principal: whose }) => whose === 'token:ada');
  await consent(gateway, 'ada-token', 'ada');
  await whoami(gateway, 'ada-token');
  await expect.poll(() => hers().some((each) => each.for === 'next' && each.connected)).toBe(true);
  const { now } = performance;
  const later = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 31 * 60_000);
  onTestFinished(() => later.mockRestore());
  await whoami(gateway, 'bob-token');
  expect(hers()).toEqual([]);
  expect(await whoami(gateway, 'ada-token')).toMatchObject(GIVEN);
  await expect.poll(() => hers().some((each) => each.for === 'next' && each.connected)).toBe(true);
});

test('the scopes that the config says come first; a server that wants more for a tool says so', async () => {
  const scene = await Scene.set({ scopeOf: { write: 'mcp:write' } });
  const gateway = await scene.up({ scopes: ['mcp:narrow'] });
  const scopesIn = (answer: Answer) => new URL(urlIn(answer)).searchParams.get('scope')?.split(' ').sort();
  await using ada = await client(`${gateway.url}/servers/docs/mcp`);
  expect(scopesIn(await call(ada, 'whoami'))).toEqual(['mcp:narrow', 'offline_access']);
  await consented(ada, 'ada');
  expect(scopesIn(await call(ada, 'write'))).toEqual(['mcp:narrow', 'mcp:write', 'offline_access']);
});

/** Forged, stolen, stale and misdirected access tokens, and providers that lie, move, rotate and die. */
import { Buffer } from 'node:buffer';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { listen, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { httpUpstream } from '../gateway/helpers/upstreams.ts';
import { bound, provider } from './helpers/identities.ts';
import { Issuer, signer } from './helpers/issuer.ts';
import { AUDIENCE, ping, seconds, status, wish } from './helpers/bearer.ts';

describe('tokens', () => {
  test('one that is fine lets its user in, and is verified once: then nobody is asked', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer));
    const token = await issuer.token({ aud: AUDIENCE });
    expect(await Promise.all([1, 2, 3].map(() => status(gateway, token)))).toEqual([200, 200, 200]);
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  test('forgery: alg none, a public key used as an HMAC secret, a key of the thief’s own, a changed claim', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer));
    const [mine] = issuer.keys;
    const claims = { iss: issuer.url, sub: 'ada', aud: AUDIENCE, exp: seconds(600) };
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const none = `${encode({ alg: 'none', kid: 'one' })}.${encode(claims)}.`;
    const hmac = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(Buffer.from(JSON.stringify(mine?.jwk)));
    const stolen = await issuer.token({ aud: AUDIENCE }, {}, { ...(await signer('one')), kid: 'one' });
    const embedded = await signer('own');
    const own = await issuer.token({ aud: AUDIENCE }, { jwk: embedded.jwk }, embedded);
    const good = (await issuer.token({ aud: AUDIENCE, sub: 'eve' })).split('.');
    const changed = [good[0], encode(claims), good[2]].join('.');
    const headless = ['x', encode(claims), good[2]].join('.');
    for (const token of [none, hmac, stolen, own, changed, headless, `${good[0]}.${good[1]}.`, 'a.b.c'])
      expect(await status(gateway, token)).toBe(401);
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(200);
  });

  test('an algorithm that the config does not name is refused, though the provider has a key for it', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer, { algorithms: ['RS256'] }));
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(401);
  });

  test.each([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['without an issuer', { iss: undefined }],
    ['that has expired', { exp: seconds(-60) }],
    ['that never expires', { exp: undefined }],
    ['from the future', { nbf: seconds(600) }],
    ['without an audience', { aud: undefined }],
    ['for another service', { aud: 'https://other.example.com' }],
    ['for an address that begins like ours', { aud: `${AUDIENCE}.evil.example` }],
    ['that names nobody', { sub: '' }],
    ['that names somebody with a line break', { sub: 'ada\nroot' }],
    ['bound to a key that it comes without (RFC 9449)', { cnf: { jkt: 'x' } }],
  ])('%s: refused', async (_, claims) => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer));
    const token = await issuer.token({ aud: AUDIENCE, ...claims } as Record<string, unknown>);
    const answer = await ping(gateway, token);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
    expect(answer.text).not.toContain(token.split('.')[1]);
  });

  test.each(['logout+jwt', 'dpop+jwt', 'secevent+jwt'])(
    'confusion: a JWT of type %s is no access token',
    async (typ) => {
      await using issuer = await Issuer.make();
      await using gateway = await start(wish(issuer));
      expect(await status(gateway, await issuer.token({ aud: AUDIENCE }, { typ }))).toBe(401);
      expect(await status(gateway, await issuer.token({ aud: AUDIENCE }, { typ: 'JWT' }))).toBe(200);
    },
  );

  test('clocks that differ: an expired token is taken as long as the skew allows, and no longer', async () => {
    await using issuer = await Issuer.make();
    const token = await issuer.token({ aud: AUDIENCE, exp: seconds(-20) });
    const early = await issuer.token({ aud: AUDIENCE, nbf: seconds(20) });
    await using gateway = await start(wish(issuer, { clockSkewMs: 60_000 }));
    expect([await status(gateway, token), await status(gateway, early)]).toEqual([200, 200]);
    await gateway.swap(snapshot(wish(issuer, { clockSkewMs: 10_000 })));
    expect([await status(gateway, token), await status(gateway, early)]).toEqual([401, 401]);
  });

  test('required claims: a token of another tenant is refused', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer, { requiredClaims: { 'org.tenant': ['a', 'b'] } }));
    const from = (tenant?: string): Promise<string> => issuer.token({ aud: AUDIENCE, org: { tenant } });
    expect(await status(gateway, await from('b'))).toBe(200);
    expect(await status(gateway, await from('c'))).toBe(401);
    expect(await status(gateway, await from())).toBe(401);
  });
});

describe('audience (RFC 8707)', () => {
  test('a token for one route opens that route; one for the gateway opens all', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer));
    const one = await issuer.token({ aud: [`${AUDIENCE}/projects/dev/mcp`, 'other'] });
    const all = await issuer.token({ aud: `${AUDIENCE}/` });
    expect([await status(gateway, one, '/projects/dev/mcp'), await status(gateway, one)]).toEqual([200, 401]);
    expect([await status(gateway, all, '/projects/dev/mcp'), await status(gateway, all)]).toEqual([200, 200]);
  });

  test('token confusion: the Host header has no say in whom a token is for', async () => {
    await using issuer = await Issuer.make();
    const { gateway: listener, ...rest } = wish(issuer);
    await using gateway = await start({ ...rest, gateway: { providers: listener?.providers ?? [] } });
    const port = new URL(gateway.url).port;
    const stolen = await issuer.token({ aud: 'http://203.0.113.9/mcp' });
    expect((await ping(gateway, stolen, '/mcp', { Host: '203.0.113.9' })).status).toBe(401);
    for (const host of ['127.0.0.1', 'localhost'])
      expect(await status(gateway, await issuer.token({ aud: `http://${host}:${port}/mcp` }))).toBe(200);
  });

  test('audiences of the config take the place of the gateway’s URLs', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer, { audiences: ['mcp'] }));
    expect(await status(gateway, await issuer.token({ aud: 'mcp' }))).toBe(200);
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(401);
  });
});

describe('who somebody is', () => {
  const who = { a: { unavailable: { code: 'x', message: 'x' } } };

  test('impersonation: two providers cannot name each other’s users, nor a User that is not theirs', async () => {
    await using corp = await Issuer.make();
    await using partner = await Issuer.make();
    await using gateway = await start({
      servers: who,
      gateway: {
        publicUrl: AUDIENCE,
        providers: [provider(corp.url), provider(partner.url, { name: 'partner' })],
      },
      users: [
        { name: 'ada', email: 'ada@example.com', provider: 'corp' },
        { name: 'root', subject: 'root', provider: 'corp' },
      ],
      groups: [{ name: 'admins', users: [], tokens: [], claims: ['admins'], provider: 'corp' }],
      access: bound(
        { kind: 'User', name: 'ada', role: 'member' },
        { kind: 'User', name: 'root', role: 'member' },
        { kind: 'Group', name: 'admins', role: 'member' },
      ),
    });
    const mail = { email: 'Ada@example.com', email_verified: true };
    for (const claims of [{ sub: '1', ...mail }, { sub: 'root' }, { sub: '2', groups: ['admins'] }]) {
      expect(await status(gateway, await corp.token({ aud: AUDIENCE, ...claims }))).toBe(200);
      expect(await status(gateway, await partner.token({ aud: AUDIENCE, ...claims }))).toBe(403);
    }
    // Names without a User are the provider's own: none of them is one of the config's.
    for (const sub of ['ada', 'corp:ada', 'local', 'token:ci'])
      expect(await status(gateway, await partner.token({ aud: AUDIENCE, sub }))).toBe(403);
  });

  test('impersonation: an e-mail address that the provider did not verify makes nobody', async () => {
    await using issuer = await Issuer.make();
    const users = [{ name: 'ada', email: 'ada@example.com' }];
    await using gateway = await start({ ...wish(issuer), users });
    const email = 'ada@example.com';
    const verified = await issuer.token({ aud: AUDIENCE, sub: 'x', email, email_verified: true });
    const not = await issuer.token({ aud: AUDIENCE, sub: 'x', email, email_verified: false });
    const silent = await issuer.token({ aud: AUDIENCE, sub: 'x', email });
    const all = async (): Promise<number[]> =>
      Promise.all([verified, not, silent].map((token) => status(gateway, token)));
    expect(await all()).toEqual([200, 403, 403]);
    await gateway.swap(snapshot({ ...wish(issuer, { trustEmail: true }), users }));
    expect(await all()).toEqual([200, 403, 200]);
  });

  test('impersonation (nOAuth): an e-mail address names a user only where the provider vouches for it', async () => {
    await using issuer = await Issuer.make();
    const users = [{ name: 'ada', subject: 'ada@example.com' }];
    await using gateway = await start({ ...wish(issuer, { userClaim: 'email' }), users });
    const as = async (claims: object): Promise<number> =>
      status(gateway, await issuer.token({ aud: AUDIENCE, sub: 'x', email: 'ada@example.com', ...claims }));
    expect(await as({ email_verified: true })).toBe(200);
    expect([await as({}), await as({ email_verified: false })]).toEqual([401, 401]);
  });

  test('claims of other names, and below others, name users and groups', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start({
      ...wish(issuer, { userClaim: 'preferred_username', groupsClaim: 'realm_access.roles' }),
      groups: [{ name: 'staff', users: [], tokens: [], claims: ['/staff'] }],
      access: bound({ kind: 'User', name: 'ada', role: 'member' }, { kind: 'Group', name: 'staff', role: 'member' }),
    });
    const as = (claims: object): Promise<string> => issuer.token({ aud: AUDIENCE, sub: '4711', ...claims });
    expect(await status(gateway, await as({ preferred_username: 'ada' }))).toBe(200);
    expect(await status(gateway, await as({ preferred_username: 'bob' }))).toBe(403);
    const staff = { preferred_username: 'bob', realm_access: { roles: ['/staff'] } };
    expect(await status(gateway, await as(staff))).toBe(200);
  });

  test('with an identity provider even loopback is nobody’s: no request goes without a token', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer));
    for (const path of ['/mcp', '/projects/dev/mcp', '/api/v1/status', '/metrics'])
      expect((await raw(gateway.url, { path })).status, path).toBe(401);
  });

  test('revoked: a User who is gone is let in no more, and what was open is closed; sessions are one’s own', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer));
    const token = await issuer.token({ aud: AUDIENCE });
    const { id } = await session(gateway.url, { token });
    const stream = await listen(gateway.url, id, '/mcp', undefined, token);
    const ended = new Promise((end) => stream.answer.once('end', end));
    const other = await issuer.token({ aud: AUDIENCE, sub: 'eve' });
    const hijack = await raw(gateway.url, {
      method: 'DELETE',
      path: '/mcp',
      headers: { 'Mcp-Session-Id': id, Authorization: `Bearer ${other}` },
    });
    expect(hijack.status).toBe(403);
    await gateway.swap(snapshot({ ...wish(issuer), users: [] }));
    await ended;
    expect(await status(gateway, token)).toBe(403);
    await gateway.swap(snapshot({ ...wish(issuer), gateway: { publicUrl: AUDIENCE } }));
    expect((await ping(gateway, token)).status).toBe(200); // Without a provider nobody asks: this is loopback.
  });
});

test('passthrough: an access token never reaches a server, and one in the URL is refused', async () => {
  await using issuer = await Issuer.make();
  await using up = await httpUpstream('up');
  await using gateway = await start({ ...wish(issuer), servers: { up: up.endpoint } });
  const token = await issuer.token({ aud: AUDIENCE });
  const { rpc } = await session(gateway.url, { token });
  expect((await rpc('tools/call', { name: 'up__echo', arguments: { text: 'x' } })).status).toBe(200);
  expect(up.headers.length).toBeGreaterThan(1);
  expect(JSON.stringify([up.headers, up.seen])).not.toContain(token.split('.')[1]);
  const inUrl = await raw(gateway.url, { path: `/mcp?access_token=${token}` });
  expect([inUrl.status, inUrl.text.includes(token)]).toEqual([400, false]);
});

/** Forged, stolen, stale and misdirected access tokens, and providers that lie, move, rotate and die. */
import { Buffer } from 'node:buffer';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { jwksUriIn } from '../../gateway/auth/keys.ts';
import type { Gateway } from '../../gateway/index.ts';
import type { Provider } from '../../schemas/snapshot.ts';
import {
  listen,
  MCP_HEADERS,
  principal,
  raw,
  session,
  snapshot,
  start,
  type Raw,
  type Wish,
} from '../gateway/helpers/gateway.ts';
import { httpUpstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';
import { bound, provider } from './helpers/identities.ts';
import { Issuer, json, redirect, signer, type Signer } from './helpers/issuer.ts';

const AUDIENCE = 'https://mcp.example.com';

/** Ada may use everything; nobody else anything. */
function wish(issuer: Issuer, more: Partial<Provider> = {}): Wish {
  return {
    servers: { a: { unavailable: { code: 'x', message: 'x' } } },
    gateway: { publicUrl: AUDIENCE, providers: [provider(issuer.url, more)] },
    users: [{ name: 'ada', subject: 'ada' }],
    access: bound({ kind: 'User', name: 'ada', role: 'member' }),
  };
}

function ping(gateway: Gateway, token: string, path = '/mcp', headers: Record<string, string> = {}): Promise<Raw> {
  return raw(gateway.url, {
    method: 'POST',
    path,
    headers: { ...MCP_HEADERS, Authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
    }),
  });
}

const status = async (gateway: Gateway, token: string, path?: string): Promise<number> =>
  (await ping(gateway, token, path)).status;

const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;

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

describe('keys', () => {
  test('rotation: a key that is not known yet is asked for', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer, { keys: { refreshMs: 600_000, cooldownMs: 0, keepMs: 600_000 } }));
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(200);
    issuer.keys = [await signer('two')];
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(200);
    expect(issuer.questions).toBe(2);
  });

  test('tokens that name no key: each of several is tried, and one that came in the place of another is asked for', async () => {
    await using issuer = await Issuer.make();
    const keys = { refreshMs: 600_000, cooldownMs: 0, keepMs: 600_000 };
    await using gateway = await start(wish(issuer, { keys }));
    const unnamed = (by: Signer, jti: string) => issuer.token({ aud: AUDIENCE, jti }, { kid: undefined }, by);
    const [one, two, thief] = [issuer.keys[0] as Signer, await signer('two'), await signer('one')];
    expect(await status(gateway, await unnamed(one, 'a'))).toBe(200);
    issuer.keys = [two];
    expect(await status(gateway, await unnamed(two, 'b'))).toBe(200);
    issuer.keys = [two, one];
    expect(await status(gateway, await unnamed(one, 'c'))).toBe(200);
    expect([await status(gateway, await unnamed(two, 'd')), issuer.questions]).toEqual([200, 3]);
    expect(await status(gateway, await unnamed(thief, 'e'))).toBe(401);
  });

  test('a key that the provider took back opens nothing any more, for tokens that are known neither', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer, { keys: { refreshMs: 0, cooldownMs: 0, keepMs: 600_000 } }));
    const token = await issuer.token({ aud: AUDIENCE });
    expect(await status(gateway, token)).toBe(200);
    issuer.keys = [await signer('two')];
    // What is known serves while the provider is asked: that is the last time.
    await eventually(async () => (await status(gateway, token)) === 401);
  });

  test('a flood of tokens with made-up key ids is one question to the provider, not many', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer));
    const thief = await signer('made-up');
    const tokens = await Promise.all(
      Array.from({ length: 50 }, (_, index) => issuer.token({ aud: AUDIENCE }, { kid: `k${index}` }, thief)),
    );
    expect(new Set(await Promise.all(tokens.map((token) => status(gateway, token))))).toEqual(new Set([401]));
    expect(issuer.questions).toBe(1);
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(200);
  });

  test('a provider that is down: its last keys serve for the time stated, then 503; Tokens do not mind', async () => {
    await using issuer = await Issuer.make();
    const keys = { refreshMs: 0, cooldownMs: 0, keepMs: 600_000 };
    await using gateway = await start(wish(issuer, { keys }));
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(200);
    await issuer.close();
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE, jti: 'new' }))).toBe(200);
    const principals = [principal('ci', 'tok')];
    await gateway.swap(snapshot({ ...wish(issuer, { keys: { ...keys, keepMs: 0 } }), principals }));
    const refused = await ping(gateway, await issuer.token({ aud: AUDIENCE, jti: 'newer' }));
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([503, undefined]);
    expect(await status(gateway, 'tok')).toBe(200);
    await issuer.reopen();
    await gateway.swap(snapshot(wish(issuer, { keys })));
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE, jti: 'newest' }))).toBe(200);
  });

  test('metadata is found below the issuer’s path, as OpenID and as RFC 8414 have it', async () => {
    for (const wellKnown of [
      '/tenant/.well-known/openid-configuration',
      '/.well-known/oauth-authorization-server/tenant',
      '/.well-known/openid-configuration/tenant',
    ]) {
      await using issuer = await Issuer.make('/tenant');
      const answer = issuer.answers['/tenant/.well-known/openid-configuration'];
      delete issuer.answers['/tenant/.well-known/openid-configuration'];
      if (answer) issuer.answers[wellKnown] = answer;
      await using gateway = await start(wish(issuer));
      expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(200);
    }
  });

  test('mix-up: metadata that names another issuer is not believed', async () => {
    await using issuer = await Issuer.make();
    const { origin } = new URL(issuer.url);
    issuer.answers['/.well-known/openid-configuration'] = (response) =>
      json(response, { issuer: 'https://evil.example', jwks_uri: `${origin}/keys` });
    await using gateway = await start(wish(issuer));
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(503);
    expect(issuer.questions).toBe(0);
  });
});

describe('SSRF', () => {
  test('keys are not had from a private address, by whatever name, unless the config says so', async () => {
    await using issuer = await Issuer.make();
    const token = await issuer.token({ aud: AUDIENCE });
    const port = new URL(issuer.url).port;
    for (const jwksUri of [
      `https://127.0.0.1:${port}/keys`,
      `https://localhost:${port}/keys`,
      `https://[::ffff:127.0.0.1]:${port}/keys`,
      `https://[::1]:${port}/keys`,
      `https://2130706433:${port}/keys`,
      `https://0x7f.1:${port}/keys`,
      `https://169.254.169.254/latest/meta-data`,
      `https://[64:ff9b::7f00:1]:${port}/keys`,
      `https://[2002:7f00:1::]:${port}/keys`,
    ]) {
      const said: string[] = [];
      const log = (_: string, __: string, fields: Readonly<Record<string, unknown>> = {}): void =>
        void said.push(String(fields['reason']));
      await using gateway = await start(wish(issuer, { publicOnly: true, jwksUri }), { log });
      expect(await status(gateway, token), jwksUri).toBe(503);
      expect(said.join(), jwksUri).toContain('private network');
    }
    expect(issuer.asked).toEqual([]);
  });

  test('plain http is no way to have keys, unless the config says so', async () => {
    await using issuer = await Issuer.make();
    await using gateway = await start(wish(issuer, { publicOnly: true }));
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(503);
    expect(issuer.asked).toEqual([]);
  });

  test('downgrade: a provider at https has its keys at https', () => {
    const metadata = { issuer: 'https://id.example', jwks_uri: 'http://id.example/keys' };
    expect(() => jwksUriIn(metadata, 'https://id.example')).toThrow('not https');
    expect(jwksUriIn({ ...metadata, jwks_uri: 'https://keys.example' }, 'https://id.example')).toBe(
      'https://keys.example',
    );
  });

  test('a redirect to somewhere inside is not followed, and neither is any other', async () => {
    await using issuer = await Issuer.make();
    await using inside = await Issuer.make();
    issuer.answers['/keys'] = (response) => redirect(response, `${new URL(inside.url).origin}/keys`);
    await using gateway = await start(wish(issuer));
    expect(await status(gateway, await inside.token({ iss: issuer.url, aud: AUDIENCE }))).toBe(503);
    expect(inside.asked).toEqual([]);
  });

  test('memory exhaustion: endless keys are cut off', async () => {
    await using issuer = await Issuer.make();
    issuer.answers['/keys'] = (response) => response.end(`{"keys":["${'x'.repeat(1024 * 1024)}"]}`);
    await using gateway = await start(wish(issuer));
    expect(await status(gateway, await issuer.token({ aud: AUDIENCE }))).toBe(503);
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

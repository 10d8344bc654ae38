/** The keys of identity providers that lie, move, rotate and die; and where asking for them may lead. */
import { describe, expect, test } from 'vitest';
import { jwksUriIn } from '../../gateway/auth/keys.ts';
import { principal, snapshot, start } from '../gateway/helpers/gateway.ts';
import { eventually } from '../helpers/until.ts';
import { Issuer, json, redirect, signer, type Signer } from './helpers/issuer.ts';
import { AUDIENCE, ping, status, wish } from './helpers/bearer.ts';

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

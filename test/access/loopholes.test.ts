/** Ways around who may do what, tried by somebody who reads the code: each of these once led somewhere, or nearly did. */
import { expect, test } from 'vitest';
import { NO_ACCESS } from '../../schemas/access.ts';
import { MCP_HEADERS, principal, raw, snapshot, start, type Raw } from '../gateway/helpers/gateway.ts';
import { ask } from '../gateway/helpers/modern.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { bound, provider } from './helpers/identities.ts';
import { Issuer } from './helpers/issuer.ts';

const nowhere = { unavailable: { code: 'x', message: 'x' } };
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

test('a Host with a port that no machine has ends a request, not the gateway', async () => {
  await using issuer = await Issuer.make();
  await using gateway = await start({ gateway: { providers: [provider(issuer.url)] } });
  for (const path of ['/mcp', '/.well-known/oauth-protected-resource', '/api/v1/status'])
    for (const host of ['localhost:99999', '127.0.0.1:65536', '[::1]:70000']) {
      const answer = await raw(gateway.url, { path, headers: { Host: host, Accept: 'text/event-stream' } });
      expect([host, path, answer.status, answer.json.error_code]).toEqual([host, path, 403, 'host-not-allowed']);
    }
  expect((await raw(gateway.url, { path: '/mcp' })).headers['www-authenticate']).toContain('resource_metadata=');
});

test('two Authorization headers: a proxy before the gateway could have believed the other one', async () => {
  const principals = [principal('ci', 'sesame', { roles: ['admin'] })];
  await using gateway = await start({ servers: { a: nowhere }, principals });
  const two = (...tokens: string[]): Promise<Raw> =>
    raw(gateway.url, {
      path: '/api/v1/auth/can-i?list=true',
      headers: { Authorization: tokens.map((token) => `Bearer ${token}`) },
    });
  expect((await two('sesame')).status).toBe(200);
  for (const tokens of [
    ['sesame', 'sesame'],
    ['sesame', 'other'],
    ['other', 'sesame'],
  ])
    expect([tokens, (await two(...tokens)).json.error_code]).toEqual([tokens, 'unauthorized']);
});

test('an e-mail address that only looks like a User’s in lower case is somebody else’s', async () => {
  await using issuer = await Issuer.make();
  const aud = 'https://mcp.example.com';
  await using gateway = await start({
    servers: { a: nowhere },
    gateway: { publicUrl: aud, providers: [provider(issuer.url)] },
    users: [{ name: 'kate', email: 'kate@example.com' }],
    access: bound({ kind: 'User', name: 'kate', role: 'member' }),
  });
  const whoIs = async (email: string): Promise<string> => {
    const token = await issuer.token({ aud, sub: 'someone', email, email_verified: true });
    const answer = await raw(gateway.url, { path: '/api/v1/auth/can-i?list=true', headers: bearer(token) });
    return (answer.json as { principal: string }).principal;
  };
  expect(await whoIs('Kate@Example.com')).toBe('user:kate');
  // The sign for Kelvin, whose lower case is the letter k.
  expect(await whoIs('\u212Aate@example.com')).toBe('user:corp:someone');
});

test('a path that cannot be decoded is the client’s mistake', async () => {
  const principals = [principal('root', 'sesame', { roles: ['admin'] })];
  await using gateway = await start({ principals }, { control: async () => ({ status: 200, body: {} }) });
  const answer = await raw(gateway.url, { path: '/api/v1/denied/%zz', headers: bearer('sesame') });
  expect([answer.status, answer.json.error_code]).toEqual([400, 'bad-request']);
});

test('who has used up its rate cannot go on asking what it may do', async () => {
  const principals = [principal('ci', 'sesame', { roles: ['member'] })];
  const limits = { perPrincipal: { rate: { perSecond: 0.001, burst: 2 } } };
  await using gateway = await start({ principals, limits });
  const path = '/api/v1/auth/can-i?list=true';
  const asked = async (): Promise<number> => (await raw(gateway.url, { path, headers: bearer('sesame') })).status;
  expect([await asked(), await asked(), await asked()]).toEqual([200, 200, 429]);
});

const CALL = { name: 'up__ask', arguments: { method: 'roots/list', params: {} } };
const ROOTS = { roots: [{ uri: 'file:///work' }] };

test.each([
  ['its tool is denied', { servers: { up: { rules: [{ pattern: 'ask', action: 'deny' }] } } }],
  ['its caller loses the role', undefined],
])('a call that waits for its client is lost when %s meanwhile', async (_, denied) => {
  await using up = await socketUpstream('up', { all: true });
  const servers = { up: up.endpoint, other: nowhere };
  const wish = (roles: string[], access = {}) => ({
    servers,
    principals: [principal('ci', 'sesame', { roles })],
    access,
  });
  await using gateway = await start(wish(['member']));
  const by = { capabilities: { roots: {} }, token: 'sesame' };
  const first = await ask(gateway.url, 'tools/call', CALL, by);
  const { requestState } = first.json.result as { requestState: string };
  const place = { file: 'access.yaml', line: 7 };
  await gateway.swap(
    snapshot(
      denied
        ? wish(['member'], {
            servers: { up: { ...place, rules: denied.servers.up.rules.map((rule) => ({ ...rule, ...place })) } },
          })
        : wish([], bound({ kind: 'Token', name: 'ci', role: 'member', servers: ['other'] })),
    ),
  );
  const back = await ask(gateway.url, 'tools/call', { ...CALL, requestState, inputResponses: { q1: ROOTS } }, by);
  expect(back.text).not.toContain('file:///work');
  expect(back.text).toMatch(denied ? /up:ask is blocked/ : /Unknown tool/);
});

test('who is refused is sent to `explain denied` only if it may look there', async () => {
  await using up = await socketUpstream('up', { all: true });
  const place = { file: 'access.yaml', line: 7 };
  const access = {
    ...NO_ACCESS,
    servers: { up: { ...place, rules: [{ pattern: '*', action: 'deny' as const, ...place }] } },
  };
  const principals = [
    principal('ci', 'sesame', { roles: ['member'] }),
    principal('root', 'master', { roles: ['admin'] }),
  ];
  await using gateway = await start({ servers: { up: up.endpoint }, principals, access });
  const told = async (token: string): Promise<string> => (await ask(gateway.url, 'tools/call', CALL, { token })).text;
  const look = (id: string, token: string): Promise<Raw> =>
    raw(gateway.url, { path: `/api/v1/denied/${id}`, headers: { ...MCP_HEADERS, ...bearer(token) } });
  const [hers] = /explain denied ([\w-]+)/.exec(await told('master'))?.slice(1) ?? [];
  expect((await look(hers ?? '', 'master')).json).toMatchObject({ principal: 'token:root', tool: 'ask' });
  expect((await look(hers ?? '', 'sesame')).status).toBe(403);
  const text = await told('sesame');
  expect(text).not.toContain('explain denied');
  // What whoever keeps the config needs to find it.
  const [, id = ''] = /the request ([\w-]+)/.exec(text) ?? [];
  expect((await look(id, 'master')).json).toMatchObject({ principal: 'token:ci', tool: 'ask' });
});

/**
 * Every route of the router's own table with every credential, over TCP and the unix socket. What is expected comes from
 * what a row declares; a row without a line in the sample below fails, so a new route must say who may come in.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ROUTES, type RouteRow } from '../../gateway/routes/table.ts';
import type { Gateway } from '../../gateway/index.ts';
import { principal, raw, snapshot, start } from '../gateway/helpers/gateway.ts';
import { bound, provider } from './helpers/identities.ts';
import { Issuer, signer } from './helpers/issuer.ts';

/** A path for each pattern of the table, for the parts of it that stand for names. */
const SAMPLES: Readonly<Record<string, string>> = Object.fromEntries(
  ROUTES.map(({ pattern }) => [
    pattern,
    pattern
      .replace('/projects/{}', '/projects/dev')
      .replace('/servers/{}', '/servers/a')
      .replace('/consents/{}', '/consents/a')
      .replace('/a/{}', '/a/token:somebody')
      .replace('/denied/{}', '/denied/none')
      .replace('/git/{}', '/git/none')
      .replace(/\/\*$/, '/status'),
  ]),
);

const DAY = 86_400_000;
const principals = [
  principal('viewer', 'tok-viewer', { roles: ['viewer'] }),
  principal('member', 'tok-member', { roles: ['member'] }),
  principal('admin', 'tok-admin', { roles: ['admin'] }),
  principal('unbound', 'tok-unbound', { roles: [] }),
  principal('auditor', 'tok-auditor', { roles: [], scopes: ['audit'] }),
  principal('elsewhere', 'tok-elsewhere', { roles: ['admin'], projects: ['ops'] }),
  principal('expired', 'tok-expired', { roles: ['admin'], expiresAt: Date.now() - DAY }),
];
const STRANGERS = [
  '',
  'Bearer wrong',
  'Basic dXNlcjpwYXNz',
  'Bearer',
  'Bearer tok-expired',
  `Bearer ${'x'.repeat(4_000)}`,
];
const NAMES = ['viewer', 'member', 'admin', 'unbound', 'auditor', 'elsewhere', 'ada', 'eve'] as const;
type Name = (typeof NAMES)[number];

/** Who gets past the door of a row. */
function admitted({ access, pattern }: RouteRow, name: Name): boolean {
  if (access === 'public' || access === 'caller') return true;
  // Looking at something, or an operation.
  if (access === 'control') return ['viewer', 'member', 'admin', 'elsewhere', 'ada'].includes(name);
  // Only the routes of its own project, and this is another's.
  if (access === 'mcp') return ['viewer', 'member', 'admin', 'ada'].includes(name);
  expect(access.scope, pattern).toBe('audit');
  return ['admin', 'auditor'].includes(name);
}

interface Door {
  readonly gateway: Gateway;
  readonly socketPath: string;
  /** Credentials that look good and are not: of the identity provider. */
  readonly forged: readonly string[];
  token(name: Name): string;
}

async function door(): Promise<Door> {
  const issuer = await Issuer.make();
  const folder = mkdtempSync(join(tmpdir(), 'slw-'));
  const socketPath = join(folder, 'control.sock');
  const given = snapshot({
    servers: { a: { unavailable: { code: 'x', message: 'x' } } },
    principals,
    users: [{ name: 'ada', subject: 'ada' }],
    access: bound({ kind: 'User', name: 'ada', role: 'viewer' }),
    gateway: { httpSse: true, providers: [provider(issuer.url)] },
  });
  given.routes['/projects/ops/mcp'] = { project: 'ops', servers: [] };
  const gateway = await start(given, { socketPath, control: async () => ({ status: 200, body: { ok: true } }) });
  onTestFinished(async () => {
    await gateway[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  const aud = gateway.url;
  const people = { ada: await issuer.token({ aud }), eve: await issuer.token({ aud, sub: 'eve' }) };
  const forged = await Promise.all([
    issuer.token({ aud: 'https://other.example' }),
    issuer.token({ aud, iss: 'https://other.example' }),
    issuer.token({ aud, exp: 1 }),
    issuer.token({ aud }, {}, await signer('one')),
  ]);
  return {
    gateway,
    socketPath,
    forged: forged.map((token) => `Bearer ${token}`),
    token: (name) => (name === 'ada' || name === 'eve' ? people[name] : `tok-${name}`),
  };
}

const methodOf = ({ methods }: RouteRow): string => methods?.[0] ?? 'GET';
/** Anything but a refusal: the door opened, whatever is behind it then said about such a bare request. */
const opened = (status: number): boolean => status !== 401 && status !== 403;

test('each row says who may come in', () => {
  expect(ROUTES.length).toBeGreaterThan(15);
  expect(new Set(ROUTES.map(({ pattern }) => pattern)).size).toBe(ROUTES.length);
  for (const { access, pattern } of ROUTES) {
    const kind = typeof access === 'object' ? 'scope' : access;
    expect(['public', 'caller', 'control', 'mcp', 'scope'], pattern).toContain(kind);
  }
  // What anybody may reach is written down here once more: it is what an attacker tries first.
  expect(ROUTES.filter(({ access }) => access === 'public').map(({ pattern }) => pattern)).toEqual([
    '/health',
    '/healthz',
    '/readyz',
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/*',
    '/oauth/callback',
    '/oauth/client.json',
    '/hooks/git',
    '/hooks/git/{}',
  ]);
});

test.each(ROUTES.map((row) => [row.pattern, row] as const))('%s', async (pattern, row) => {
  const { gateway, socketPath, forged, token } = await door();
  const path = SAMPLES[pattern] ?? '';
  const method = methodOf(row);
  const send = (authorization: string, more = {}): ReturnType<typeof raw> =>
    raw(gateway.url, {
      method,
      path,
      headers: { Accept: 'application/json', ...(authorization ? { Authorization: authorization } : {}) },
      ...more,
    });

  for (const credential of [...STRANGERS, ...forged]) {
    const answer = await send(credential);
    if (row.access === 'public') expect(opened(answer.status), credential).toBe(true);
    else {
      expect([answer.status, credential]).toEqual([401, credential]);
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
      expect(answer.text).toContain('"unauthorized"');
    }
    expect(answer.headers['x-request-id']).toMatch(/\S/);
  }
  for (const name of NAMES) {
    const answer = await send(`Bearer ${token(name)}`);
    const may = admitted(row, name);
    expect([name, opened(answer.status) || (may && answer.status === 403 && /denied|consents/.test(pattern))]).toEqual([
      name,
      may,
    ]);
    if (!may)
      expect([answer.status, answer.text.includes(String(answer.headers['x-request-id']))]).toEqual([403, true]);
  }
  // Whoever may open the socket is the local user, who may do everything; what it sends beside that does not count.
  for (const credential of ['', 'Bearer wrong'])
    expect(opened((await send(credential, { socketPath })).status), credential).toBe(true);
});

test('names that are not there look like those that are not for the caller, unless it may know all', async () => {
  const { gateway } = await door();
  const status = async (path: string, name: string): Promise<number> =>
    (await raw(gateway.url, { method: 'POST', path, headers: { Authorization: `Bearer tok-${name}` } })).status;
  for (const path of ['/projects/none/mcp', '/servers/none/mcp', '/projects/none/messages'])
    expect([path, await status(path, 'elsewhere'), await status(path, 'unbound'), await status(path, 'admin')]).toEqual(
      [path, 403, 403, 404],
    );
  expect(await status('/projects/dev/mcp', 'elsewhere')).toBe(403);
  expect(opened(await status('/projects/ops/mcp', 'elsewhere'))).toBe(true);
  for (const path of ['/', '/none', '/mcp/', '/projects//mcp', '/projects/dev/mcp/x', '/%6dcp', '//mcp'])
    expect([path, await status(path, 'admin')]).toEqual([path, 404]);
});

test('a method that a route does not have is told only to those who may come in', async () => {
  const { gateway } = await door();
  for (const row of ROUTES.filter(({ methods }) => methods !== undefined)) {
    const path = SAMPLES[row.pattern] ?? '';
    const put = (token: string): ReturnType<typeof raw> =>
      raw(gateway.url, { method: 'PUT', path, headers: { Authorization: `Bearer ${token}` } });
    expect([path, (await put('tok-admin')).status]).toEqual([path, 405]);
    expect([path, (await put('wrong')).status]).toEqual([path, row.access === 'public' ? 405 : 401]);
  }
});

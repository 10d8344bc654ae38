/** The life of a token: made, used, listed, rotated, revoked; and what it never does. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Directory } from '../../gateway/auth/directory.ts';
import { Tokens } from '../../gateway/auth/tokens.ts';
import { Usage } from '../../gateway/auth/usage.ts';
import { NO_ACCESS } from '../../schemas/access.ts';
import type { Principal } from '../../schemas/snapshot.ts';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { listen, MCP_HEADERS, principal, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { cli, type Said } from '../helpers/cli.ts';
import { Desk } from '../helpers/slipway.ts';
import { bound } from './helpers/identities.ts';

const hello = { 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') };
const project = 'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: dev }\nspec: { servers: [hello] }\n';

async function status(url: string, token: string, path = '/mcp'): Promise<number> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
  const headers = { ...MCP_HEADERS, Authorization: `Bearer ${token}` };
  return (await raw(url, { method: 'POST', path, headers, body })).status;
}

/** `slipway token …`, by somebody who stands in the config. */
const tokenCommand = (desk: Desk, ...args: string[]): Promise<Said> =>
  cli(['token', ...args, '--state-dir', desk.state], { cwd: desk.config });
const isValid = async (desk: Desk): Promise<boolean> => (await cli(['validate'], { cwd: desk.config })).code === 0;

describe('on the command line', () => {
  test('create writes the hash, commits just that file, and shows the token once, on stdout', async () => {
    await using desk = new Desk();
    desk.push({ ...hello, 'dev.yaml': project });
    desk.write({ 'unfinished.yaml': '# somebody is at work here\n' });
    desk.git(desk.config, 'add', 'unfinished.yaml');
    const args = [
      '--role',
      'read,member',
      '--scopes',
      ' Session_Mutations, sessionmutations,audit ',
      '--project',
      'dev',
    ];
    const made = await tokenCommand(desk, 'create', 'ci', ...args, '--expires', '90d');
    expect([made.code, made.out]).toEqual([0, expect.stringMatching(/^slw_[\w-]{43}$/)]);
    expect(made.err).not.toContain(made.out);
    const text = readFileSync(join(desk.config, 'tokens/ci.yaml'), 'utf8');
    expect(text).not.toContain(made.out);
    expect(parse(text)).toMatchObject({
      kind: 'Token',
      metadata: { name: 'ci' },
      spec: {
        sha256: createHash('sha256').update(made.out).digest('hex'),
        roles: ['read', 'member'],
        scopes: ['sessionMutations', 'audit'],
        projects: ['dev'],
        expiresAt: expect.any(String),
      },
    });
    expect(desk.git(desk.config, 'log', '-1', '--format=%s', '--name-only')).toBe('Add token ci\n\ntokens/ci.yaml');
    expect(desk.git(desk.config, 'status', '--porcelain')).toBe('A  unfinished.yaml');
    expect(await isValid(desk)).toBe(true);
  });

  test('what there is not is refused, with a list of what there is; so is a name that is taken', async () => {
    await using desk = new Desk();
    desk.push({ ...hello, 'dev.yaml': project });
    const refused = async (...args: string[]): Promise<string> => {
      const result = await tokenCommand(desk, 'create', ...args);
      expect([result.code, result.out]).toEqual([args.includes('taken') ? 1 : 64, '']);
      return result.err;
    };
    expect(await refused('x', '--role', 'boss')).toMatch(/no role boss.*\n.*viewer, member, admin, owner/);
    expect(await refused('x', '--scopes', 'search,everything')).toMatch(/no scope everything.*\n.*search, graph/);
    expect(await refused('x', '--project', 'deb')).toMatch(/no project deb.*\n.*There is: dev/);
    expect(await refused('x', '--expires', 'soon')).toContain('no duration');
    expect(await refused('x', '--expires', '999999999d')).toContain('ends after the year 9999');
    expect(await refused('x', '--expires', '0s')).toContain('leaves it no time');
    expect(await refused('X')).toContain('no name');
    desk.push({
      'odd-place.yaml': `apiVersion: slipway/v1\nkind: Token\nmetadata: { name: taken }\nspec: { sha256: ${'a'.repeat(64)} }\n`,
    });
    expect(await refused('taken')).toContain('odd-place.yaml');
    expect(desk.git(desk.config, 'status', '--porcelain')).toBe('');
  });

  test('rotate and revoke change their own document, and leave what stands beside it', async () => {
    await using desk = new Desk();
    const beside = `# about b\napiVersion: slipway/v1\nkind: Token\nmetadata: { name: b }\nspec: {sha256: ${'b'.repeat(64)}}   # odd\n`;
    const file = `# about a\napiVersion: slipway/v1\nkind: Token\nmetadata: { name: a }\nspec:\n  # its hash\n  sha256: ${'a'.repeat(64)}\n---\n${beside}`;
    desk.push({ ...hello, 'tokens.yaml': file });
    const rotated = await tokenCommand(desk, 'rotate', 'a', '--overlap', '1h');
    expect(rotated.out).toMatch(/^slw_/);
    const after = readFileSync(join(desk.config, 'tokens.yaml'), 'utf8');
    const [first = '', second] = after.split('---\n');
    expect([first.startsWith('# about a\n'), first.includes('# its hash'), second]).toEqual([true, true, beside]);
    expect(parse(first)).toMatchObject({
      spec: {
        sha256: createHash('sha256').update(rotated.out).digest('hex'),
        previous: { sha256: 'a'.repeat(64), until: expect.any(String) },
      },
    });
    expect(await isValid(desk)).toBe(true);
    expect((await tokenCommand(desk, 'rotate', 'a', '--no-commit')).code).toBe(0);
    expect(readFileSync(join(desk.config, 'tokens.yaml'), 'utf8')).not.toContain('previous');
    expect(desk.git(desk.config, 'status', '--porcelain')).toBe('M tokens.yaml');
    expect((await tokenCommand(desk, 'revoke', 'a')).code).toBe(0);
    expect(readFileSync(join(desk.config, 'tokens.yaml'), 'utf8')).toBe(beside);
    expect(desk.git(desk.config, 'log', '-1', '--format=%s')).toBe('Revoke token a');
    expect((await tokenCommand(desk, 'revoke', 'a')).err).toContain('[not-found]');
    expect((await tokenCommand(desk, 'revoke', 'b')).code).toBe(0);
    expect(desk.files(desk.config)).not.toContain('tokens.yaml');
  });

  test('revoke makes one that others name worthless at once, and deletes it when nobody names it any more', async () => {
    await using desk = new Desk();
    const group = `apiVersion: slipway/v1\nkind: Group\nmetadata: { name: bots }\nspec: { members: [{ kind: Token, name: ci }] }\n`;
    const previous = `{ sha256: ${'b'.repeat(64)}, until: 2100-01-01T00:00:00.000Z }`;
    const spec = `{ sha256: ${'a'.repeat(64)}, previous: ${previous} }`;
    desk.push({
      ...hello,
      'groups.yaml': group,
      'tokens.yaml': `apiVersion: slipway/v1\nkind: Token\nmetadata: { name: ci }\nspec: ${spec}\n`,
    });
    const revoked = await tokenCommand(desk, 'revoke', 'ci');
    expect([revoked.code, revoked.err]).toEqual([0, expect.stringContaining('named by Group/bots (groups.yaml:1)')]);
    const written = parse(readFileSync(join(desk.config, 'tokens.yaml'), 'utf8')) as { spec: { expiresAt: string } };
    expect(written.spec).toEqual({ sha256: 'a'.repeat(64), expiresAt: expect.any(String) });
    expect(Date.parse(written.spec.expiresAt)).toBeLessThanOrEqual(Date.now());
    expect(await isValid(desk)).toBe(true);
    const rotated = await tokenCommand(desk, 'rotate', 'ci');
    expect([rotated.code, rotated.err]).toEqual([64, expect.stringContaining('has expired')]);
    desk.push({ 'groups.yaml': group.replace('{ kind: Token, name: ci }', '') });
    expect((await tokenCommand(desk, 'revoke', 'ci')).code).toBe(0);
    expect(desk.files(desk.config)).not.toContain('tokens.yaml');
  });
});

test('against a running Slipway: used, listed, rotated with an overlap, revoked within one sync', async () => {
  await using desk = new Desk();
  desk.push(hello);
  const push = async (): Promise<void> => {
    desk.git(desk.config, 'push', '--quiet', 'origin', 'HEAD:main');
    expect((await desk.sync()).code).toBe(0);
  };
  const first = (await tokenCommand(desk, 'create', 'ci')).out;
  desk.git(desk.config, 'push', '--quiet', 'origin', 'HEAD:main');
  let running = await desk.up();
  let url = await running.serving;
  expect((await tokenCommand(desk, 'list')).out).toMatch(/ci +member +- +all +never +never +tokens\/ci.yaml:1/);
  expect(await status(url, first)).toBe(200);
  expect((await tokenCommand(desk, 'list')).out).toMatch(/ci .* \d+[sm] ago /);

  // When it was used is known after a restart, and nobody has to write it down while calls run.
  await running.stop();
  expect(JSON.parse(readFileSync(join(desk.state, 'last-used.json'), 'utf8'))).toEqual({ ci: expect.any(Number) });
  running = await desk.up();
  url = await running.serving;
  expect((await cli(['get', 'tokens', '--state-dir', desk.state], { cwd: desk.config })).out).toMatch(
    /ci .* \d+[sm] ago /,
  );
  expect((await cli(['describe', 'token', 'ci', '--state-dir', desk.state], { cwd: desk.config })).out).toMatch(
    /Last used: \d+[sm] ago/,
  );

  const second = (await tokenCommand(desk, 'rotate', 'ci', '--overlap', '1h')).out;
  await push();
  expect([await status(url, first), await status(url, second)]).toEqual([200, 200]);
  const third = (await tokenCommand(desk, 'rotate', 'ci')).out;
  await push();
  const all = (): Promise<number[]> => Promise.all([first, second, third].map((one) => status(url, one)));
  expect(await all()).toEqual([401, 401, 200]);
  await tokenCommand(desk, 'create', 'other');
  expect((await tokenCommand(desk, 'revoke', 'ci')).code).toBe(0);
  await push();
  expect(await all()).toEqual([401, 401, 401]);
  expect(running.log).not.toContain('slw_');
});

describe('at the gateway', () => {
  const servers = { a: { unavailable: { code: 'x', message: 'x' } } };

  test('a token that was replaced works until the overlap is over, and its open streams end with it', async () => {
    const old = (until: number): object => ({ previous: { sha256: principal('x', 'old').sha256, until } });
    await using gateway = await start({ servers, principals: [principal('ci', 'old')] });
    const { id } = await session(gateway.url, { token: 'old' });
    const stream = await listen(gateway.url, id, '/mcp', undefined, 'old');
    const ended = new Promise((end) => stream.answer.once('end', end));
    await gateway.swap(snapshot({ servers, principals: [principal('ci', 'new', old(Date.now() + 60_000))] }));
    expect([await status(gateway.url, 'old'), await status(gateway.url, 'new')]).toEqual([200, 200]);
    await gateway.swap(snapshot({ servers, principals: [principal('ci', 'new', old(Date.now() - 1))] }));
    await ended;
    expect([await status(gateway.url, 'old'), await status(gateway.url, 'new')]).toEqual([401, 200]);
  });

  test('no overlap outlives the token’s own end', async () => {
    const previous = { sha256: principal('x', 'old').sha256, until: Date.now() + 60_000 };
    const principals = [principal('ci', 'new', { previous, expiresAt: Date.now() - 1 })];
    await using gateway = await start({ servers, principals });
    expect([await status(gateway.url, 'old'), await status(gateway.url, 'new')]).toEqual([401, 401]);
  });

  test('guessing: a wrong token costs as much however many there are, and however near it is', () => {
    const hashed = (n: number): Principal => principal(`t${n}`, `token-${n}`);
    const known = (count: number): Tokens => {
      const tokens = Array.from({ length: count }, (_, n) => hashed(n));
      return new Tokens(tokens, new Directory([], []), NO_ACCESS, new Usage());
    };
    const right = hashed(0).sha256;
    const near = `${right.slice(0, 62)}${right.endsWith('00') ? '11' : '00'}`;
    const [few, many] = [known(1), known(20_000)];
    const cases = [
      { tokens: few, hex: right },
      { tokens: few, hex: near },
      { tokens: many, hex: near },
      { tokens: many, hex: hashed(-1).sha256 },
    ].map((one) => ({ ...one, best: Infinity }));
    expect(cases.map(({ tokens, hex }) => tokens.find(hex)?.name)).toEqual(['t0', ...Array(3)]);
    // In turns, and the best of many: what else the machine does hits all of them.
    for (let round = 0; round < 60; round++)
      for (const each of cases) {
        const began = performance.now();
        for (let n = 0; n < 2000; n++) each.tokens.find(each.hex);
        each.best = Math.min(each.best, performance.now() - began);
      }
    const times = cases.map(({ best }) => best);
    expect(Math.max(...times) / Math.min(...times)).toBeLessThan(4);
  });

  test('guessing: no answer tells a wrong token from a malformed one, and none counts as a use', async () => {
    await using gateway = await start({ servers, principals: [principal('ci', 'right')] });
    const wrong = ['wrong', 'Right', 'slw_', 'a.b.c', principal('', 'right').sha256, 'x'.repeat(4000)];
    const answers = await Promise.all(
      wrong.map((token) => raw(gateway.url, { path: '/mcp', headers: { Authorization: `Bearer ${token}` } })),
    );
    expect(new Set(answers.map(({ json }) => `${json.error_code}: ${String(json.error)}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(401);
    expect([...gateway.lastUsed().keys()]).toEqual([]);
    expect(await status(gateway.url, 'right')).toBe(200);
    expect([...gateway.lastUsed().keys()]).toEqual(['ci']);
  });

  test.each([
    ['nothing', undefined, 'No token was given.'],
    ['another scheme', 'Basic Y2k6cmlnaHQ=', 'The scheme must be Bearer.'],
    ['a scheme alone', 'Bearer', 'The Authorization header is malformed.'],
    ['two tokens', 'Bearer right right', 'The Authorization header is malformed.'],
    ['an unknown token', 'bearer wrong', 'The token is not known.'],
    ['a token that has expired', 'Bearer old', 'The token has expired.'],
  ])('%s: 401 says what is wrong', async (_, header, error) => {
    const principals = [principal('ci', 'right'), principal('past', 'old', { expiresAt: Date.now() - 1 })];
    await using gateway = await start({ servers, principals });
    const answer = await raw(gateway.url, {
      path: '/mcp',
      headers: header === undefined ? {} : { Authorization: header },
    });
    expect([answer.status, answer.json]).toEqual([401, expect.objectContaining({ error, error_code: 'unauthorized' })]);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  test('a Token is in the Groups that name it, and has what they are bound to', async () => {
    await using gateway = await start({
      servers,
      principals: [principal('ci', 'tok', { roles: [] }), principal('eve', 'other', { roles: [] })],
      groups: [{ name: 'robots', users: [], tokens: ['ci'], claims: [] }],
      access: bound({ kind: 'Group', name: 'robots', role: 'member' }),
    });
    expect([await status(gateway.url, 'tok'), await status(gateway.url, 'other')]).toEqual([200, 403]);
  });

  test('a Token of the control API needs something to look at there: scopes alone are nothing', async () => {
    const control = async (): Promise<{ status: number; body: object }> => ({ status: 200, body: {} });
    const principals = [
      principal('plain', 'plain', { roles: [], scopes: ['search'] }),
      principal('boss', 'boss', { roles: ['member'] }),
    ];
    await using gateway = await start({ servers, principals }, { control });
    const ask = async (token: string): Promise<number> =>
      (await raw(gateway.url, { path: '/api/v1/status', headers: { Authorization: `Bearer ${token}` } })).status;
    expect([await status(gateway.url, 'boss'), await ask('plain'), await ask('boss')]).toEqual([200, 403, 200]);
  });
});

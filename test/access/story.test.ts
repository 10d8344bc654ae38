/** The story of `examples/permissions`, told with the program itself: git, tokens over TCP, can-i, explain. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ALL, type Abilities, type CanI, type Denial, type EventRow, type History } from '../../schemas/operate.ts';
import type { Status } from '../../schemas/status.ts';
import { client, raw } from '../gateway/helpers/gateway.ts';
import { Desk, type Result } from '../helpers/slipway.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/permissions', import.meta.url));
const files = Object.fromEntries(
  readdirSync(EXAMPLE, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(yaml|mjs)$/.test(path))
    .map((path) => [path, readFileSync(join(EXAMPLE, path), 'utf8')]),
);
const TIMEOUT = 120_000;

async function tools(url: string, route: string, token: string): Promise<string[]> {
  await using sdk = await client(`${url}${route}`, token);
  return (await sdk.listTools()).tools.map(({ name }) => name.replace('notes__', ''));
}

test('the example does what its README says, and says why', { timeout: TIMEOUT }, async () => {
  await using desk = new Desk();
  const commit = desk.push(files);
  const url = await (await desk.up()).serving;
  // Routes are there before servers are ready.
  expect((await desk.sync()).code).toBe(0);
  const slipway = (...args: string[]): Promise<Result> => desk.slipway([...args, '--state-dir', desk.state]);
  const api = async <T>(
    name: string,
    path: string,
    method = 'GET',
  ): Promise<{ status: number; body: T; text: string }> => {
    const answer = await raw(`${url}`, {
      method,
      path: `/api/v1${path}`,
      headers: { Authorization: `Bearer example-${name}` },
    });
    return { status: answer.status, body: answer.json as T, text: answer.text };
  };

  expect(await tools(url, '/projects/dev/mcp', 'example-dev')).toEqual(['list_notes', 'get_note', 'save_note']);
  expect(await tools(url, '/mcp', 'example-minutes')).toEqual(['list_notes', 'get_note', 'save_note']);
  expect(await tools(url, '/servers/notes/mcp', 'example-admin')).toEqual([
    'list_notes',
    'get_note',
    'save_note',
    'delete_note',
  ]);
  const outside = await raw(url, { path: '/servers/notes/mcp', headers: { Authorization: 'Bearer example-dev' } });
  expect([outside.status, outside.json.error_code]).toEqual([403, 'forbidden']);

  // A blocked call, and what is told of it to the caller, to the operator, and to somebody else.
  await using dev = await client(`${url}/projects/dev/mcp`, 'example-dev');
  const blocked = await dev.callTool({ name: 'notes__delete_note', arguments: { title: 'welcome' } });
  const [{ text }] = blocked.content as [{ text: string }];
  expect(text).toContain('Details: Ask an admin to delete it.');
  const id = /name the request (\S+)\.$/.exec(text)?.[1] ?? '';
  const line = files['slipway.yaml']?.split('\n').findIndex((one) => one.includes('delete_*')) ?? NaN;
  // It may look at the project, and so at its rules, but not at the gateway and its floor.
  expect(text).toContain(`Rule: slipway.yaml:${line + 1}, commit ${commit.slice(0, 12)}.`);
  const wiped = await dev.callTool({ name: 'notes__wipe', arguments: {} });
  expect(JSON.stringify(wiped)).toMatch(/Nothing is wiped(?!.*slipway\.yaml)/);
  const told = await slipway('explain', 'denied', id);
  expect(told.out + told.err).toContain('token:dev');
  expect(told.out).toContain('notes:delete_note');
  expect(told.out).toContain(`It stands at slipway.yaml:${line + 1}.`);
  expect(told.out).toContain(commit.slice(0, 12));
  const denial = await api<Denial>('admin', `/denied/${id}`);
  expect(denial.body).toMatchObject({
    requestId: id,
    reason: 'blocked',
    commit,
    decision: { level: 'project', rule: { pattern: 'delete_*' } },
  });
  expect([(await api('minutes', `/denied/${id}`)).status, (await api('admin', '/denied/no-such')).status]).toEqual([
    403, 404,
  ]);

  // So does any other refusal.
  for (const [path, why] of [
    ['/api/v1/resources/tokens', 'No role of yours may view tokens.'],
    ['/metrics', 'This needs the scope audit.'],
    ['/servers/notes/mcp', 'The caller may not do this.'],
  ] as const) {
    const refused = await raw(url, { path, headers: { Authorization: 'Bearer example-dev' } });
    const said = (await slipway('explain', 'denied', String(refused.headers['x-request-id']))).out;
    for (const part of ['token:dev', why, 'has the roles member', 'access.yaml:', commit.slice(0, 12)])
      expect([path, said]).toEqual([path, expect.stringContaining(part)]);
  }
  const stranger = await raw(url, { path: '/mcp', headers: { Authorization: 'Bearer wrong' } });
  expect((await slipway('explain', 'denied', String(stranger.headers['x-request-id']))).out).toContain(
    'The token is not known.',
  );

  // The same decision, asked for beforehand.
  const no = await slipway('auth', 'can-i', 'call', 'notes/delete_note', '--as', 'token:dev', '--project', 'dev');
  expect([no.code, no.out]).toEqual([
    1,
    expect.stringContaining(`at slipway.yaml:${line + 1}, commit ${commit.slice(0, 12)}`),
  ]);
  const yes = await slipway('auth', 'can-i', 'view', 'servers/notes', '--as', 'token:minutes');
  expect([yes.code, yes.out]).toEqual([0, expect.stringMatching(/^yes\n.*RoleBinding minutes[^]*access\.yaml:/)]);
  const typo = await slipway('auth', 'can-i', 'vew', 'servers');
  expect([typo.code, typo.err]).toEqual([64, expect.stringContaining('Did you mean view?')]);
  expect((await slipway('auth', 'can-i', '--list', '--as', 'token:minutes')).out).toMatch(/Roles +scribe\n/);
  const can = async (verb: string, thing: string, as: string, more = ''): Promise<string> => {
    const { body } = await api<CanI>('admin', `/auth/can-i?verb=${verb}&thing=${thing}&as=${as}${more}`);
    return `${body.allowed ? 'yes' : 'no'}: ${body.reason}`;
  };
  expect(await can('call', 'notes/save_note', 'token:dev', '&project=dev')).toMatch(/^yes/);
  expect(await can('call', 'notes/save_note', 'token:dev')).toMatch(/^no: no role lets the caller use the server/);
  expect(await can('call', 'notes:wipe', 'local')).toContain('the floor of the gateway');
  expect(await can('call', 'notes::delete_note', 'token:minutes')).toContain(
    'only tools that say that they change nothing',
  );
  expect(await can('call', 'notes/none', 'token:admin')).toContain('has no such tool');
  expect(await can('run', 'sync', 'token:minutes')).toMatch(/^no/);
  expect(await can('scope', 'audit', 'token:admin')).toMatch(/^yes/);
  // Whatever it is about, the answer says where what decides is written.
  const lines = (file: string): string[] => files[file]?.split('\n') ?? [];
  const bound = [`access.yaml:${lines('access.yaml').indexOf('kind: RoleBinding')}`];
  const own = [`tokens.yaml:${lines('tokens.yaml').lastIndexOf('kind: Token')}`];
  const placesOf = async (verb: string, thing: string, as: string, more = ''): Promise<readonly string[]> =>
    (await api<CanI>('admin', `/auth/can-i?verb=${verb}&thing=${thing}&as=${as}${more}`)).body.places;
  expect(await placesOf('call', 'notes/save_note', 'token:dev', '&project=dev')).toEqual(bound);
  expect(await placesOf('call', 'notes/save_note', 'token:dev')).toEqual(bound);
  for (const [verb, thing] of [
    ['run', 'sync'],
    ['run', 'logs/notes'],
    ['scope', 'audit'],
    ['view', 'tokens'],
    ['call', 'notes/save_note'],
  ] as const)
    expect([verb, thing, await placesOf(verb, thing, 'token:admin')]).toEqual([verb, thing, own]);
  expect(await can('run', 'logs/notes', 'token:minutes')).toMatch(/^yes/);
  expect((await api('admin', '/auth/can-i?verb=view&thing=servers&as=token:mintes')).text).toContain(
    'Did you mean token:minutes?',
  );
  expect((await api<Abilities>('admin', '/auth/can-i?list=true&as=group:developers')).body).toMatchObject({
    roles: ['member'],
    rules: [
      { role: 'member', verbs: ['view', 'run'], projects: ['dev'] },
      { role: 'member', verbs: ['create'], resources: ['proposals'], projects: ['dev'] },
    ],
  });

  // Each asks for itself, and may not ask for others without leave.
  expect((await api<CanI>('dev', '/auth/can-i?verb=view&thing=tokens')).body).toMatchObject({
    allowed: false,
    principal: 'token:dev',
    places: [],
  });
  expect((await api('dev', '/auth/can-i?verb=view&thing=servers&as=token:admin')).text).toContain('impersonate');

  // The control API: a share for each.
  for (const name of ['minutes', 'dev']) {
    const share = await desk.slipway(['get', 'all', '-o', 'name', '--server', url, '--token', `example-${name}`]);
    expect([name, share.out.split('\n')]).toEqual([name, ['project/dev', 'server/notes']]);
  }
  const statusOf = async (name: string, path: string, method?: string): Promise<number> =>
    (await api(name, path, method)).status;
  for (const path of ['/status', '/resources', '/resources/servers/notes', '/stats', '/logs/Server/notes'])
    expect([path, await statusOf('dev', path), await statusOf('minutes', path), await statusOf('admin', path)]).toEqual(
      [path, path.startsWith('/logs') ? 403 : 200, 200, 200],
    );
  for (const path of [
    '/actual',
    '/orphans',
    '/audit',
    '/resources/tokens',
    '/resources/tokens/admin',
    '/history/tokens/admin',
    '/resources/roles/none',
  ])
    for (const name of ['dev', 'minutes']) expect([path, name, await statusOf(name, path)]).toEqual([path, name, 403]);
  for (const path of ['/sync', '/prune'])
    for (const name of ['dev', 'minutes'])
      expect([path, name, await statusOf(name, path, 'POST')]).toEqual([path, name, 403]);
  expect(await statusOf('admin', '/resources/roles/none')).toBe(404);
  // What may not be called is not seen here either, but by those who may see the rules.
  const [open, shut] = [
    ['list_notes', 'get_note', 'save_note'],
    ['delete_note', 'wipe'],
  ];
  for (const [name, there] of [
    ['dev', open],
    ['minutes', open],
    ['admin', [...open, ...shut]],
  ] as const)
    expect((await api<Status>(name, '/status')).body.servers).toMatchObject([{ name: 'notes', tools: there }]);
  const eventsOf = async (name: string): Promise<Set<string>> =>
    new Set((await api<EventRow[]>(name, '/events')).body.map(({ about }) => about));
  expect([await eventsOf('dev'), await eventsOf('admin')]).toEqual([
    new Set(['Server/notes']),
    new Set(['Server/notes', ALL]),
  ]);
  expect((await api<History>('dev', '/history/servers/notes')).body.change).toEqual({
    id: commit,
    at: expect.any(String),
  });
  expect((await api<History>('admin', '/history/servers/notes')).body.change).toMatchObject({ subject: 'a change' });

  const status = (await desk.slipway(['status', '--server', url, '--token', 'example-dev'])).out;
  expect(status).toMatch(/^Ready \(Succeeded\)\nSource   looked at .*\nApplied  [0-9a-f]{12}, \S+ ago\n/);

  // A commit that takes a right away is in force with its sync; one that cannot be read changes nothing.
  desk.push({ 'access.yaml': files['access.yaml']?.replace('role: scribe', 'role: scrib') });
  expect((await desk.sync()).err).toContain('Did you mean scribe?');
  expect(await tools(url, '/mcp', 'example-minutes')).toHaveLength(3);
  desk.push({ 'access.yaml': files['access.yaml']?.replace(/---\n# The agent[^]*$/, '') });
  expect((await desk.sync()).code).toBe(0);
  const gone = await raw(url, { path: '/mcp', headers: { Authorization: 'Bearer example-minutes' } });
  expect(gone.status).toBe(403);
});

/** The story of `examples/permissions`, told with the program itself: git, tokens over TCP, can-i, explain. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Abilities, CanI, Denial } from '../../schemas/operate.ts';
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
  const slipway = (...args: string[]): Promise<Result> => desk.slipway([...args, '--state-dir', desk.state]);
  const over = (name: string, ...args: string[]): Promise<Result> =>
    desk.slipway([...args, '--server', url, '--token', `example-${name}`]);

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
  expect(text).not.toContain('slipway.yaml');
  const id = /explain denied (\S+)`/.exec(text)?.[1] ?? '';
  const line = files['slipway.yaml']?.split('\n').findIndex((one) => one.includes('delete_*')) ?? NaN;
  const told = await slipway('explain', 'denied', id);
  expect(told.out).toContain('token:dev');
  expect(told.out).toContain('notes:delete_note');
  expect(told.out).toContain(`It stands at slipway.yaml:${line + 1}.`);
  expect(told.out).toContain(commit.slice(0, 12));
  const data = JSON.parse((await slipway('explain', 'denied', id, '-o', 'json')).out) as Denial;
  expect(data).toMatchObject({
    requestId: id,
    reason: 'blocked',
    commit,
    decision: { level: 'project', rule: { pattern: 'delete_*' } },
  });
  expect((await over('minutes', 'explain', 'denied', id)).err).toContain('[forbidden]');
  expect((await slipway('explain', 'denied', 'no-such')).err).toContain('[not-found]');

  // The same decision, asked for beforehand.
  const can = async (...args: string[]): Promise<[number | null, string]> => {
    const { code, out } = await slipway('auth', 'can-i', ...args);
    return [code, out];
  };
  expect(await can('call', 'notes/save_note', '--as', 'token:dev', '--project', 'dev')).toEqual([
    0,
    expect.stringMatching(/^yes\n/),
  ]);
  const [code, no] = await can('call', 'notes/delete_note', '--as', 'token:dev', '--project', 'dev');
  expect([code, no]).toEqual([
    1,
    expect.stringContaining(`at slipway.yaml:${line + 1}, commit ${commit.slice(0, 12)}`),
  ]);
  expect((await can('call', 'notes/save_note', '--as', 'token:dev'))[0]).toBe(1);
  expect((await can('call', 'notes/wipe'))[1]).toContain('the floor of the gateway');
  expect((await can('call', 'notes::delete_note', '--as', 'token:minutes'))[1]).toContain(
    'only tools that say that they change nothing',
  );
  expect(await can('view', 'servers/notes', '--as', 'token:minutes')).toEqual([
    0,
    expect.stringMatching(/RoleBinding minutes[^]*access\.yaml:/),
  ]);
  expect((await can('run', 'sync', '--as', 'token:minutes'))[0]).toBe(1);
  expect((await can('scope', 'audit', '--as', 'token:admin'))[0]).toBe(0);
  expect((await can('vew', 'servers'))[1] + (await slipway('auth', 'can-i', 'vew', 'servers')).err).toContain(
    'Did you mean view?',
  );
  expect((await slipway('auth', 'can-i', 'view', 'servers', '--as', 'token:mintes')).err).toContain(
    'Did you mean token:minutes?',
  );
  const list = JSON.parse(
    (await slipway('auth', 'can-i', '--list', '--as', 'group:developers', '-o', 'json')).out,
  ) as Abilities;
  expect(list).toMatchObject({ roles: ['member'], rules: [{ role: 'member', verbs: ['run'], projects: ['dev'] }] });

  // Over TCP each token asks for itself, and may not ask for others without leave.
  const own = JSON.parse((await over('dev', 'auth', 'can-i', 'view', 'servers', '-o', 'json')).out) as CanI;
  expect(own).toMatchObject({ allowed: false, principal: 'token:dev', places: [] });
  expect((await over('dev', 'auth', 'can-i', 'view', 'servers', '--as', 'token:admin')).err).toContain('impersonate');

  // The control API: a share for each.
  expect((await over('dev', 'get', 'servers')).err).toContain('[forbidden]');
  expect((await over('minutes', 'get', 'all', '-o', 'name')).out.split('\n')).toEqual(['project/dev', 'server/notes']);
  expect((await over('minutes', 'get', 'tokens', '-o', 'name')).out).toBe('');
  expect((await over('minutes', 'sync')).err).toContain('operation sync');
  expect((await over('minutes', 'prune', '--yes')).err).toContain('operation prune');
  expect((await over('minutes', 'logs', 'notes')).code).toBe(0);
  const status = JSON.parse((await over('minutes', 'status', '-o', 'json')).out) as Status;
  expect(status.servers.map(({ name }) => name)).toEqual(['notes']);
  expect((await over('admin', 'get', 'tokens', '-o', 'name')).out.split('\n')).toHaveLength(3);
  expect((await over('admin', 'sync', '--wait')).code).toBe(0);

  // A commit that takes a right away is in force with its sync; one that cannot be read changes nothing.
  desk.push({ 'access.yaml': files['access.yaml']?.replace('role: scribe', 'role: scrib') });
  expect((await desk.sync()).err).toContain('Did you mean scribe?');
  expect(await tools(url, '/mcp', 'example-minutes')).toHaveLength(3);
  desk.push({ 'access.yaml': files['access.yaml']?.replace(/---\n# The agent[^]*$/, '') });
  expect((await desk.sync()).code).toBe(0);
  const gone = await raw(url, { path: '/mcp', headers: { Authorization: 'Bearer example-minutes' } });
  expect(gone.status).toBe(403);
});

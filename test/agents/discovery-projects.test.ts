/** What a project says of its tools: which are shown and how, and what is told when that changes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Gateway } from '../../gateway/index.ts';
import { listen, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';
import { codeServer, discovering } from './helpers/discovering.ts';

let code: Upstream;
let tiny: Upstream;
let gateway: Gateway;

beforeAll(async () => {
  [code, tiny] = await Promise.all([codeServer(), socketUpstream('tiny')]);
  gateway = await start(snapshot(discovering({ code, tiny })));
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await Promise.all([code, tiny].map((one) => one[Symbol.asyncDispose]()));
});

test('who is not told of tools is not told that they changed, but of another way to list them', async () => {
  const changing = await socketUpstream('changing');
  await using own = await start(
    snapshot({
      servers: { changing: changing.endpoint },
      routes: {
        '/projects/lazy/mcp': { project: 'lazy', servers: ['changing'], separator: '__', discovery: { mode: 'lazy' } },
      },
    }),
  );
  const { id, rpc } = await session(own.url, { path: '/projects/lazy/mcp' });
  await rpc('tools/call', { name: 'list_commands', arguments: {} });
  const heard = await listen(own.url, id, '/projects/lazy/mcp');
  changing.tools.push({ name: 'more', description: '', inputSchema: { type: 'object' } });
  changing.say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  await expect
    .poll(async () => JSON.stringify((await rpc('tools/call', { name: 'list_commands', arguments: {} })).json.result))
    .toContain('more');
  await own.swap(
    snapshot({
      servers: { changing: changing.endpoint },
      routes: {
        '/projects/lazy/mcp': {
          project: 'lazy',
          servers: ['changing'],
          separator: '__',
          discovery: { mode: 'search' },
        },
      },
    }),
  );
  // The first that is heard is about the other mode: of the tool there was nothing.
  expect(await heard.next()).toMatchObject({ method: 'notifications/tools/list_changed' });
  expect(JSON.stringify((await rpc('tools/list')).json.result)).toContain('find_tools');
  heard.close();
  await changing[Symbol.asyncDispose]();
});

test('a project says what tools are called, what they do and which are shown; rules and servers know their own names', async () => {
  const route = {
    project: 'dev',
    servers: ['code', 'tiny'],
    separator: '__',
    overrides: {
      code: {
        prefix: 'gh_',
        hide: ['search_*'],
        tools: { createIssue: { name: 'open_ticket', description: 'Opens a ticket.' } },
      },
      tiny: { prefix: '', hide: ['*'] },
    },
  };
  const { servers = {}, access = {} } = discovering({ code, tiny });
  await using own = await start(
    snapshot({
      servers,
      access,
      routes: {
        '/projects/dev/mcp': route,
        '/projects/lazy/mcp': { ...route, discovery: { mode: 'lazy' } },
      },
    }),
  );
  const { rpc } = await session(own.url, { path: '/projects/dev/mcp' });
  const { tools } = (await rpc('tools/list')).json.result as { tools: { name: string; description: string }[] };
  expect(tools.map(({ name, description }) => [name, description])).toEqual([
    ['gh_open_ticket', 'Opens a ticket.'],
    ['gh_echo', 'Echoes.'],
  ]);
  const called = async (name: string, args: object = {}): Promise<string> =>
    JSON.stringify((await rpc('tools/call', { name, arguments: args })).json);
  expect(await called('gh_echo', { text: 'hi' })).toContain('code:hi');
  await called('gh_open_ticket', { repo: 'x' });
  const last = code.seen.at(-1);
  expect(last && 'params' in last ? last.params : {}).toMatchObject({ name: 'createIssue', arguments: { repo: 'x' } });
  expect(await called('gh_delete_repo')).toContain('Nobody deletes.');
  for (const name of ['gh_search_code', 'gh_createIssue', 'code__echo', 'echo', 'who'])
    expect(await called(name)).toContain(`Unknown tool: ${name}`);

  const lazy = await session(own.url, { path: '/projects/lazy/mcp' });
  const asked = async (name: string, args: object): Promise<string> =>
    JSON.stringify((await lazy.rpc('tools/call', { name, arguments: args })).json.result);
  const listed = await asked('list_commands', { server: 'code' });
  expect(listed).toContain('open_ticket');
  expect(listed).not.toMatch(/createIssue|search_code|delete_repo/);
  expect(await asked('describe_commands', { server: 'code', command_names: ['gh_open_ticket'] })).toContain(
    'Opens a ticket.',
  );
  expect(await asked('invoke_command', { server: 'code', command_name: 'echo', text: 'hi' })).toContain('code:hi');
  expect(await asked('invoke_command', { server: 'code', command_name: 'search_code', query: 'x' })).toContain(
    'has no command',
  );
});

test('a project says how a client is set up, and what to tell a model', async () => {
  const path = '/projects/lazy/mcp-config';
  const headers = { Authorization: 'Bearer secret' };
  expect((await raw(gateway.url, { path })).status).toBe(401);
  expect(JSON.parse((await raw(gateway.url, { path, headers })).text)).toEqual({
    mcpServers: {
      lazy: {
        type: 'http',
        url: `${gateway.url}/projects/lazy/mcp`,
        headers: { Authorization: 'Bearer ${SLIPWAY_TOKEN}' },
      },
    },
  });
  expect(JSON.parse((await raw(gateway.url, { path: '/projects/lazy/instructions', headers })).text)).toEqual({
    project: 'lazy',
    instructions: '',
    servers: [{ name: 'code', description: 'Issues and code.' }, { name: 'tiny' }, { name: 'broken' }],
  });
  expect((await raw(gateway.url, { path: '/projects/none/mcp-config', headers })).status).toBe(404);
});

/** What agents see of a route that does not list all its tools: the same servers behind a few tools, in both eras. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Gateway } from '../../gateway/index.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { client, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';
import { codeServer, discovering, TOOLS } from './helpers/discovering.ts';

type Answer = { content: { text: string }[]; isError?: boolean };

/** A client of either era, reduced to what is needed here. */
interface Agent extends AsyncDisposable {
  tools(): Promise<string[]>;
  call(name: string, args?: object): Promise<Answer>;
}

const ERAS = {
  async legacy(url: string, token: string): Promise<Agent> {
    const sdk = await client(url, token);
    return {
      tools: async () => (await sdk.listTools()).tools.map(({ name }) => name),
      call: async (name, args = {}) =>
        (await sdk.callTool({ name, arguments: args as Record<string, unknown> })) as unknown as Answer,
      [Symbol.asyncDispose]: () => sdk[Symbol.asyncDispose](),
    };
  },
  async modern(url: string, token: string): Promise<Agent> {
    const sdk = await modernClient(url, { token });
    return {
      tools: async () => (await sdk.listTools()).tools.map(({ name }) => name),
      call: async (name, args = {}) =>
        (await sdk.callTool({ name, arguments: args as Record<string, unknown> })) as unknown as Answer,
      [Symbol.asyncDispose]: () => sdk[Symbol.asyncDispose](),
    };
  },
};

let code: Upstream;
let tiny: Upstream;
let gateway: Gateway;
const audited: AuditDraft[] = [];
const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };

beforeAll(async () => {
  [code, tiny] = await Promise.all([codeServer(), socketUpstream('tiny')]);
  gateway = await start(snapshot(discovering({ code, tiny })), { audit });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await Promise.all([code, tiny].map((one) => one[Symbol.asyncDispose]()));
});

const textOf = ({ content }: Answer): string => content[0]?.text ?? '';
const dataOf = (answer: Answer): Record<string, unknown> => JSON.parse(textOf(answer)) as Record<string, unknown>;

describe.each(['legacy', 'modern'] as const)('a client of the %s era', (era) => {
  const open = (project: string): Promise<Agent> => ERAS[era](`${gateway.url}/projects/${project}/mcp`, 'secret');

  test('lazy: from servers to a command and its result', async () => {
    await using agent = await open('lazy');
    expect(await agent.tools()).toEqual(['list_servers', 'list_commands', 'describe_commands', 'invoke_command']);

    expect(dataOf(await agent.call('list_servers'))).toMatchObject({
      revision: 'c0ffee',
      servers: [
        { name: 'code', description: 'Issues and code.', tags: ['git'], examples: [{ ask: 'open an issue' }] },
        { name: 'tiny' },
        { name: 'broken', status: 'unhealthy', error: 'It does not start.' },
      ],
    });
    const commands = dataOf(await agent.call('list_commands', { servers: ['code', 'broken', 'cod'] }));
    expect(commands).toEqual({
      code: {
        commands: [
          { name: 'createIssue', description: 'Opens an issue in a repository.' },
          { name: 'search_code', description: 'Searches code.' },
          { name: 'echo', description: 'Echoes.' },
        ],
      },
      broken: { error: 'It does not start.' },
      cod: { error: 'There is no server cod. Did you mean code?' },
    });
    expect(dataOf(await agent.call('list_servers'))['servers']).toMatchObject([
      { status: 'healthy', commands: 4 },
      {},
      {},
    ]);
    const described = dataOf(
      await agent.call('describe_commands', { server: 'code', command_names: ['createIssue', 'serch_code'] }),
    );
    expect(described['commands']).toEqual([
      TOOLS[0],
      { name: 'serch_code', error: 'code has no command serch_code. Did you mean search_code?' },
    ]);
    const called = await agent.call('invoke_command', {
      server: 'code',
      command_name: 'echo',
      parameters: { text: 'hi' },
    });
    expect(textOf(called)).toBe('code:hi');
  });

  test.each([
    ['as it should be', { server: 'code', command_name: 'echo', parameters: { text: 'hi' } }],
    ['with flattened arguments', { server: 'code', command_name: 'echo', text: 'hi' }],
    ['with other words for it', { server_name: 'code', command: 'echo', arguments: { text: 'hi' } }],
    ['with JSON in a text', { server: 'code', command_name: 'echo', parameters: '{"text":"hi"}' }],
    ['with the whole name', { command_name: 'code__echo', parameters: { text: 'hi' } }],
  ])('a command is invoked %s', async (_, args) => {
    await using agent = await open('lazy');
    expect(textOf(await agent.call('invoke_command', args))).toBe('code:hi');
  });

  test.each([
    ['no command', { server: 'code' }, 'Name the command in command_name; list_commands tells them.'],
    ['no server', { command_name: 'echo' }, 'Name the server; list_servers tells them.'],
    [
      'a server that is not there',
      { server: 'coda', command_name: 'echo' },
      'There is no server coda. Did you mean code?',
    ],
    [
      'a command that is not there',
      { server: 'code', command_name: 'ecko' },
      'code has no command ecko. Did you mean echo?',
    ],
    [
      'parameters that are none',
      { server: 'code', command_name: 'echo', parameters: 'text' },
      'parameters must be an object.',
    ],
  ])('%s: a failure that says what to do', async (_, args, text) => {
    await using agent = await open('lazy');
    expect(await agent.call('invoke_command', args)).toMatchObject({ content: [{ text }], isError: true });
  });

  test('search: found by words, called by name, and only what reads by call_tool_read', async () => {
    await using agent = await open('search');
    expect(await agent.tools()).toEqual(['find_tools', 'call_tool_read', 'call_tool_write', 'call_tool']);
    const found = dataOf(await agent.call('find_tools', { query: 'headline of a ticket', limit: 2 }));
    expect(found['tools']).toMatchObject([
      {
        name: 'code__createIssue',
        description: 'Opens an issue in a repository.',
        params: 'repo*, title',
        with: 'call_tool_write',
      },
    ]);
    expect(dataOf(await agent.call('find_tools', { query: 'issues', schema: true }))['tools']).toMatchObject([
      { name: 'code__createIssue', inputSchema: TOOLS[0]?.inputSchema },
    ]);
    const all = dataOf(await agent.call('find_tools', { query: '', limit: 3 }));
    expect(all['of']).toBe(9);
    expect((all['tools'] as { name: string; with: string }[]).map(({ name, with: by }) => [name, by])).toEqual([
      ['code__createIssue', 'call_tool_write'],
      ['code__search_code', 'call_tool_read'],
      ['code__echo', 'call_tool'],
    ]);
    const call = (name: string, args: object): Promise<Answer> => agent.call(name, args);
    expect(textOf(await call('call_tool', { name: 'code__echo', arguments: { text: 'hi' } }))).toBe('code:hi');
    expect(textOf(await call('call_tool', { name: 'code__echo', text: 'hi' }))).toBe('code:hi');
    for (const [variant, tool, right] of [
      ['call_tool_read', 'code__createIssue', 'call_tool_write'],
      ['call_tool_read', 'code__echo', 'call_tool'],
      ['call_tool_write', 'tiny__echo', 'call_tool'],
    ] as const)
      expect(await call(variant, { name: tool, arguments: {} })).toMatchObject({
        isError: true,
        content: [{ text: `${tool} does more than ${variant} may: use ${right}.` }],
      });
    expect(textOf(await call('call_tool', { name: 'code__ecko' }))).toBe(
      'There is no tool code__ecko. Did you mean code__echo?',
    );
  });

  test('what is denied is neither listed nor found nor invoked, and the refusal says why', async () => {
    await using lazy = await open('lazy');
    await using search = await open('search');
    expect(JSON.stringify(dataOf(await lazy.call('list_commands')))).not.toContain('delete_repo');
    expect(textOf(await search.call('find_tools', { query: 'delete repository' }))).not.toContain('delete_repo');
    for (const refused of [
      await lazy.call('invoke_command', { server: 'code', command_name: 'delete_repo', parameters: {} }),
      await search.call('call_tool', { name: 'code__delete_repo', arguments: {} }),
    ]) {
      expect(refused.isError).toBe(true);
      expect(textOf(refused)).toContain('Nobody deletes.');
    }
    expect(code.seen.filter((message) => JSON.stringify(message).includes('delete_repo'))).toEqual([]);
  });

  test('a tool of a server can be called by its own name as well', async () => {
    await using agent = await open('lazy');
    expect(textOf(await agent.call('code__echo', { text: 'hi' }))).toBe('code:hi');
  });
});

test('the log has the command that was invoked, of its server, and the hash of its own arguments', async () => {
  audited.length = 0;
  const { rpc } = await session(gateway.url, { path: '/projects/lazy/mcp', token: 'secret' });
  await rpc('tools/call', {
    name: 'invoke_command',
    arguments: { server: 'code', command_name: 'echo', parameters: { text: 'hi' } },
  });
  expect(audited.at(-1)).toMatchObject({
    kind: 'tool_call_trace',
    server: 'code',
    tool: 'echo',
    arguments: { text: 'hi' },
    project: 'lazy',
  });
});

test('summaries of servers stand in the description, as many as are wanted', async () => {
  const { rpc } = await session(gateway.url, { path: '/projects/lazy/mcp', token: 'secret' });
  const { tools } = (await rpc('tools/list')).json.result as { tools: { description: string }[] };
  expect(tools[0]?.description).toMatch(/\nServers:\n- code: Issues and code\.\n- tiny\n- and 1 more$/);
});

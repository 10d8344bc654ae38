/** Tools that a Plugin brings to its route: beside those of servers for clients of both eras, by the same rules. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GATE_TOOLS } from '../../gateway/gate/gate.ts';
import { LAZY } from '../../gateway/lazy/lazy.ts';
import { SEARCH } from '../../gateway/lazy/search.ts';
import { resultTools } from '../../gateway/results/tools.ts';
import { scriptTools } from '../../gateway/script/run-script.ts';
import { OWN_TOOL_NAMES, type PluginEntry } from '../../schemas/plugins.ts';
import { client as sdkClient, principal, raw } from '../gateway/helpers/gateway.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { eventually } from '../helpers/until.ts';
import { call, entry, ERAS, Plugged, saidIn, type Client } from './helpers/plugged.ts';

let plugged: Plugged;
beforeAll(async () => {
  plugged = await Plugged.start();
});
afterAll(() => plugged[Symbol.asyncDispose]());
beforeEach(() => plugged.begin());

const CODE = `export const tools = {
  words: ({ text }, ctx) => { ctx.state.calls = (ctx.state.calls ?? 0) + 1; return text.split(' ').length + ' words, call ' + ctx.state.calls; },
  wrong: () => ({ content: [{ type: 'text', text: 'Not today.' }], isError: true }),
  broken: () => { throw new Error('secret words'); },
  odd: () => ({ answer: 42 }),
  wide: () => 'x'.repeat(1_000),
};
export const onToolCallBefore = (input, ctx) => ({ arguments: { calls: ctx.state.calls } });`;
const schema = {
  type: 'object',
  properties: { text: { type: 'string' } },
  required: ['text'],
  additionalProperties: false,
};
type Tool = NonNullable<PluginEntry['tools']>[number];
const tool = (name: string, more: Partial<Tool> = {}): Tool => ({
  name,
  description: `What ${name} does.`,
  inputSchema: { type: 'object', properties: {} },
  owner: 'it',
  ...more,
});
const TOOLS = [
  tool('words', { title: 'Words', inputSchema: schema, annotations: { readOnlyHint: true } }),
  ...['wrong', 'wide', 'broken', 'odd', 'missing'].map((name) => tool(name)),
];
const plugins = (tools: Tool[] = TOOLS, hooks: PluginEntry['hooks'] = {}): Record<string, PluginEntry> => ({
  it: entry(CODE, hooks, { tools }),
});
const own = (client: Client, name: string, args: object = {}): Promise<Record<string, unknown>> =>
  client.rpc('tools/call', { name, arguments: args });
const listed = async (client: Client): Promise<string[]> =>
  ((await client.rpc('tools/list'))['tools'] as { name: string }[]).map(({ name }) => name);

describe.each(ERAS)('to a client of MCP %s', (era) => {
  test('they are listed as the config describes them, and answered by the code, which shares what the session keeps', async () => {
    await plugged.swap({}, { plugins: plugins(TOOLS, { onToolCallBefore: ['it'] }) });
    const client = await plugged.open(era);
    const { tools } = await client.rpc('tools/list');
    const [words] = (tools as { name: string }[]).filter(({ name }) => name === 'words');
    const { owner: _, ...definition } = TOOLS[0] as Tool;
    expect(words).toEqual(definition);
    expect(await listed(client)).toContain('desk__echo');
    expect(saidIn(await own(client, 'words', { text: 'one two three' }))).toBe('3 words, call 1');
    expect(saidIn(await own(client, 'words', { text: 'one' }))).toBe('1 words, call 2');
    expect(saidIn(await call(client, 'echo'))).toBe('{"calls":2}');
    const event = plugged.events.find(({ kind, tool: name }) => kind === 'tool_call_trace' && name === 'words');
    expect(event).toMatchObject({ outcome: 'ok', server: 'slipway', principal: 'token:ada' });
    expect(plugged.ran.slice(0, 1)).toEqual([['tools', 'ok']]);
  });

  test('arguments that do not fit are refused before the code sees them; what fails is a failure of the tool', async () => {
    await plugged.swap({}, { plugins: plugins() });
    const client = await plugged.open(era);
    for (const args of [{}, { text: 5 }, { text: 'a', more: 1 }])
      expect(await own(client, 'words', args)).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('Invalid arguments for words: ') as unknown }],
      });
    expect(plugged.ran).toEqual([]);
    expect(await own(client, 'wrong')).toMatchObject({ isError: true, content: [{ text: 'Not today.' }] });
    for (const [name, why] of [
      ['broken', 'error'],
      ['missing', 'error'],
      ['odd', 'answer'],
    ] as const)
      expect(await own(client, name)).toMatchObject({ isError: true, content: [{ text: `${name} failed (${why}).` }] });
    expect(JSON.stringify(plugged.events)).not.toContain('secret words');
    expect(plugged.logged.join('\n')).toContain('secret words');
    const traces = plugged.events.filter(({ kind }) => kind === 'tool_call_trace').slice(3);
    expect(traces.map(({ deniedReason }) => deniedReason)).toEqual([
      'tool_error',
      'plugin_error',
      'plugin_error',
      'plugin_answer',
    ]);
  });

  test.each([
    ['lazy discovery', { discovery: { mode: 'lazy' } }, 'invoke_command'],
    ['search', { discovery: { mode: 'search' } }, 'find_tools'],
    ['a gate', { gate: { budgetBytes: 1_000, ttlMs: 60_000 } }, 'begin_session'],
  ] as const)('they stand beside the tools of %s', async (_, route, other) => {
    await plugged.swap({}, { plugins: plugins(), route });
    const client = await plugged.open(era);
    if (other === 'begin_session') {
      expect(await listed(client)).toEqual([other]);
      await own(client, other, { tags: ['x'] });
      expect(await listed(client)).toContain('words');
    } else expect(await listed(client)).toEqual(expect.arrayContaining([other, 'words']));
    expect(saidIn(await own(client, 'words', { text: 'a b' }))).toMatch(/^2 words/);
  });

  test('rules of permissions hide and refuse them, as tools of the server slipway; who may run nothing here runs none', async () => {
    const rules = [
      { server: 'slipway', pattern: 'w*', action: 'deny' as const, file: 'a.yaml', line: 3 },
      { server: 'desk', pattern: 'odd', action: 'deny' as const, file: 'a.yaml', line: 4 },
    ];
    const access = { projects: { dev: { file: 'a.yaml', line: 1, rules } } };
    const principals = [principal('ada', 'ada'), principal('eve', 'eve', { roles: ['viewer'] })];
    await plugged.swap({}, { plugins: plugins(), access, principals });
    const client = await plugged.open(era);
    expect((await listed(client)).filter((name) => !name.includes('__'))).toEqual(['broken', 'odd', 'missing']);
    expect(await own(client, 'words', { text: 'a' })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('slipway:words is blocked') as unknown }],
    });
    expect(plugged.ran).toEqual([]);
    expect(plugged.events.at(-1)).toMatchObject({ kind: 'rbac_decision', server: 'slipway', deniedReason: 'blocked' });
    const viewer = await plugged.open(era, 'eve');
    expect(JSON.stringify(await own(viewer, 'odd'))).not.toContain('failed');
    expect(plugged.ran).toEqual([]);
  });

  test('limits and budgets are about them', async () => {
    const about = { principals: [], groups: [], routes: [], per: 'all' as const, prices: [] };
    const budgets = [{ ...about, name: 'all', calls: 2, window: { slidingMs: 60_000 }, warnAt: 1, enforce: true }];
    await plugged.swap({}, { plugins: plugins(), limits: { projects: { dev: { resultBytes: 400 } } }, budgets });
    const client = await plugged.open(era);
    expect(saidIn(await own(client, 'wide'))).toContain('Ask for less.');
    expect(saidIn(await own(client, 'words', { text: 'a' }))).toMatch(/^1 words/);
    expect(await own(client, 'words', { text: 'a' })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('Budget all is used up') as unknown }],
    });
  });
});

test.each(ERAS)(
  'one that runs ends when its client of MCP %s is gone, and so does its wait for its turn',
  async (era) => {
    const code = `export const tools = { endless: (_, ctx) => { ctx.log('it begins'); while (true) {} } };`;
    await plugged.swap({}, { plugins: { it: entry(code, {}, { timeoutMs: 10_000, tools: [tool('endless')] }) } });
    await using stack = new AsyncDisposableStack();
    const open = async (): Promise<(signal: AbortSignal) => Promise<unknown>> => {
      const [at, params] = [`${plugged.gateway.url}${plugged.path}`, { name: 'endless', arguments: {} }];
      if (era === '2026-07-28') {
        const modern = stack.use(await modernClient(at, { token: 'ada' }));
        return (signal) => modern.callTool(params, { signal });
      }
      const legacy = stack.use(await sdkClient(at, 'ada'));
      return (signal) => legacy.callTool(params, undefined, { signal });
    };
    const endless = await open();
    const leaving = new AbortController();
    const calls = Promise.allSettled([endless(leaving.signal), endless(leaving.signal)]);
    await eventually(() => plugged.logged.some((line) => line.includes('it begins')));
    leaving.abort();
    await calls;
    const ended = await eventually(() => {
      const found = plugged.events.filter(({ kind }) => kind === 'plugin_execution');
      return found.length === 2 && found;
    });
    for (const event of ended) expect(event).toMatchObject({ outcome: 'cancelled', deniedReason: 'plugin_gone' });
  },
);

test('one that is inherited is answered by its own code; a server’s tool of the same name is not reached', async () => {
  const it = entry(
    'export const x = 1;',
    {},
    { tools: [tool('words', { owner: 'base', inputSchema: schema }), tool('echo')] },
  );
  await plugged.swap({}, { plugins: { it, base: entry(CODE, {}) }, route: { separator: '' } });
  const client = await plugged.open('2025-11-25');
  expect(saidIn(await own(client, 'words', { text: 'a b c' }))).toMatch(/^3 words/);
  expect(saidIn(await own(client, 'echo'))).toBe('echo failed (error).');
  expect(plugged.server.calls).toEqual([]);
});

test('whether somebody may call one can be asked, as it would be decided', async () => {
  const rules = [{ server: 'slipway', pattern: 'wrong', action: 'deny' as const, file: 'a.yaml', line: 3 }];
  const access = { projects: { dev: { file: 'a.yaml', line: 1, rules, readOnly: true as const } } };
  const route = { project: 'dev', servers: ['desk'], plugin: 'it' };
  await plugged.swap({}, { plugins: plugins(), access, routes: { '/projects/dev/mcp': route } });
  const may = async (name: string, project = 'dev'): Promise<unknown> => {
    const path = `/api/v1/auth/can-i?verb=call&thing=slipway/${name}&project=${project}`;
    const { text } = await raw(plugged.gateway.url, { path, headers: { Authorization: 'Bearer ada' } });
    const { allowed, reason } = JSON.parse(text) as { allowed?: boolean; reason?: string };
    return [allowed, reason?.includes('no such tool')];
  };
  expect(await may('words')).toEqual([true, false]);
  expect(await may('wrong')).toEqual([false, false]);
  expect(await may('wide')).toEqual([false, false]);
  expect(await may('words', 'other')).toEqual([true, true]);
});

test('a hook on lists sees them, too', async () => {
  const it = entry(
    `${CODE}\nexport const onToolsList = ({ tools }) => ({ tools: tools.filter(({ name }) => name !== 'odd') });`,
    { onToolsList: ['it'] },
    { tools: TOOLS },
  );
  await plugged.swap({}, { plugins: { it } });
  const names = await listed(await plugged.open('2025-11-25'));
  expect(names).toContain('words');
  expect(names).not.toContain('odd');
});

test('the names that are reserved are those that the gateway has', () => {
  const route = { servers: [], separator: '__' };
  const codeMode = { timeoutMs: 1, cpuMs: 1, memoryBytes: 1, maxCalls: 1, maxConcurrentCalls: 1 };
  const all = [
    ...[LAZY, SEARCH].flat(),
    ...scriptTools({ ...route, codeMode: { ...codeMode, scriptBytes: 1, resultBytes: 1, consoleBytes: 1 } }),
    ...resultTools({ pipelines: new Map([['a', {}]]) } as never),
  ].map(({ name }) => name);
  expect([...all, ...Object.values(GATE_TOOLS), 'authorize'].sort()).toEqual([...OWN_TOOL_NAMES].sort());
});

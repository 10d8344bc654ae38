/** Plugins on a route: what each hook can change and what it cannot, for clients of both eras. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Gateway } from '../../gateway/index.ts';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Hook, PluginEntry } from '../../schemas/plugins.ts';
import type { Route, Snapshot } from '../../schemas/snapshot.ts';
import { raw, principal, session, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { ask } from '../gateway/helpers/modern.ts';
import { modernServer } from '../gateway/helpers/modern-upstream.ts';
import { eventually } from '../helpers/until.ts';
import { answering, type Answering } from './helpers/answering.ts';

const text = (value: string): object => ({ content: [{ type: 'text', text: value }] });
const counted = (count: unknown): object => ({ ...text('counted'), structuredContent: { count } });
const COUNT = { type: 'object', properties: { count: { type: 'number' } }, required: ['count'] };
const ERAS = ['2025-11-25', '2026-07-28'] as const;
type Era = (typeof ERAS)[number];

/** Another one for each test: what a client keeps on one, it does not on others. */
let path = '';
let paths = 0;
let server: Answering;
let gateway: Gateway;
let events: AuditDraft[] = [];
let logged: string[] = [];
beforeAll(async () => {
  server = await answering(
    'desk',
    [
      { name: 'echo', title: 'Echo', description: 'Says it again.', inputSchema: { type: 'object', required: ['a'] } },
      { name: 'wipe', description: 'Wipes all.' },
      { name: 'count', outputSchema: COUNT },
      { name: 'slow_task', execution: { taskSupport: 'optional' } },
    ],
    {
      echo: (args) => text(JSON.stringify(args)),
      wipe: () => text('wiped'),
      count: () => counted(1),
      slow_task: () => text('done'),
      guide: () => ({ messages: [{ role: 'user', content: { type: 'text', text: 'Do it.' } }] }),
      other: () => ({ messages: [] }),
      'resources/list': () => ({
        resources: [
          { uri: 'note://a', name: 'a' },
          { uri: 'note://b', name: 'b' },
        ],
      }),
      'resources/read': ({ uri }) => ({ contents: [{ uri, text: 'a note' }] }),
      'resources/templates/list': () => ({ resourceTemplates: [] }),
    },
  );
  gateway = await start(
    {},
    {
      audit: { record: (draft) => void events.push({ ...draft }), blocked: false },
      log: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`),
    },
  );
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  events = [];
  logged = [];
  path = `/projects/p${++paths}/mcp`;
  server.calls.length = 0;
});

const entry = (code: string, hooks: PluginEntry['hooks'], more: Partial<PluginEntry> = {}): PluginEntry => ({
  file: 'plugins/it.mjs',
  code,
  config: {},
  timeoutMs: 2_000,
  memoryBytes: 2 ** 25,
  hooks,
  ...more,
});
/** @param code bodies of hooks of the one Plugin `it` */
function config(
  code: Partial<Record<Hook, string>>,
  {
    plugin = {},
    route = {},
    entry: of = {},
    ...wish
  }: Wish & { plugin?: Partial<PluginEntry>; route?: Partial<Route>; entry?: object } = {},
): Snapshot {
  const bodies = Object.entries(code).map(([hook, body]) => `export async function ${hook}(input, ctx) { ${body} }`);
  const hooks = Object.fromEntries(Object.keys(code).map((hook) => [hook, ['it']]));
  return snapshot({
    servers: { desk: { endpoints: [server.endpoint], ...of } },
    routes: {
      [path]: { project: 'dev', servers: ['desk'], separator: '__', instructions: 'Be kind.', plugin: 'it', ...route },
    },
    principals: [principal('ada', 'ada'), principal('bob', 'bob')],
    plugins: { it: entry(bodies.join('\n'), hooks, plugin) },
    ...wish,
  });
}

interface Client {
  rpc(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  id: string;
}
async function open(era: Era, token = 'ada'): Promise<Client> {
  if (era === '2026-07-28')
    return {
      id: '',
      rpc: async (method, params = {}) => {
        const { json } = await ask(gateway.url, method, params, { path, token });
        return json.result ?? { error: json.error };
      },
    };
  const own = await session(gateway.url, { path, token });
  return {
    id: own.id,
    rpc: async (method, params = {}) => {
      // The last, after what it is told before.
      const { text: whole, json } = await own.rpc(method, params);
      const last = (whole.match(/^data: .+$/gm) ?? []).at(-1)?.slice('data: '.length);
      const { result, error } = last === undefined ? json : (JSON.parse(last) as typeof json);
      return result ?? { error };
    },
  };
}
const saidIn = (result: Record<string, unknown>): string => (result['content'] as { text: string }[])[0]?.text ?? '';
const call = async (client: Client, name: string, args: object = { a: 1 }): Promise<Record<string, unknown>> =>
  client.rpc('tools/call', { name: `desk__${name}`, arguments: args });
const ran = (): unknown[] =>
  events
    .filter(({ kind }) => kind === 'plugin_execution')
    .map(({ detail, outcome, deniedReason }) => [detail?.['hook'], deniedReason ?? outcome]);

describe.each(ERAS)('to a client of MCP %s', (era) => {
  test('lists are filtered, ordered and told in other words; nothing else of an entry changes', async () => {
    await gateway.swap(
      config({
        onToolsList: `const [first, , ...rest] = input.tools;
          return { tools: [...rest, { name: first.name, title: 'Parrot', description: 'Repeats.', inputSchema: {} }] }`,
        onResourcesList: 'return { resources: input.resources.reverse() }',
        onPromptsList: `return { prompts: input.prompts.filter(({ name }) => name !== 'desk__other') }`,
      }),
    );
    const client = await open(era);
    const { tools, ttlMs } = await client.rpc('tools/list');
    expect(tools).toMatchObject([
      { name: 'desk__count', outputSchema: COUNT },
      { name: 'desk__slow_task' },
      { name: 'desk__echo', title: 'Parrot', description: 'Repeats.', inputSchema: { required: ['a'] } },
    ]);
    expect(ttlMs).toBe(era === '2026-07-28' ? 0 : undefined);
    expect((await client.rpc('resources/list'))['resources']).toMatchObject([{ name: 'b' }, { name: 'a' }]);
    expect((await client.rpc('prompts/list'))['prompts']).toEqual([{ name: 'desk__guide' }]);
    // What is not shown is not forbidden: that is what permissions are for.
    expect(saidIn(await call(client, 'wipe'))).toBe('wiped');
  });

  test.each([
    ['an entry more', `[...input.tools, { name: 'desk__more' }]`],
    ['another name', `input.tools.map((tool) => ({ ...tool, name: tool.name + '2' }))`],
    ['one twice', `[input.tools[0], input.tools[0]]`],
    ['no list', `'tools'`],
  ])('a list with %s is not taken', async (_, tools) => {
    await gateway.swap(config({ onToolsList: `return { tools: ${tools} }` }));
    const { tools: listed } = await (await open(era)).rpc('tools/list');
    expect((listed as { name: string }[]).map(({ name }) => name)).toEqual(
      ['echo', 'wipe', 'count', 'slow_task'].map((name) => `desk__${name}`),
    );
    expect(ran()).toEqual([['onToolsList', 'plugin_answer']]);
  });

  test('arguments are changed before they are checked, the server is answered for, and calls are refused', async () => {
    await gateway.swap(
      config(
        {
          onToolCallBefore: `
            if (input.tool === 'wipe') return { refuse: 'Nothing is wiped on ' + input.server + '.' };
            if (input.tool === 'count') return { result: { content: [], structuredContent: { count: 7 } } };
            return { arguments: { a: ctx.config.a, was: input.arguments } };`,
        },
        { plugin: { config: { a: 'from the config' } }, entry: { validateArguments: true } },
      ),
    );
    const client = await open(era);
    expect(JSON.parse(saidIn(await call(client, 'echo', { b: 2 })))).toEqual({ a: 'from the config', was: { b: 2 } });
    expect(await call(client, 'count')).toMatchObject({ structuredContent: { count: 7 } });
    expect(await call(client, 'wipe')).toMatchObject({
      isError: true,
      content: [{ text: 'Nothing is wiped on desk.' }],
    });
    expect(server.calls).toEqual(['echo']);
    const refused = events.find(({ kind, tool }) => kind === 'tool_call_trace' && tool === 'wipe');
    expect(refused).toMatchObject({ allowed: false, deniedReason: 'plugin_refused' });
  });

  test('results of tools, resources and prompts are changed; none that breaks the promise of a schema', async () => {
    await gateway.swap(
      config({
        onToolCallAfter: `
          if (input.tool === 'count') return { result: { ...input.result, structuredContent: { count: 'many' } } };
          return { result: { content: [{ type: 'text', text: input.tool + ' said ' + input.result.content[0].text }] } };`,
        onResourceRead:
          'return { result: { contents: input.result.contents.map((one) => ({ ...one, text: input.uri })) } }',
        onPromptGet: `input.result.messages[0].content.text += ' ' + input.prompt; return { result: input.result }`,
      }),
    );
    const client = await open(era);
    expect(saidIn(await call(client, 'echo'))).toBe('echo said {"a":1}');
    expect(await call(client, 'count')).toMatchObject({ structuredContent: { count: 1 } });
    expect(await client.rpc('resources/read', { uri: 'note://a' })).toMatchObject({ contents: [{ text: 'note://a' }] });
    expect(await client.rpc('prompts/get', { name: 'desk__guide' })).toMatchObject({
      messages: [{ content: { text: 'Do it. guide' } }],
    });
    expect(ran()).toEqual([
      ['onToolCallAfter', 'ok'],
      ['onToolCallAfter', 'plugin_answer'],
      ['onResourceRead', 'ok'],
      ['onPromptGet', 'ok'],
    ]);
  });

  test('instructions are changed, and a client that has come is greeted once', async () => {
    await gateway.swap(
      config({
        onSessionCreate: `ctx.state.greeted = (ctx.state.greeted ?? 0) + 1; ctx.log('hello', input.principal)`,
        onInitialize: `return { instructions: input.instructions + ' Greeted: ' + ctx.state.greeted }`,
        onToolCallBefore: `return { arguments: ctx.state }`,
      }),
    );
    const { json } =
      era === '2026-07-28' ? await ask(gateway.url, 'server/discover', {}, { path, token: 'ada' }) : await initialize();
    expect(json.result?.['instructions']).toBe('Be kind. Greeted: 1');
    const client = await open(era);
    expect(saidIn(await call(client, 'echo'))).toBe('{"greeted":1}');
    expect(logged).toContainEqual(
      expect.stringMatching(/^info hello token:ada .*"plugin":"it","hook":"onSessionCreate"/),
    );
  });

  test('each principal has a state of its own, and none of it is lost to calls at the same time', async () => {
    await gateway.swap(
      config({ onToolCallBefore: 'ctx.state.calls = (ctx.state.calls ?? 0) + 1; return { arguments: ctx.state }' }),
    );
    const [ada, bob] = [await open(era, 'ada'), await open(era, 'bob')];
    await Promise.all(Array.from({ length: 5 }, () => call(ada, 'echo')));
    expect(saidIn(await call(ada, 'echo'))).toBe('{"calls":6}');
    expect(saidIn(await call(bob, 'echo'))).toBe('{"calls":1}');
  });

  test.each([
    ['throws', `throw new Error('secret words')`, 'error'],
    ['never ends', 'for (;;) {}', 'time'],
    ['waits for what never comes', 'await new Promise(() => {})', 'time'],
    ['takes all memory', 'const all = []; for (;;) all.push("x".repeat(1e6) + all.length)', 'memory'],
    ['gives back what is no answer', 'return { argument: {} }', 'answer'],
    ['keeps too much', `ctx.state.much = 'x'.repeat(20000)`, 'answer'],
  ])('one that %s: a call is refused, a list passes as it was', async (_, body, why) => {
    // A machine that has little time must not take one for another.
    const more = { plugin: { timeoutMs: why === 'time' ? 300 : 10_000, memoryBytes: 2 ** 23 } };
    await gateway.swap(config({ onToolCallBefore: body, onPromptsList: body, onToolCallAfter: body }, more));
    const client = await open(era);
    const refused = { isError: true, content: [{ text: `The call was not made: the Plugin it failed (${why}).` }] };
    expect(await call(client, 'echo')).toMatchObject(refused);
    expect(server.calls).toEqual([]);
    expect((await client.rpc('prompts/list'))['prompts']).toHaveLength(2);
    expect(ran()).toEqual(['onToolCallBefore', 'onPromptsList'].map((hook) => [hook, `plugin_${why}`]));
    expect(JSON.stringify(events)).not.toContain('secret words');
    expect(logged.filter((line) => line.startsWith('warn a hook of a Plugin failed'))).toHaveLength(2);
  });

  test('after a gate, and before a pipeline', async () => {
    const hide = `return { result: { content: [{ type: 'text', text: 'AKIA' + 'ABCD'.repeat(4) }] } }`;
    await gateway.swap(
      config(
        {
          onToolCallBefore: hide,
          onToolCallAfter: 'input.result.content.push(input.result.content[0]); return { result: input.result }',
        },
        {
          route: { gate: { budgetBytes: 1_000, ttlMs: 60_000 }, pipeline: 'clean' },
          pipelines: { clean: { appliesTo: ['toolResult'], minBytes: 0, stages: [{ type: 'redact', patterns: [] }] } },
        },
      ),
    );
    const { content } = (await call(await open(era), 'echo')) as unknown as { content: { text: string }[] };
    expect(content[0]?.text).toContain('[redacted:aws-access-key]');
    expect(JSON.stringify(content)).not.toContain('AKIA');
  });

  test.each([
    ['lazy', 'invoke_command', { server: 'desk', command_name: 'wipe', parameters: {} }],
    ['search', 'call_tool', { name: 'desk__wipe', arguments: {} }],
  ] as const)('through %s discovery, and out of a script', async (mode, name, args) => {
    const code = { timeoutMs: 5_000, cpuMs: 2_000, memoryBytes: 2 ** 25, maxCalls: 9, maxConcurrentCalls: 2 };
    const sizes = { scriptBytes: 9_999, resultBytes: 9_999, consoleBytes: 999 };
    const route = { discovery: { mode }, codeMode: { ...code, ...sizes } };
    await gateway.swap(config({ onToolCallBefore: `return { refuse: 'Not ' + input.tool }` }, { route }));
    const client = await open(era);
    expect(await client.rpc('tools/call', { name, arguments: args })).toMatchObject({
      isError: true,
      content: [{ text: 'Not wipe' }],
    });
    const script = `try { await callTool('desk__wipe', {}) } catch (error) { return error.message }`;
    expect(saidIn(await client.rpc('tools/call', { name: 'run_script', arguments: { script } }))).toContain('Not wipe');
    expect(server.calls).toEqual([]);
  });
});

function initialize() {
  const headers = {
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    Authorization: 'Bearer ada',
  };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
  return raw(gateway.url, { method: 'POST', path, headers, body });
}

test('sessions of one principal are apart; one that ends says so, parents first', async () => {
  const plugins = {
    it: entry(
      `export const onSessionDestroy = (_, { state, log }) => log('child ' + state.calls);
       export const onToolCallBefore = (_, { state }) => { state.calls = (state.calls ?? 0) + 1; return { arguments: state } }`,
      { onSessionCreate: ['base'], onSessionDestroy: ['base', 'it'], onToolCallBefore: ['it'] },
    ),
    base: entry(
      `export const onSessionDestroy = (_, { log }) => log('parent'); export const onSessionCreate = () => {};`,
      {},
    ),
  };
  await gateway.swap(config({}, { plugins }));
  const [one, two] = [await open('2025-11-25'), await open('2025-11-25')];
  await call(one, 'echo');
  expect(saidIn(await call(one, 'echo'))).toBe('{"calls":2}');
  expect(saidIn(await call(two, 'echo'))).toBe('{"calls":1}');
  const headers = { 'Mcp-Session-Id': one.id, Authorization: 'Bearer ada' };
  expect((await raw(gateway.url, { method: 'DELETE', path, headers })).status).toBe(204);
  const words = (): string[] =>
    logged.filter((line) => line.includes('onSessionDestroy')).map((line) => line.split(' ', 3).join(' '));
  await eventually(() => words().length === 2);
  expect(words()).toEqual([
    `info parent {"plugin":"base","hook":"onSessionDestroy","route":"${path}"}`,
    'info child 2',
  ]);
});

test('what one principal keeps is bounded: its session of longest ago ends, and begins anew when it comes back', async () => {
  const plugin = {
    onSessionDestroy: `ctx.log('ended with', ctx.state.calls)`,
    onToolCallBefore: 'ctx.state.calls = (ctx.state.calls ?? 0) + 1; return { arguments: ctx.state }',
  };
  await gateway.swap(config(plugin));
  const first = await open('2025-11-25');
  const other = await open('2025-11-25', 'bob');
  for (const client of [first, first, other]) await call(client, 'echo');
  for (let at = 0; at < 100; at++) await open('2025-11-25');
  await eventually(() => logged.some((line) => line.startsWith('info ended with 2')));
  expect(saidIn(await call(first, 'echo'))).toBe('{"calls":1}');
  expect(saidIn(await call(other, 'echo'))).toBe('{"calls":2}');
});

test('a session that is not used for an hour ends; code that a commit took away does not run then', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  try {
    const said: string[] = [];
    await using own = await start(
      {},
      { log: (_, message, fields) => void said.push(`${message} ${String(fields?.['route'])}`) },
    );
    const [kept, taken] = [`${path}/kept`, `${path}/taken`].map((one) => one.replace('/mcp/', '-').concat('/mcp'));
    const code = { onSessionDestroy: `ctx.log('ended')` };
    const of = config(code).plugins;
    const route = { servers: [], separator: '__', plugin: 'it' };
    const routes = { [kept ?? '']: route, [taken ?? '']: route };
    await own.swap(snapshot({ plugins: of, routes }));
    for (const one of [kept, taken]) await session(own.url, { path: one ?? '' });
    await own.swap(snapshot({ plugins: of, routes: { ...routes, [taken ?? '']: { servers: [], separator: '__' } } }));
    vi.advanceTimersByTime(3_599_000);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(61_000);
    await eventually(() => said.length > 0);
    expect(said).toEqual([`ended ${kept ?? ''}`]);
  } finally {
    vi.useRealTimers();
  }
});

test('a hook that the file does not export is told; what code has is what it is given', async () => {
  const plugins = {
    it: entry(
      `export const onToolCallBefore = () => ({ arguments: { there: [typeof process, typeof fetch, typeof require, typeof setTimeout] } })`,
      { onToolCallBefore: ['it'], onToolsList: ['it'] },
    ),
  };
  await gateway.swap(config({}, { plugins }));
  const client = await open('2025-11-25');
  expect(saidIn(await call(client, 'echo'))).toBe('{"there":["undefined","undefined","undefined","undefined"]}');
  expect((await client.rpc('tools/list'))['tools']).toHaveLength(4);
  expect(logged).toContainEqual(expect.stringContaining('It exports no onToolsList.'));
});

test('Prompts of the config are changed as those of servers', async () => {
  const onPromptGet = `input.result.messages[0].content.text += ' For ' + (input.server ?? input.prompt); return { result: input.result }`;
  await gateway.swap(config({ onPromptGet }, { prompts: { rules: { content: 'Be kind.', priority: 5 } } }));
  const { messages } = await (await open('2025-11-25')).rpc('prompts/get', { name: 'rules' });
  expect(messages).toEqual([{ role: 'user', content: { type: 'text', text: 'Be kind. For rules' } }]);
});

test('of what one session asks at once, only so much waits: the rest is refused', async () => {
  await gateway.swap(config({ onToolCallBefore: 'for (const end = Date.now() + 25; Date.now() < end;);' }));
  const client = await open('2025-11-25');
  const texts = await Promise.all(Array.from({ length: 60 }, async () => saidIn(await call(client, 'echo'))));
  const refused = texts.filter((one) => one === 'The call was not made: the Plugin it failed (busy).');
  expect(texts.filter((one) => one === '{"a":1}')).toHaveLength(60 - refused.length);
  expect(refused.length).toBeGreaterThan(0);
  expect(ran()).toHaveLength(60);
});

test('the result of a task is changed as any other', async () => {
  await gateway.swap(
    config({ onToolCallAfter: `return { result: { content: [{ type: 'text', text: 'changed' }] } }` }),
  );
  const client = await open('2025-11-25');
  const begun = await client.rpc('tools/call', { name: 'desk__slow_task', arguments: {}, task: {} });
  const { taskId } = begun['task'] as { taskId: string };
  expect(saidIn(await client.rpc('tasks/result', { taskId }))).toBe('changed');
});

test('so is one that is told with its task (MCP 2026-07-28)', async () => {
  const extensions = { 'io.modelcontextprotocol/tasks': {} };
  await using up = await modernServer(({ method, params }) => {
    if (method === 'server/discover')
      return { result: { supportedVersions: ['2026-07-28'], capabilities: { tools: {}, extensions } } };
    if (method === 'tools/call') return { result: { resultType: 'task', taskId: 't1', status: 'working' } };
    if (method !== 'tasks/get') return undefined;
    const told = { resultType: 'complete', taskId: params?.['taskId'], status: 'completed' };
    return { result: { ...told, result: text('done') } };
  });
  const servers = { desk: { endpoints: [up.endpoint] } };
  const onToolCallAfter = `return { result: { content: [{ type: 'text', text: 'changed' }] } }`;
  await gateway.swap(config({ onToolCallAfter }, { servers }));
  const by = { path, token: 'ada', capabilities: { extensions } };
  const begun = (await ask(gateway.url, 'tools/call', { name: 'desk__echo', arguments: {} }, by)).json.result;
  expect(begun).toMatchObject({ resultType: 'task', status: 'working' });
  const told = (await ask(gateway.url, 'tasks/get', { taskId: begun?.['taskId'] }, by)).json.result;
  expect(told).toMatchObject({ taskId: begun?.['taskId'], status: 'completed', result: text('changed') });
  expect(ran()).toEqual([['onToolCallAfter', 'ok']]);
});

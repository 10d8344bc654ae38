/** Plugins on a route: what each hook can change and what it cannot, for clients of both eras. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask } from '../gateway/helpers/modern.ts';
import { modernServer } from '../gateway/helpers/modern-upstream.ts';
import { call, COUNT, entry, ERAS, Plugged, saidIn, text } from './helpers/plugged.ts';

let plugged: Plugged;
beforeAll(async () => {
  plugged = await Plugged.start();
});
afterAll(() => plugged[Symbol.asyncDispose]());
beforeEach(() => plugged.begin());

describe.each(ERAS)('to a client of MCP %s', (era) => {
  test('lists are filtered, ordered and told in other words; nothing else of an entry changes', async () => {
    await plugged.swap({
      onToolsList: `const [first, , ...rest] = input.tools;
          return { tools: [...rest, { name: first.name, title: 'Parrot', description: 'Repeats.', inputSchema: {} }] }`,
      onResourcesList: 'return { resources: input.resources.reverse() }',
      onPromptsList: `return { prompts: input.prompts.filter(({ name }) => name !== 'desk__other') }`,
    });
    const client = await plugged.open(era);
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
    await plugged.swap({ onToolsList: `return { tools: ${tools} }` });
    const { tools: listed } = await (await plugged.open(era)).rpc('tools/list');
    expect((listed as { name: string }[]).map(({ name }) => name)).toEqual(
      ['echo', 'wipe', 'count', 'slow_task'].map((name) => `desk__${name}`),
    );
    expect(plugged.ran).toEqual([['onToolsList', 'plugin_answer']]);
  });

  test('arguments are changed before they are checked, the server is answered for, and calls are refused', async () => {
    await plugged.swap(
      {
        onToolCallBefore: `
            if (input.tool === 'wipe') return { refuse: 'Nothing is wiped on ' + input.server + '.' };
            if (input.tool === 'count') return { result: { content: [], structuredContent: { count: 7 } } };
            return { arguments: { a: ctx.config.a, was: input.arguments } };`,
      },
      { plugin: { config: { a: 'from the config' } }, entry: { validateArguments: true } },
    );
    const client = await plugged.open(era);
    expect(JSON.parse(saidIn(await call(client, 'echo', { b: 2 })))).toEqual({ a: 'from the config', was: { b: 2 } });
    expect(await call(client, 'count')).toMatchObject({ structuredContent: { count: 7 } });
    expect(await call(client, 'wipe')).toMatchObject({
      isError: true,
      content: [{ text: 'Nothing is wiped on desk.' }],
    });
    expect(plugged.server.calls).toEqual(['echo']);
    const refused = plugged.events.find(({ kind, tool }) => kind === 'tool_call_trace' && tool === 'wipe');
    expect(refused).toMatchObject({ allowed: false, deniedReason: 'plugin_refused' });
  });

  test('results of tools, resources and prompts are changed; none that breaks the promise of a schema', async () => {
    await plugged.swap({
      onToolCallAfter: `
          if (input.tool === 'count') return { result: { ...input.result, structuredContent: { count: 'many' } } };
          return { result: { content: [{ type: 'text', text: input.tool + ' said ' + input.result.content[0].text }] } };`,
      onResourceRead:
        'return { result: { contents: input.result.contents.map((one) => ({ ...one, text: input.uri })) } }',
      onPromptGet: `input.result.messages[0].content.text += ' ' + input.prompt; return { result: input.result }`,
    });
    const client = await plugged.open(era);
    expect(saidIn(await call(client, 'echo'))).toBe('echo said {"a":1}');
    expect(await call(client, 'count')).toMatchObject({ structuredContent: { count: 1 } });
    expect(await client.rpc('resources/read', { uri: 'note://a' })).toMatchObject({ contents: [{ text: 'note://a' }] });
    expect(await client.rpc('prompts/get', { name: 'desk__guide' })).toMatchObject({
      messages: [{ content: { text: 'Do it. guide' } }],
    });
    expect(plugged.ran).toEqual([
      ['onToolCallAfter', 'ok'],
      ['onToolCallAfter', 'plugin_answer'],
      ['onResourceRead', 'ok'],
      ['onPromptGet', 'ok'],
    ]);
  });

  test('after a gate, and before a pipeline', async () => {
    const hide = `return { result: { content: [{ type: 'text', text: 'AKIA' + 'ABCD'.repeat(4) }] } }`;
    await plugged.swap(
      {
        onToolCallBefore: hide,
        onToolCallAfter: 'input.result.content.push(input.result.content[0]); return { result: input.result }',
      },
      {
        route: { gate: { budgetBytes: 1_000, ttlMs: 60_000 }, pipeline: 'clean' },
        pipelines: { clean: { appliesTo: ['toolResult'], minBytes: 0, stages: [{ type: 'redact', patterns: [] }] } },
      },
    );
    const { content } = (await call(await plugged.open(era), 'echo')) as unknown as { content: { text: string }[] };
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
    await plugged.swap({ onToolCallBefore: `return { refuse: 'Not ' + input.tool }` }, { route });
    const client = await plugged.open(era);
    expect(await client.rpc('tools/call', { name, arguments: args })).toMatchObject({
      isError: true,
      content: [{ text: 'Not wipe' }],
    });
    const script = `try { await callTool('desk__wipe', {}) } catch (error) { return error.message }`;
    expect(saidIn(await client.rpc('tools/call', { name: 'run_script', arguments: { script } }))).toContain('Not wipe');
    expect(plugged.server.calls).toEqual([]);
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
    await plugged.swap({ onToolCallBefore: body, onPromptsList: body, onToolCallAfter: body }, more);
    const client = await plugged.open(era);
    const refused = { isError: true, content: [{ text: `The call was not made: the Plugin it failed (${why}).` }] };
    expect(await call(client, 'echo')).toMatchObject(refused);
    expect(plugged.server.calls).toEqual([]);
    expect((await client.rpc('prompts/list'))['prompts']).toHaveLength(2);
    expect(plugged.ran).toEqual(['onToolCallBefore', 'onPromptsList'].map((hook) => [hook, `plugin_${why}`]));
    expect(JSON.stringify(plugged.events)).not.toContain('secret words');
    expect(plugged.logged.filter((line) => line.startsWith('warn a hook of a Plugin failed'))).toHaveLength(2);
  });
});

test('a hook that the file does not export is told; what code has is what it is given', async () => {
  const plugins = {
    it: entry(
      `export const onToolCallBefore = () => ({ arguments: { there: [typeof process, typeof fetch, typeof require, typeof setTimeout] } })`,
      { onToolCallBefore: ['it'], onToolsList: ['it'] },
    ),
  };
  await plugged.swap({}, { plugins });
  const client = await plugged.open('2025-11-25');
  expect(saidIn(await call(client, 'echo'))).toBe('{"there":["undefined","undefined","undefined","undefined"]}');
  expect((await client.rpc('tools/list'))['tools']).toHaveLength(4);
  expect(plugged.logged).toContainEqual(expect.stringContaining('It exports no onToolsList.'));
});

test('Prompts of the config are changed as those of servers', async () => {
  const onPromptGet = `input.result.messages[0].content.text += ' For ' + (input.server ?? input.prompt); return { result: input.result }`;
  await plugged.swap({ onPromptGet }, { prompts: { rules: { content: 'Be kind.', priority: 5 } } });
  const { messages } = await (await plugged.open('2025-11-25')).rpc('prompts/get', { name: 'rules' });
  expect(messages).toEqual([{ role: 'user', content: { type: 'text', text: 'Be kind. For rules' } }]);
});

test('the result of a task is changed as any other', async () => {
  await plugged.swap({ onToolCallAfter: `return { result: { content: [{ type: 'text', text: 'changed' }] } }` });
  const client = await plugged.open('2025-11-25');
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
  await plugged.swap({ onToolCallAfter }, { servers });
  const by = { path: plugged.path, token: 'ada', capabilities: { extensions } };
  const begun = (await ask(plugged.gateway.url, 'tools/call', { name: 'desk__echo', arguments: {} }, by)).json.result;
  expect(begun).toMatchObject({ resultType: 'task', status: 'working' });
  const told = (await ask(plugged.gateway.url, 'tasks/get', { taskId: begun?.['taskId'] }, by)).json.result;
  expect(told).toMatchObject({ taskId: begun?.['taskId'], status: 'completed', result: text('changed') });
  expect(plugged.ran).toEqual([['onToolCallAfter', 'ok']]);
});

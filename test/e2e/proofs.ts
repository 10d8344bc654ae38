/** How each behaviour of the matrix is proved: once for all cells, with the official SDK's client (v2) in either era. */
import { Client, LOG_LEVEL_META_KEY, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect } from 'vitest';
import type { Cell } from './requirements.ts';

export interface Stage extends Cell {
  /** Of the gateway. */
  readonly gateway: string;
}

type Proof = (stage: Stage) => Promise<void>;

const ROOTS = [{ uri: 'file:///work', name: 'work' }];
const CHANGED = { tools: 'notifications/tools/list_changed', prompts: 'notifications/prompts/list_changed' } as const;

/** A connected client; by default it can be asked anything. */
async function connect(
  { gateway, client: era, upstream }: Stage,
  path = `/servers/${upstream.name}/mcp`,
  capabilities = ALL,
) {
  const client = new Client(
    { name: 'matrix', version: '1' },
    { capabilities, versionNegotiation: { mode: era === 'legacy' ? 'legacy' : 'auto' } },
  );
  if (capabilities === ALL) {
    client.setRequestHandler('elicitation/create', () => ({
      action: 'accept',
      content: { name: 'Ada', context: 'Ada' },
    }));
    client.setRequestHandler('sampling/createMessage', () => ({
      role: 'assistant',
      model: 'none',
      content: { type: 'text', text: 'hello' },
    }));
    client.setRequestHandler('roots/list', () => ({ roots: ROOTS }));
  }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway}${path}`)));
  expect(client.getProtocolEra()).toBe(era);
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

type Connected = Awaited<ReturnType<typeof connect>>;

const call = (client: Connected, name: string, args: Record<string, unknown> = {}) =>
  client.callTool({ name, arguments: args });

async function textOf(result: ReturnType<typeof call>): Promise<string> {
  const { content } = await result;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Resolves when the client has heard of it once more. */
function hears(client: Connected, method: (typeof CHANGED)[keyof typeof CHANGED]): Promise<void> {
  return new Promise((resolve) => client.setNotificationHandler(method, () => resolve()));
}

const asked =
  (tool: string, args: Record<string, unknown>, answer: string): Proof =>
  async (stage) => {
    await using client = await connect(stage);
    expect(await textOf(call(client, tool, args))).toContain(answer);
  };

function changed(list: 'tools' | 'prompts', trigger: string): Proof {
  return async (stage) => {
    await using client = await connect(stage);
    const names = async (): Promise<string[]> =>
      list === 'tools'
        ? (await client.listTools({}, { cacheMode: 'refresh' })).tools.map(({ name }) => name)
        : (await client.listPrompts({}, { cacheMode: 'refresh' })).prompts.map(({ name }) => name);
    const before = await names();
    const field = list === 'tools' ? 'toolsListChanged' : 'promptsListChanged';
    if (stage.client === 'modern') await client.listen({ [field]: true });
    const heard = hears(client, CHANGED[list]);
    await call(client, trigger);
    await heard;
    const after = await names();
    expect(Math.abs(after.length - before.length)).toBe(1);
  };
}

export const PROOFS: Readonly<Record<string, Proof>> = {
  hello: async (stage) => {
    await using client = await connect(stage);
    expect(client.getServerCapabilities()).toMatchObject({
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      completions: {},
      logging: {},
    });
    expect(client.getInstructions()).toContain('Be gentle.');
  },
  ping: async (stage) => {
    await using client = await connect(stage);
    await client.ping();
  },
  'tools-list': async (stage) => {
    await using client = await connect(stage);
    const { tools } = await client.listTools();
    expect(tools.find(({ name }) => name === 'test_structured')).toMatchObject({
      annotations: { readOnlyHint: true },
      icons: [{ mimeType: 'image/png' }],
      outputSchema: { required: ['sum'] },
    });
    const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema;
    expect(schema).toMatchObject({ $defs: { address: { $anchor: 'addressDef' } }, additionalProperties: false });
  },
  content: async (stage) => {
    await using client = await connect(stage);
    const types = async (tool: string) => (await call(client, tool)).content.map(({ type }) => type);
    expect(await types('test_multiple_content_types')).toEqual(['text', 'image', 'resource']);
    expect(await types('test_audio_content')).toEqual(['audio']);
    expect((await call(client, 'test_resource_link')).content).toEqual([
      { type: 'resource_link', uri: 'test://static-text', name: 'static-text' },
    ]);
  },
  structured: async (stage) => {
    await using client = await connect(stage);
    await client.listTools(); // So that the SDK checks the result against the schema.
    expect((await call(client, 'test_structured', { a: 1 })).structuredContent).toEqual({ sum: 2 });
  },
  meta: async (stage) => {
    await using client = await connect(stage);
    const result = await client.callTool({ name: 'test_meta', arguments: {}, _meta: { 'example.com/trace': 'abc' } });
    expect(result._meta).toMatchObject({ 'example.com/kept': true });
    expect(JSON.parse(await textOf(Promise.resolve(result)))).toMatchObject({ 'example.com/trace': 'abc' });
  },
  errors: async (stage) => {
    await using client = await connect(stage);
    expect(await call(client, 'test_error_handling')).toMatchObject({ isError: true });
    await expect(call(client, 'no_such_tool')).rejects.toMatchObject({ code: -32_602 });
  },
  progress: async (stage) => {
    await using client = await connect(stage);
    const seen: number[] = [];
    let done = false;
    const onprogress = ({ progress }: { progress: number }): void => void seen.push(done ? -1 : progress);
    await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, { onprogress });
    done = true;
    expect(seen).toEqual([0, 50, 100]);
  },
  logging: async (stage) => {
    await using client = await connect(stage);
    const heard: string[] = [];
    client.setNotificationHandler('notifications/message', ({ params }) => void heard.push(String(params.data)));
    const at = async (level: 'info' | 'error') => {
      if (stage.client === 'legacy') await client.setLoggingLevel(level);
      const _meta = stage.client === 'legacy' ? {} : { [LOG_LEVEL_META_KEY]: level };
      await client.callTool({ name: 'test_tool_with_logging', arguments: {}, _meta });
    };
    await at('error');
    expect(heard).toEqual([]);
    await at('info');
    expect(heard).toEqual(['Tool execution started', 'Tool processing data', 'Tool execution completed']);
  },
  cancel: async (stage) => {
    await using client = await connect(stage);
    const before = Number(await textOf(call(client, 'test_cancelled')));
    const stop = new AbortController();
    const hanging = client.callTool(
      { name: 'test_hang', arguments: {} },
      { signal: stop.signal, onprogress: () => stop.abort('enough') },
    );
    hanging.catch(() => {});
    await expect(hanging).rejects.toThrow();
    // However long the word of it takes: each look is a call of its own.
    while (Number(await textOf(call(client, 'test_cancelled'))) !== before + 1);
  },
  elicitation: asked('test_elicitation', { message: 'Who?' }, 'action=accept, content={"name":"Ada"'),
  sampling: asked('test_sampling', { prompt: 'Say hello' }, 'LLM response: hello'),
  roots: asked('test_roots', {}, `Roots: ${JSON.stringify(ROOTS)}`),
  undeclared: async (stage) => {
    await using client = await connect(stage, undefined, {} as typeof ALL);
    let asks = 0;
    client.fallbackRequestHandler = () => Promise.resolve({ asks: ++asks });
    const outcome = await textOf(call(client, 'test_sampling', { prompt: 'Say hello' })).catch(String);
    expect(outcome).toMatch(/not support|capabilit/i);
    expect(asks).toBe(0);
  },
  'prompts-list': async (stage) => {
    await using client = await connect(stage);
    const { prompts } = await client.listPrompts();
    expect(prompts.length).toBeGreaterThanOrEqual(5);
    expect(prompts.find(({ name }) => name === 'test_simple_prompt')?._meta).toEqual({ 'example.com/kept': true });
  },
  'prompts-get': async (stage) => {
    await using client = await connect(stage);
    const got = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } });
    expect(JSON.stringify(got.messages)).toContain("arg1='a', arg2='b'");
    await expect(client.getPrompt({ name: 'no_such_prompt' })).rejects.toMatchObject({ code: -32_602 });
  },
  'prompts-ask': async (stage) => {
    await using client = await connect(stage);
    const { messages } = await client.getPrompt({ name: 'test_input_required_result_prompt' });
    expect(JSON.stringify(messages)).toContain('Ada');
  },
  resources: async (stage) => {
    await using client = await connect(stage);
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toContain('test://static-binary');
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([{ title: 'By id' }]);
    const read = async (uri: string) => (await client.readResource({ uri })).contents[0];
    expect(await read('test://static-text')).toMatchObject({ text: 'This is the content of the resource.' });
    expect(await read('test://static-binary')).toHaveProperty('blob');
    expect(await read('test://template/7/data')).toMatchObject({ mimeType: 'application/json' });
  },
  'not-found': async (stage) => {
    await using client = await connect(stage);
    // The SDK reads either era's code as this one; what stands on the wire is the gateway's tests' business.
    await expect(client.readResource({ uri: 'test://none' })).rejects.toMatchObject({ code: -32_602 });
  },
  complete: async (stage) => {
    await using client = await connect(stage);
    const ref = { type: 'ref/prompt' as const, name: 'test_prompt_with_arguments' };
    const { completion } = await client.complete({ ref, argument: { name: 'arg1', value: 'park' } });
    expect(completion.values).toEqual(['park']);
  },
  updates: async (stage) => {
    await using client = await connect(stage);
    const uri = 'test://watched-resource';
    const heard = new Promise<string>((resolve) =>
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => resolve(params.uri)),
    );
    if (stage.client === 'legacy') await client.subscribeResource({ uri });
    else
      expect((await client.listen({ resourceSubscriptions: [uri] })).honoredFilter).toMatchObject({
        resourceSubscriptions: [uri],
      });
    await call(client, 'test_touch_resource');
    expect(await heard).toBe(uri);
  },
  'tools-changed': changed('tools', 'test_trigger_tool_change'),
  'prompts-changed': changed('prompts', 'test_trigger_prompt_change'),
  aggregated: async (stage) => {
    await using client = await connect(stage, `/projects/${stage.upstream.name}/mcp`);
    const { tools } = await client.listTools();
    const names = tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['hello__hello', `${stage.upstream.name}__test_simple_text`]));
    expect(await textOf(call(client, 'hello__hello', { name: 'Ada' }))).toBe('Hello, Ada!');
    const args = { message: 'Who?' };
    expect(await textOf(call(client, `${stage.upstream.name}__test_elicitation`, args))).toContain('action=accept');
    const prompt = await client.getPrompt({ name: `${stage.upstream.name}__test_simple_prompt` });
    expect(JSON.stringify(prompt.messages)).toContain('a simple prompt');
    expect((await client.readResource({ uri: 'test://static-text' })).contents).toHaveLength(1);
  },
};

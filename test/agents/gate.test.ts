/** A route with a gate: what a session sees before and after it said what it is about, in both eras. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Gateway } from '../../gateway/index.ts';
import { ask, modernClient } from '../gateway/helpers/modern.ts';
import { client, listen, principal, session, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';

type Answer = { content: { text: string }[]; isError?: boolean };

const GATE = { budgetBytes: 8192, ttlMs: 3_600_000 };
const RELEASE = '# Releases\n\nCut them from main on Tuesdays.\n\n## Approval\n\nTwo people say yes.';
const HUGE = `# Deploying by hand\n\n${'x'.repeat(9_000)}`;

let code: Upstream;
let gateway: Gateway;
const audited: AuditDraft[] = [];
const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };

const wish = (): Wish => {
  const route = (name: string, more: object) => ({
    [`/projects/${name}/mcp`]: { project: name, servers: ['code'], separator: '__', gate: GATE, ...more },
  });
  return {
    servers: { code: { endpoints: [code.endpoint], description: 'Code.' } },
    routes: {
      ...route('gated', { instructions: 'What the team uses.' }),
      ...route('lazy', { discovery: { mode: 'lazy' } }),
      ...route('search', { discovery: { mode: 'search' } }),
      ...route('short', { gate: { ...GATE, ttlMs: 50 } }),
      ...route('bare', {}),
    },
    principals: ['one', 'two', 'three'].map((name) => principal(name, name)),
    prompts: {
      'always-kind': { content: 'Be kind to each other.', priority: 10 },
      releases: { content: RELEASE, priority: 8 },
      'deploy-by-hand': { content: HUGE, priority: 7, projects: ['gated', 'lazy', 'search', 'short'] },
      holidays: { content: 'Ask Ada who is away. She knows.', priority: 3, projects: ['gated'] },
      elsewhere: { content: 'Not for here.', priority: 9, projects: ['other'] },
    },
  };
};

beforeAll(async () => {
  code = await socketUpstream('code');
  gateway = await start(snapshot(wish()), { audit });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await code[Symbol.asyncDispose]();
});

const textOf = (answer: unknown): string => (answer as Answer).content.map(({ text }) => text).join('\n');
const namesOf = ({ tools }: { tools: { name: string }[] }): string[] => tools.map(({ name }) => name);
const urlOf = (project: string): string => `${gateway.url}/projects/${project}/mcp`;

const open = {
  legacy: (project: string, token: string) => client(urlOf(project), token),
  modern: (project: string, token: string) => modernClient(urlOf(project), { token }),
};
/** Each era has credentials of its own, for a gate that is passed is passed in either. */
const TOKENS = { legacy: 'one', modern: 'two' } as const;

describe.each(['legacy', 'modern'] as const)('a client of the %s era', (era) => {
  const token = TOKENS[era];

  test('begins a session, and works', async () => {
    await using agent = await open[era]('gated', token);
    const instructions = agent.getInstructions() ?? '';
    expect(instructions.startsWith('Call the tool begin_session now')).toBe(true);
    expect(instructions).toContain('- releases (priority 8): Releases');
    expect(instructions).toContain('code__who');
    expect(instructions).toContain('What the team uses.');
    expect(instructions).not.toMatch(/tags|Tuesdays|elsewhere/);
    expect(instructions.indexOf('always-kind')).toBeLessThan(instructions.indexOf('holidays'));

    const { tools } = await agent.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['begin_session']);
    expect(tools[0]?.inputSchema).toMatchObject({ required: ['tags'], properties: { tags: { minItems: 1 } } });

    for (const tags of [undefined, [], '', [' ']]) {
      const refused = (await agent.callTool({ name: 'begin_session', arguments: { tags } })) as unknown as Answer;
      expect([refused.isError, textOf(refused)]).toEqual([true, expect.stringContaining('keyword')]);
    }
    expect(namesOf(await agent.listTools())).toEqual(['begin_session']);

    const before = audited.length;
    const begun = textOf(
      await agent.callTool({ name: 'begin_session', arguments: { tags: ['release', 'deploying'] } }),
    );
    expect(begun).toContain('# releases (priority 8)\n\n# Releases\n\nCut them from main on Tuesdays.');
    expect(begun).toContain('# always-kind (priority 10)\n\nBe kind to each other.');
    expect(begun).toContain('- deploy-by-hand (priority 7): Deploying by hand');
    expect(begun).toContain('- holidays (priority 3): Ask Ada who is away.');
    expect(begun).toContain('Your session has begun');
    expect(begun).not.toMatch(/xxx|Not for here/);
    expect(audited.slice(before)).toMatchObject([
      {
        kind: 'prompt_delivery',
        principal: `token:${token}`,
        project: 'gated',
        detail: {
          prompts: ['releases', 'always-kind'],
          overflow: 1,
          bytes: RELEASE.length + 'Be kind to each other.'.length,
          tags: 2,
          by: 'tags',
        },
      },
      { kind: 'gate_decision', detail: { decision: 'opened', by: 'begin_session' } },
      { kind: 'tool_call_trace', tool: 'begin_session' },
    ]);
    expect(JSON.stringify(audited.slice(before, before + 2))).not.toMatch(/Tuesdays|deploying/);

    expect(namesOf(await agent.listTools())).toEqual([
      ...code.tools.map(({ name }) => `code__${name}`),
      'read_prompts',
    ]);
    expect(textOf(await agent.callTool({ name: 'code__who', arguments: {} }))).not.toContain('#');
    const read = textOf(await agent.callTool({ name: 'read_prompts', arguments: { tags: 'holidays, weather' } }));
    expect(read).toContain('# holidays (priority 3)\n\nAsk Ada who is away. She knows.');
    expect(read).not.toContain('# releases (priority');

    // Without a session to remember it by, the credentials do.
    await using again = await open[era]('gated', token);
    expect(namesOf(await again.listTools())).toContain('code__who');
    expect(again.getInstructions()).not.toContain('begin_session');
    expect(again.getInstructions()).toContain('- releases (priority 8): Releases');
    await using elsewhere = await open[era]('bare', token);
    expect(namesOf(await elsewhere.listTools())).toEqual(['begin_session']);
  });

  test('skips it, and gets what it needs with the result', async () => {
    await using agent = await open[era]('bare', token);
    await expect(agent.callTool({ name: 'code__nothing', arguments: {} })).rejects.toThrow(/nothing/);
    const before = audited.length;
    const args = { text: 'a release of the app' };
    const { content } = (await agent.callTool({ name: 'code__echo', arguments: args })) as unknown as Answer;
    expect(content).toHaveLength(2);
    expect(JSON.stringify(content[0])).toContain('a release of the app');
    expect(content[1]?.text).toContain('# releases (priority 8)');
    expect(content[1]?.text).toContain('# always-kind (priority 10)');
    expect(content[1]?.text).toContain('without begin_session');
    expect(audited.slice(before).map(({ kind, detail }) => [kind, detail?.['by']])).toEqual([
      ['gate_decision', 'call'],
      ['prompt_delivery', 'tags'],
      ['tool_call_trace', undefined],
    ]);
    const second = (await agent.callTool({ name: 'code__echo', arguments: args })) as unknown as Answer;
    expect(second.content).toHaveLength(1);
    expect(namesOf(await agent.listTools())).toContain('code__echo');
  });

  test.each(['lazy', 'search'])('with %s discovery', async (project) => {
    const find = project === 'lazy' ? 'list_servers' : 'find_tools';
    await using agent = await open[era](project, token);
    expect(agent.getInstructions()).toContain(find);
    expect(agent.getInstructions()).not.toContain('code__who');
    expect(namesOf(await agent.listTools())).toEqual(['begin_session']);
    await agent.callTool({ name: 'begin_session', arguments: { tags: ['x'] } });
    const names = namesOf(await agent.listTools());
    expect(names).toEqual([
      expect.any(String),
      expect.any(String),
      expect.any(String),
      expect.any(String),
      'read_prompts',
    ]);
    expect(names).toContain(find);
    if (era === 'modern') return;
    // The gateway's own tools are tools, too: who skips the gate by one gets both.
    await using other = await open[era](project, 'three');
    expect(textOf(await other.callTool({ name: find, arguments: { query: 'echo' } }))).toContain('# always-kind');
  });

  test('is asked again when it was away for long', async () => {
    await using agent = await open[era]('short', token);
    await agent.callTool({ name: 'begin_session', arguments: { tags: ['x'] } });
    await expect
      .poll(async () => {
        await new Promise((resolve) => setTimeout(resolve, 60));
        return namesOf(await agent.listTools());
      })
      .toEqual(['begin_session']);
  });
});

test('a client that listens hears of its tools when the session has begun, and others do not', async () => {
  const path = '/projects/gated/mcp';
  const [mine, other] = [
    await session(gateway.url, { path, token: 'three' }),
    await session(gateway.url, { path, token: 'one' }),
  ];
  const stream = await listen(gateway.url, mine.id, path, undefined, 'three');
  const foreign = await listen(gateway.url, other.id, path, undefined, 'one');
  await mine.rpc('tools/call', { name: 'begin_session', arguments: { tags: ['x'] } });
  expect(await stream.next()).toMatchObject({ method: 'notifications/tools/list_changed' });
  await gateway.swap(
    snapshot({ ...wish(), routes: { ...wish().routes, [path]: { project: 'gated', servers: [], gate: GATE } } }),
  );
  // The first that the other hears of is the swap, which tells of all lists.
  expect(await foreign.next()).toMatchObject({ method: 'notifications/tools/list_changed' });
  expect(await foreign.next()).toMatchObject({ method: 'notifications/prompts/list_changed' });
  // Who has begun has begun, whatever the config says now.
  const { json } = await mine.rpc('tools/list');
  expect(namesOf(json.result as { tools: { name: string }[] })).toEqual(['read_prompts']);
  stream.close();
  foreign.close();
  await gateway.swap(snapshot(wish()));
});

test('where nobody needs credentials, each session passes for itself; without one, all on this machine do', async () => {
  await using local = await start({ ...wish(), principals: [] });
  const path = '/projects/gated/mcp';
  const [first, second] = [await session(local.url, { path }), await session(local.url, { path })];
  const listed = async (one: typeof first): Promise<string[]> =>
    namesOf((await one.rpc('tools/list')).json.result as { tools: { name: string }[] });
  // Without a stream of its own it is told on that of the call.
  const begun = await first.rpc('tools/call', { name: 'begin_session', arguments: { tags: ['x'] } });
  expect(begun.text).toContain('notifications/tools/list_changed');
  expect(await listed(first)).toContain('read_prompts');
  expect(await listed(second)).toEqual(['begin_session']);
  const modern = async (): Promise<string[]> =>
    namesOf((await ask(local.url, 'tools/list', {}, { path })).json.result as { tools: { name: string }[] });
  expect(await modern()).toEqual(['begin_session']);
  await ask(local.url, 'tools/call', { name: 'begin_session', arguments: { tags: ['x'] } }, { path });
  expect(await modern()).toContain('read_prompts');
  expect(await listed(await session(local.url, { path }))).toEqual(['begin_session']);
});

test('the words of the gate are the config’s to change, and come back', async () => {
  const own = (text?: string): Wish => ({
    ...wish(),
    prompts: { ...wish().prompts, ...(text === undefined ? {} : { 'slipway-gate': { content: text, priority: 5 } }) },
  });
  await using local = await start({ ...own('Say what you are up to.'), principals: [] });
  const told = async (): Promise<string> => {
    await using agent = await client(`${local.url}/projects/gated/mcp`);
    expect((await agent.listPrompts()).prompts.map(({ name }) => name)).not.toContain('slipway-gate');
    return (agent.getInstructions() ?? '').split('\n')[0] ?? '';
  };
  expect(await told()).toBe('Say what you are up to.');
  await local.swap(snapshot({ ...own(), principals: [] }));
  expect(await told()).toContain('Call the tool begin_session now');
});

test('no tool of a server takes the place of one of the gate', async () => {
  await using up = await socketUpstream('up');
  up.tools.push(...['begin_session', 'read_prompts'].map((name) => ({ name, inputSchema: { type: 'object' } })));
  const warned: unknown[] = [];
  const log = (level: string, _message: string, fields?: object): void =>
    void (level === 'warn' && warned.push((fields as { name?: string }).name));
  const route = { project: 'dev', servers: ['up'], separator: '__', gate: GATE, overrides: { up: { prefix: '' } } };
  const wanted = { servers: { up: up.endpoint }, routes: { '/projects/dev/mcp': route } };
  await using local = await start(wanted, { log });
  await using agent = await client(`${local.url}/projects/dev/mcp`);
  const begun = await agent.callTool({ name: 'begin_session', arguments: { tags: ['x'] } });
  expect(textOf(begun)).toContain('Your session has begun');
  expect(namesOf(await agent.listTools())).toEqual(['echo', 'slow', 'progress', 'fail', 'hang', 'who', 'read_prompts']);
  expect(warned).toEqual(['begin_session', 'read_prompts']);
});

describe('what a session proposes', () => {
  const asked: unknown[] = [];
  const control = async ({ body, caller }: { body?: unknown; caller: { key: string } }) => {
    asked.push({ body, by: caller.key });
    return { status: 201, body: { id: 'x-1', branch: 'slipway/proposals/x-1' } };
  };
  const config = (more: object = {}): Wish => ({
    ...wish(),
    routes: { '/projects/dev/mcp': { project: 'dev', servers: [], gate: { ...GATE, ...more } } },
  });

  test('is checked before anybody is asked', async () => {
    await using local = await start(config({ proposals: true }), { control });
    const agent = await session(local.url, { path: '/projects/dev/mcp', token: 'one' });
    const propose = async (args: object): Promise<string> =>
      (await agent.rpc('tools/call', { name: 'propose_prompt', arguments: args })).text;
    const content = 'Something.';
    for (const [args, word] of [
      [{ content }, 'name must be'],
      [{ name: 'Not So', content }, 'name must be'],
      [{ name: '__proto__', content }, 'name must be'],
      [{ name: 'a' }, 'content must be'],
      [{ name: 'a', content: ' ' }, 'content must be'],
      [{ name: 'a', content: 'x'.repeat(16_385) }, 'at most 16384'],
      [{ name: 'a', content, priority: 10 }, 'from 1 to 9'],
      [{ name: 'a', content, priority: 1.5 }, 'from 1 to 9'],
      [{ name: 'elsewhere', content }, 'is taken'],
      [{ name: 'slipway-gate', content }, 'is taken'],
    ] as const)
      expect(await propose(args), JSON.stringify(args).slice(0, 60)).toContain(word);
    expect(asked).toEqual([]);
    expect(await propose({ name: 'constructor', content, summary: 'Two\n lines.', priority: '7' })).toContain('x-1');
    const spec = { content, priority: 7, summary: 'Two lines.', projects: ['dev'] };
    expect(asked).toMatchObject([
      {
        by: 'token:one',
        body: {
          title: 'Prompt constructor: Two lines.',
          resources: [{ apiVersion: 'slipway/v1', kind: 'Prompt', metadata: { name: 'constructor' }, spec }],
        },
      },
    ]);
  });

  test('is nothing where the config says so, or nobody takes it', async () => {
    await using off = await start(config(), { control });
    const one = await session(off.url, { path: '/projects/dev/mcp', token: 'one' });
    const args = { name: 'a', content: 'b' };
    expect((await one.rpc('tools/call', { name: 'propose_prompt', arguments: args })).json.error).toBeDefined();
    await using alone = await start(config({ proposals: true }));
    const other = await session(alone.url, { path: '/projects/dev/mcp', token: 'one' });
    const { text } = await other.rpc('tools/call', { name: 'propose_prompt', arguments: args });
    expect(text).toContain('Nothing can be proposed here.');
  });
});

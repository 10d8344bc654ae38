/** A route with a gate: what a session sees before and after it said what it is about, in both eras. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Gateway } from '../../gateway/index.ts';
import { ask, modernClient } from '../gateway/helpers/modern.ts';
import { client, listen, session, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';
import { GATE, gated, namesOf, RELEASE, textOf, type Answer } from './helpers/gated.ts';

let code: Upstream;
let gateway: Gateway;
const audited: AuditDraft[] = [];
const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };

const wish = (): Wish => gated(code);

beforeAll(async () => {
  code = await socketUpstream('code');
  gateway = await start(snapshot(wish()), { audit });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await code[Symbol.asyncDispose]();
});

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

/** `run_script` at the gateway: many calls in one, each judged, counted and told of as any other, for clients of both eras. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Gateway } from '../../gateway/index.ts';
import type { Route } from '../../schemas/snapshot.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { client, principal, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';
import { CODE_MODE as ROOMY } from './helpers/code-mode.ts';

const CODE_MODE = { ...ROOMY, cpuMs: 20_000, consoleBytes: 100 };

type Answer = { content: { type: string; text: string }[]; isError?: boolean };

interface Agent extends AsyncDisposable {
  tools(): Promise<{ name: string }[]>;
  call(
    name: string,
    args: Record<string, unknown>,
    onProgress?: (progress: { message?: string | undefined }) => void,
  ): Promise<Answer>;
}

const ELICITATION = { elicitation: { form: {} } };
const ADA = () => ({ action: 'accept' as const, content: { name: 'Ada' } });

const ERAS = {
  async legacy(url: string, token = 'secret'): Promise<Agent> {
    const sdk = await client(url, token, ELICITATION);
    const { ElicitRequestSchema } = await import('@modelcontextprotocol/sdk/types.js');
    sdk.setRequestHandler(ElicitRequestSchema, ADA);
    return {
      tools: async () => (await sdk.listTools()).tools,
      call: async (name, args, onprogress) =>
        (await sdk.callTool(
          { name, arguments: args },
          undefined,
          onprogress ? { onprogress } : {},
        )) as unknown as Answer,
      [Symbol.asyncDispose]: () => sdk[Symbol.asyncDispose](),
    };
  },
  async modern(url: string, token = 'secret'): Promise<Agent> {
    const sdk = await modernClient(url, { token, capabilities: ELICITATION });
    sdk.setRequestHandler('elicitation/create', ADA);
    return {
      tools: async () => (await sdk.listTools()).tools,
      call: async (name, args, onprogress) =>
        (await sdk.callTool({ name, arguments: args }, onprogress ? { onprogress } : {})) as unknown as Answer,
      [Symbol.asyncDispose]: () => sdk[Symbol.asyncDispose](),
    };
  },
};

let hub: Upstream;
let notes: Upstream;
let gateway: Gateway;
const audited: AuditDraft[] = [];
const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };

const route = (name: string, more: Partial<Route> = {}): Record<string, Route> => ({
  [`/projects/${name}/mcp`]: {
    project: name,
    servers: ['git-hub', 'notes'],
    separator: '__',
    codeMode: CODE_MODE,
    ...more,
  },
});

const wish = (more: Partial<Wish> = {}): Wish => ({
  servers: {
    'git-hub': { endpoints: [hub.endpoint], validateArguments: true },
    notes: { endpoints: [notes.endpoint] },
  },
  routes: {
    ...route('full', { overrides: { notes: { prefix: 'n_', tools: { who: { name: 'whoami' } }, hide: ['hang'] } } }),
    ...route('search', { discovery: { mode: 'search' } }),
    ...route('lazy', { discovery: { mode: 'lazy' } }),
    ...route('quick', { codeMode: { ...CODE_MODE, timeoutMs: 1_500, cpuMs: 500 } }),
    ...route('tiny', { codeMode: { ...CODE_MODE, maxCalls: 3, maxConcurrentCalls: 1 } }),
    ...route('off', { codeMode: undefined }),
  },
  principals: [principal('ci', 'secret'), principal('other', 'geheim')],
  access: {
    servers: {
      notes: {
        file: 'n.yaml',
        line: 8,
        rules: [{ pattern: 'slow', action: 'deny', message: 'Not slowly.', file: 'n.yaml', line: 9 }],
      },
    },
  },
  ...more,
});

beforeAll(async () => {
  [hub, notes] = await Promise.all([socketUpstream('hub', { all: true }), socketUpstream('notes')]);
  hub.tools.push({
    name: 'create-issue',
    description: 'Opens an issue in a repository.',
    inputSchema: {
      type: 'object',
      properties: { repo: { type: 'string' }, title: { type: 'string' } },
      required: ['repo'],
    },
  });
  gateway = await start(snapshot(wish()), { audit });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await Promise.all([hub, notes].map((one) => one[Symbol.asyncDispose]()));
});

const textOf = ({ content }: Answer): string => content[0]?.text ?? '';

describe.each(['legacy', 'modern'] as const)('a client of the %s era', (era) => {
  const open = (project: string, token?: string): Promise<Agent> =>
    ERAS[era](`${gateway.url}/projects/${project}/mcp`, token);
  const run = async (script: string, project = 'full'): Promise<Answer> => {
    await using agent = await open(project);
    return await agent.call('run_script', { script });
  };
  const value = async (script: string, project?: string): Promise<unknown> => {
    const answer = await run(script, project);
    if (answer.isError) throw new Error(textOf(answer));
    return JSON.parse(textOf(answer));
  };

  test('finds it beside all tools, and beside those that find them; nowhere without leave of the config', async () => {
    const namesOf = async (project: string): Promise<string[]> => {
      await using agent = await open(project);
      return (await agent.tools()).map(({ name }) => name);
    };
    expect((await namesOf('full')).slice(-2)).toEqual(['n_whoami', 'run_script']);
    expect(await namesOf('search')).toEqual([
      'find_tools',
      'call_tool_read',
      'call_tool_write',
      'call_tool',
      'run_script',
    ]);
    expect((await namesOf('lazy')).at(-1)).toBe('run_script');
    expect(await namesOf('off')).not.toContain('run_script');
    await using agent = await open('off');
    await expect(agent.call('run_script', { script: 'return 1;' })).rejects.toThrow('Unknown tool');
  });

  test('calls tools by any of their names, and gets data', async () => {
    expect(
      await value(
        'return await Promise.all([tools.git_hub.who(), callTool("git-hub__who"), tools["git-hub"].who(), tools.git_hub__who()]);',
      ),
    ).toEqual(['hub', 'hub', 'hub', 'hub']);
    expect(
      await value('return [await tools.notes.whoami(), await tools.notes.who(), await callTool("n_whoami")];'),
    ).toEqual(['notes', 'notes', 'notes']);
    const asks =
      'const { result } = await tools.git_hub.ask({ method: "roots/list" }).catch(() => ({ result: 1 })); return [typeof result];';
    expect(await value(asks)).toHaveLength(1);
    expect(await value('return (await tools.git_hub.echo({ text: "hi" })).split(":");', 'search')).toEqual([
      'hub',
      'hi',
    ]);
    expect(await value('return (await tools.notes.who());', 'lazy').catch((error: Error) => error.message)).toContain(
      'JSON',
    );
  });

  test('looks for tools in the catalog that its caller sees', async () => {
    const [found] = (await value('return await listTools("open an issue", 1);')) as [Record<string, unknown>];
    expect(found).toEqual({
      name: 'git-hub__create-issue',
      description: 'Opens an issue in a repository.',
      params: 'repo*, title',
      call: 'tools.git_hub.create_issue',
    });
    expect(await value('return await describeTool("git-hub__create-issue");')).toMatchObject({
      inputSchema: { required: ['repo'] },
    });
    expect(await value('return (await listTools("", 100)).map(({ name }) => name);')).not.toContain('n_hang');
    expect(await value('return (await listTools("", 100)).map(({ name }) => name);')).not.toContain('n_slow');
    expect(textOf(await run('await describeTool("git-hub__create_isue");'))).toContain(
      'Did you mean git-hub__create-issue?',
    );
  });

  test('what fails is thrown in the script, which may go on', async () => {
    const caught = (call: string): Promise<unknown> =>
      value(`try { await ${call}; return 'none'; } catch (error) { return [error.message]; }`);
    expect(await caught('tools.git_hub.fail()')).toEqual([expect.stringContaining('no')]);
    expect(await caught('tools.git_hub.create_issue({})')).toEqual([expect.stringContaining('Invalid arguments')]);
    expect(await caught('tools.notes.slow({})')).toEqual([expect.stringContaining('notes:slow is blocked')]);
    expect(await caught('tools.notes.hang()')).toEqual([expect.stringContaining('There is no tool')]);
    expect(await caught('tools.nobody.who()')).toEqual([expect.stringContaining('There is no tool nobody.who')]);
    expect(await caught('callTool("git-hub__whp")')).toEqual([expect.stringContaining('Did you mean git-hub__who?')]);
    expect(await caught('callTool()')).toEqual([expect.stringContaining('Name a tool')]);
    expect(await caught('callTool("git-hub__who", 7)')).toEqual([expect.stringContaining('must be an object')]);
    expect(await caught('callTool("run_script", { script: "" })')).toEqual([
      expect.stringContaining('There is no tool run_script'),
    ]);
    const failed = await run('console.log("so far");\nawait tools.git_hub.fail();');
    expect(failed.isError).toBe(true);
    expect(textOf(failed)).toContain('The script failed: Error: no');
    expect(failed.content[1]?.text).toBe('console:\nso far');
  });

  test('each call is an event of its own, found by that of the script', async () => {
    audited.length = 0;
    await run('await tools.git_hub.who(); await tools.notes.slow().catch(() => {}); return { secret: "x" };');
    const script = await eventually(() => audited.find(({ kind }) => kind === 'script_execution'));
    expect(script).toMatchObject({
      tool: 'run_script',
      outcome: 'ok',
      principal: 'token:ci',
      detail: { calls: 2, failed: 1 },
    });
    const calls = audited.filter(({ parentId }) => parentId === script.requestId);
    expect(calls.map(({ kind, server, tool, outcome }) => [kind, server, tool, outcome])).toEqual([
      ['tool_call_trace', 'git-hub', 'who', 'ok'],
      ['rbac_decision', 'notes', 'slow', 'denied'],
    ]);
    for (const { principal: who, project, method, correlationId } of calls)
      expect([who, project, method, correlationId]).toEqual(['token:ci', 'full', 'tools/call', script.requestId]);
  });

  test('is told of progress, if it wants to', async () => {
    await using agent = await open('full');
    const seen: unknown[] = [];
    await agent.call('run_script', { script: 'await tools.git_hub.who(); await tools.notes.who();' }, ({ message }) =>
      seen.push(message),
    );
    expect(seen).toEqual(['git-hub__who', 'n_whoami']);
  });

  test('what a server asks meanwhile, its person answers, however long that takes', async () => {
    const params = '{ message: "Who?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } }';
    const script = `
      const one = tools.git_hub.ask({ method: 'elicitation/create', params: ${params} });
      const two = tools.git_hub.ask({ method: 'elicitation/create', params: ${params} });
      return [(await one).result, (await two).result, await tools.git_hub.who()];`;
    const accepted = { action: 'accept', content: { name: 'Ada' } };
    expect(await value(script)).toEqual([accepted, accepted, 'hub']);
  });

  test('is stopped at its caps, and told which', async () => {
    const said = async (script: string, project: string): Promise<string> => {
      const answer = await run(script, project);
      expect(answer.isError).toBe(true);
      return textOf(answer);
    };
    expect(await said('console.log(1); while (true) {}', 'quick')).toContain('it computed more than 500 ms');
    expect(await said('await tools.git_hub.hang();', 'quick')).toContain('it ran longer than 1500 ms');
    expect(await said('await new Promise(() => {});', 'full')).toContain('forget an await');
    expect(await said('return "x".repeat(6_000);', 'full')).toContain('Return less');
    expect(await said('const a = []; while (true) a.push(new Array(1e5).fill(1));', 'full')).toContain('out of memory');
    expect(await said(`/* ${'x'.repeat(10_000)} */`, 'full')).toContain('longer than 10000 bytes');
    expect(await said('', 'full')).toContain('Give the JavaScript');
    const seen = hub.seen.length;
    const flood =
      'let ok = 0, no = 0; for (let i = 0; i < 3_000; i++) await tools.git_hub.who().then(() => ok++, () => no++); return [ok, no];';
    expect(await value(flood, 'tiny')).toEqual([3, 2997]);
    expect(hub.seen.length - seen).toBeLessThan(20);
    const logged = await run('for (let i = 0; i < 1e4; i++) console.log("0123456789"); return 1;');
    expect(logged.content[1]?.text.length).toBeLessThan(200);
    expect(logged.content[1]?.text).toContain('(the console is full)');
  });

  test('leaves nothing for the next', async () => {
    await run('globalThis.mine = 1; Object.prototype.mine = 1; Array.prototype.map = null; return 1;');
    expect(await value('return [typeof mine, typeof ({}).mine, typeof [].map];')).toEqual([
      'undefined',
      'undefined',
      'function',
    ]);
  });
});

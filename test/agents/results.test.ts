/** What becomes of long results on their way to an agent, in both eras and in every way to see tools. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Gateway } from '../../gateway/index.ts';
import { client, start } from '../gateway/helpers/gateway.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { answering, type Answering } from './helpers/answering.ts';
import { ANSWERS, BOOK, PICTURE, ROWS, routesTo, TOKEN, TOOLS } from './helpers/library.ts';

type Result = {
  content: { type: string; text: string; [field: string]: unknown }[];
  isError?: boolean;
  structuredContent?: unknown;
};
type Agent = Awaited<ReturnType<typeof client>>;

let library: Answering;
let gateway: Gateway;
const audited: AuditDraft[] = [];
const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };

beforeAll(async () => {
  library = await answering('library', TOOLS, ANSWERS);
  gateway = await start(routesTo(library), { audit });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await library[Symbol.asyncDispose]();
});
beforeEach(() => {
  audited.length = 0;
  library.calls.length = 0;
});

const ERAS = {
  legacy: (url: string, token: string) => client(url, token),
  modern: (url: string, token: string) => modernClient(url, { token }) as unknown as Promise<Agent>,
};
const idIn = ({ content }: Result): string => /^_resultId: (\S+)$/m.exec(content.at(-1)?.text ?? '')?.[1] ?? 'none';

describe.each(['legacy', 'modern'] as const)('a client of the %s era', (era) => {
  const open = (project: string, token = 'ada') => ERAS[era](`${gateway.url}/projects/${project}/mcp`, token);
  const asked = async (agent: Agent, name: string, args: Record<string, unknown> = {}): Promise<Result> =>
    (await agent.callTool({ name, arguments: args })) as unknown as Result;
  const said = async (agent: Agent, name: string, args: Record<string, unknown> = {}): Promise<string> =>
    (await asked(agent, name, args)).content[0]?.text ?? '';

  test('gets a table of contents, and reads on by the same tool, get_section and grep_result', async () => {
    await using agent = await open('full');
    const { tools } = await agent.listTools();
    expect(tools.map(({ name }) => name).slice(-2)).toEqual(['get_section', 'grep_result']);
    const table = await asked(agent, 'library__rows');
    const id = idIn(table);
    expect(table.content[0]?.text).toMatch(/^1\. \[0–\d+\] \(\d+ characters\): \[\{"id":0/m);
    expect(table.content[0]?.text.length).toBeLessThan(2000);
    const sections = [...(table.content[0]?.text ?? '').matchAll(/^(\d+)\. /gm)].map(([, number]) => String(number));
    const read = await Promise.all(
      sections.map((_section) => said(agent, 'library__rows', { _resultId: id, _section })),
    );
    expect(read.flatMap((part) => JSON.parse(part) as unknown[])).toEqual(ROWS);
    expect(await said(agent, 'get_section', { resultId: id, section: '2' })).toBe(read[1]);
    expect(await said(agent, 'get_section', { resultId: id })).toBe(table.content[0]?.text);
    expect(JSON.parse(await said(agent, 'grep_result', { resultId: id, text: 'C399@example' }))).toEqual({
      matches: [{ section: sections.at(-1), text: expect.stringContaining('"mail":"c399@example.com"') as unknown }],
      more: false,
    });
    expect(library.calls).toEqual(['rows']);
  });

  test('is told what is wrong with what it asks for', async () => {
    await using agent = await open('full');
    const id = idIn(await asked(agent, 'library__book'));
    expect(await asked(agent, 'library__book', { _resultId: id, _section: '99' })).toMatchObject({
      isError: true,
      content: [{ text: 'There is no section 99: 1 to 6.' }],
    });
    for (const args of [{ resultId: 'x' }, { resultId: '../../etc' }, { resultId: id, section: '1.1.1' }, {}])
      expect(await asked(agent, 'get_section', args)).toMatchObject({ isError: true });
    expect(await asked(agent, 'library__rows', { _resultId: id })).toMatchObject({ isError: true });
    for (const args of [{ resultId: id }, { resultId: id, text: 'x'.repeat(101) }, { resultId: 'x', text: 'y' }])
      expect(await asked(agent, 'grep_result', args)).toMatchObject({ isError: true });
    expect(library.calls).toEqual(['book']);
  });

  test('is answered before arguments are looked at, unless the argument is the tool’s own', async () => {
    await using agent = await open('full');
    expect(await asked(agent, 'library__strict', {})).toMatchObject({ isError: true });
    const id = idIn(await asked(agent, 'library__strict', { id: 'a' }));
    expect(await said(agent, 'library__strict', { _resultId: id, _section: '1' })).toContain('"customer 0"');
    expect(await said(agent, 'library__own', { _resultId: 'x' })).toBe('its own: x');
  });

  test('cannot read what another got, nor on another route', async () => {
    await using ada = await open('full');
    await using bob = await open('full', 'bob');
    await using elsewhere = await open('lazy');
    const id = idIn(await asked(ada, 'library__book'));
    const unknown = { isError: true, content: [{ text: expect.stringContaining('There is no result') as unknown }] };
    expect(await asked(bob, 'library__book', { _resultId: id, _section: '1' })).toMatchObject(unknown);
    expect(await asked(bob, 'get_section', { resultId: id, section: '1' })).toMatchObject(unknown);
    expect(await asked(bob, 'grep_result', { resultId: id, text: 'Words' })).toMatchObject(unknown);
    expect(await asked(elsewhere, 'get_section', { resultId: id, section: '1' })).toMatchObject(unknown);
    expect(await said(ada, 'get_section', { resultId: id, section: '1' })).toContain('# Chapter 1');
  });

  test('reads on through lazy and search discovery just so', async () => {
    await using lazy = await open('lazy');
    expect((await lazy.listTools()).tools.map(({ name }) => name).slice(-2)).toEqual(['get_section', 'grep_result']);
    const invoke = (parameters: object) =>
      asked(lazy, 'invoke_command', { server: 'library', command_name: 'book', parameters });
    const id = idIn(await invoke({}));
    expect((await invoke({ _resultId: id, _section: '3' })).content[0]?.text).toContain('# Chapter 3');
    expect(await said(lazy, 'get_section', { resultId: id, section: 'Chapter 2' })).toContain('# Chapter 2');
    await using search = await open('search');
    const call = (args: object) => asked(search, 'call_tool', { name: 'library__book', arguments: args });
    const other = idIn(await call({}));
    expect((await call({ _resultId: other, _section: '6' })).content[0]?.text).toContain('# Chapter 6');
    expect(library.calls).toEqual(['book', 'book']);
  });

  test('gets what is small, what failed, and what is no text as it is', async () => {
    await using agent = await open('full');
    expect(await said(agent, 'library__small')).toBe('{"small": true}');
    expect(await asked(agent, 'library__failing')).toMatchObject(ANSWERS.failing());
    const { content } = await asked(agent, 'library__mixed');
    expect(content).toMatchObject([
      { text: 'first' },
      PICTURE,
      { text: expect.stringContaining('_resultId') as unknown },
    ]);
    await using off = await open('off');
    expect((await off.listTools()).tools.map(({ name }) => name)).not.toContain('get_section');
    expect(await said(off, 'library__book')).toBe(BOOK);
  });

  test('gets structured content that is what the tool’s schema says; a copy that nothing promises goes with its text', async () => {
    await using agent = await open('full');
    // The client has the schemas now, and throws at what does not fit.
    await agent.listTools();
    const exact = await asked(agent, 'library__exact');
    expect(exact.structuredContent).toEqual({ rows: ROWS });
    expect(exact.content[0]?.text).toContain('_resultId');
    const copied = await asked(agent, 'library__copied');
    expect(copied).not.toHaveProperty('structuredContent');
    expect(await said(agent, 'get_section', { resultId: idIn(copied), section: '1' })).toContain('"customer 0"');
  });

  test('gets the texts of prompts in parts, too', async () => {
    await using agent = await open('full');
    const table = await agent.getPrompt({ name: 'library__guide' });
    const id = idIn({ content: [table.messages[0]?.content as Result['content'][number]] });
    const args = { _resultId: id, _section: '4' };
    const { messages } = await agent.getPrompt({ name: 'library__guide', arguments: args });
    expect(messages).toMatchObject([
      { role: 'user', content: { text: expect.stringMatching(/^# Chapter 4/) as unknown } },
    ]);
    const wrong = agent.getPrompt({ name: 'library__guide', arguments: { _resultId: id, _section: '40' } });
    await expect(wrong).rejects.toThrow('There is no section 40: 1 to 6.');
    expect(library.calls).toEqual(['guide']);
  });

  test('an override goes before the project’s pipeline, that before the server’s', async () => {
    await using override = await open('override');
    expect(await said(override, 'library__book')).toMatch(
      /^# Chapter 1[^]{400,500}\n\[… \d+ more characters were left out\]$/,
    );
    await using toon = await open('toon');
    expect(await said(toon, 'library__rows')).toMatch(/^\[400\]\{id,name,mail,note\}:\n/);
    await using own = await ERAS[era](`${gateway.url}/servers/library/mcp`, 'ada');
    expect(idIn(await asked(own, 'book'))).not.toBe('none');
  });

  test('a guard looks at all that gets out, and lets nothing out that it could not look at', async () => {
    await using agent = await open('guard');
    const leak = await asked(agent, 'library__leak');
    expect(leak.content).toMatchObject([
      { text: 'a token: [redacted:aws-access-key]' },
      { resource: { text: 'another: [redacted:aws-access-key], and card [redacted]' } },
      { data: TOKEN },
    ]);
    expect(leak.structuredContent).toEqual({ token: '[redacted:aws-access-key]' });
    await using slow = await open('slow-guard');
    const began = performance.now();
    const withheld = await asked(slow, 'library__book');
    expect(performance.now() - began).toBeGreaterThan(1000);
    expect(withheld).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('was withheld') as unknown }],
    });
    expect(audited.filter(({ kind }) => kind.endsWith('_execution'))).toMatchObject([
      { kind: 'stage_execution', outcome: 'timeout', deniedReason: 'stage_time' },
      { kind: 'pipeline_execution', outcome: 'failed', detail: { failed: ['redact'], bytesOut: 0 } },
    ]);
  }, 60_000);

  test('a stage that fails leaves the text as it was, and the log knows of it, but of no content', async () => {
    await using agent = await open('broken');
    const id = idIn(await asked(agent, 'library__book'));
    expect(await said(agent, 'get_section', { resultId: id, section: '1' })).toContain('# Chapter 1');
    const events = audited.filter(({ kind }) => kind === 'stage_execution' || kind === 'pipeline_execution');
    expect(events).toMatchObject([
      {
        kind: 'stage_execution',
        outcome: 'failed',
        principal: 'token:ada',
        project: 'broken',
        server: 'library',
        tool: 'book',
      },
      { kind: 'stage_execution', outcome: 'ok', detail: { stage: 'section-split', pipeline: 'broken' } },
      { kind: 'pipeline_execution', outcome: 'failed', detail: { failed: ['module'], sections: 6 } },
    ]);
    expect(events[0]?.detail).toEqual({
      pipeline: 'broken',
      stage: 'module',
      input: 'toolResult',
      bytesIn: BOOK.length,
      bytesOut: BOOK.length,
    });
    expect(JSON.stringify(events)).not.toMatch(/secret words|Words of/);
  });
});

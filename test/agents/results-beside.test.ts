/** Pipelines beside what else becomes of a result: limits, budgets, the cache, rights that change, models, scripts, custom code. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import type { Gateway } from '../../gateway/index.ts';
import { Sections } from '../../gateway/results/sections.ts';
import type { PipelineEntry } from '../../schemas/pipelines.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { principal, session, snapshot, start, type Session, type Wish } from '../gateway/helpers/gateway.ts';
import { Models } from '../helpers/models.ts';
import { eventually } from '../helpers/until.ts';
import { answering, type Answering } from './helpers/answering.ts';

const BOOK = Array.from(
  { length: 4 },
  (_, at) => `# Chapter ${at + 1}\n\n${`Words of ${at + 1}. `.repeat(300)}\n\n`,
).join('');
const TOKEN = `AKIA${'ABCD'.repeat(4)}`;
const ROWS = Array.from({ length: 200 }, (_, id) => ({ id, token: TOKEN, note: 'x'.repeat(50) }));
const SPLIT = { type: 'section-split', minSize: 2048, maxSize: 15_360 } as const;
const through = (...stages: PipelineEntry['stages']): PipelineEntry => ({
  appliesTo: ['toolResult'],
  minBytes: 2048,
  stages,
});
const code = (text: string, more: object = {}): PipelineEntry['stages'][number] => ({
  type: 'module',
  file: 'stages/own.mjs',
  code: text,
  config: { suffix: '!' },
  timeoutMs: 10_000,
  memoryBytes: 2 ** 24,
  ...more,
});

const CODE_MODE = {
  timeoutMs: 30_000,
  cpuMs: 10_000,
  memoryBytes: 2 ** 25,
  maxCalls: 5,
  maxConcurrentCalls: 2,
  scriptBytes: 10_000,
  resultBytes: 10_000,
  consoleBytes: 100,
};

let library: Answering;
let models: Models;
let gateway: Gateway;
let events: { kind: string; detail?: unknown; deniedReason?: string | undefined }[] = [];
beforeAll(async () => {
  library = await answering(
    'library',
    [
      { name: 'book', annotations: { readOnlyHint: true } },
      { name: 'rows' },
      { name: 'odd' },
      { name: 'bare' },
      { name: 'refusing' },
    ],
    {
      book: () => ({ content: [{ type: 'text', text: BOOK }] }),
      rows: () => ({ content: [{ type: 'text', text: JSON.stringify(ROWS) }] }),
      odd: () => ({ content: [null, 5, { type: 'text' }, { type: 'text', text: 'a' }, { type: 'text', text: BOOK }] }),
      bare: () => ({}),
      guide: () => ({ description: TOKEN, messages: [null, { role: 'user', content: { type: 'text', text: TOKEN } }] }),
    },
  );
  models = await Models.start();
  gateway = await start(
    {},
    {
      audit: {
        record: ({ kind, detail, deniedReason }) => void events.push({ kind, detail, deniedReason }),
        blocked: false,
      },
    },
  );
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await Promise.all([library, models].map((one) => one[Symbol.asyncDispose]()));
});
beforeEach(() => {
  events = [];
  library.calls.length = 0;
  models.asked.length = 0;
});

const config = (
  pipeline: PipelineEntry,
  { server = {}, route = {}, ...wish }: Wish & { server?: object; route?: object } = {},
): Snapshot =>
  snapshot({
    servers: { library: { endpoints: [library.endpoint], ...server } },
    routes: {
      '/projects/dev/mcp': { project: 'dev', servers: ['library'], separator: '__', pipeline: 'it', ...route },
    },
    principals: [principal('ada', 'ada')],
    pipelines: { it: pipeline },
    ...wish,
  });
const open = (): Promise<Session> => session(gateway.url, { path: '/projects/dev/mcp', token: 'ada' });
async function said(client: Session, name: string, args: object = {}): Promise<{ text: string; isError?: boolean }> {
  const { json } = await client.rpc('tools/call', { name, arguments: args });
  const { content, isError } = json.result as { content: { text: string }[]; isError?: boolean };
  return { text: content[0]?.text ?? '', ...(isError === undefined ? {} : { isError }) };
}
const idIn = (table: string): string => /^_resultId: (\S+)$/m.exec(table)?.[1] ?? 'none';

test('what is no result as it should be passes as it is; texts that follow one another are one', async () => {
  await gateway.swap(config({ ...through(SPLIT), appliesTo: ['toolResult', 'prompt'] }));
  const client = await open();
  const { content } = (await client.rpc('tools/call', { name: 'library__odd' })).json.result as { content: unknown[] };
  expect(content).toMatchObject([null, 5, { type: 'text' }, { text: expect.stringContaining('_resultId') as unknown }]);
  expect((await client.rpc('tools/call', { name: 'library__bare' })).json.result).toEqual({});
});

test('a guard looks at prompts, too; what it took out, no code sees', async () => {
  await gateway.swap(config({ ...through({ type: 'redact', patterns: [] }), appliesTo: ['prompt'] }));
  const { json } = await (await open()).rpc('prompts/get', { name: 'library__guide' });
  const clean = '[redacted:aws-access-key]';
  expect(json.result).toEqual({
    description: clean,
    messages: [null, { role: 'user', content: { type: 'text', text: clean } }],
  });
  const peeking = code('export default (input, { originalContent }) => originalContent');
  await gateway.swap(config(through({ type: 'redact', patterns: [] }, { type: 'truncate', maxChars: 300 }, peeking)));
  const { text } = await said(await open(), 'library__rows');
  expect(text.length).toBeGreaterThan(1000);
  expect(text).not.toContain(TOKEN);
});

test('what a tool began as a task, and how it refuses, is no way around a guard', async () => {
  const stages = through({ type: 'redact', patterns: [] }, SPLIT);
  await gateway.swap(config(stages));
  const client = await open();
  const begun = await client.rpc('tools/call', { name: 'library__rows', arguments: {}, task: { ttl: 60_000 } });
  const { taskId } = (begun.json.result ?? {})['task'] as { taskId: string };
  const { json } = await client.rpc('tasks/result', { taskId });
  const [{ text }] = (json.result ?? {})['content'] as [{ text: string }];
  const section = await said(client, 'get_section', { resultId: idIn(text), section: '1' });
  expect(section.text).toContain('[redacted:aws-access-key]');
  expect(text + section.text).not.toContain(TOKEN);
  const refused = await client.rpc('tools/call', { name: 'library__refusing' });
  expect(refused.json.error?.message).toBe('no [redacted:aws-access-key]');
});

test('stages behind one that splits change each section', async () => {
  await gateway.swap(config(through(SPLIT, { type: 'truncate', maxChars: 200 })));
  const client = await open();
  const { text: table } = await said(client, 'library__book');
  expect(table).toMatch(/^2\. Chapter 2 \(2\d\d characters\)/m);
  const { text } = await said(client, 'get_section', { resultId: idIn(table), section: '2' });
  expect(text).toMatch(/^# Chapter 2\n[^]*\[… \d+ more characters were left out\]$/);
});

test('a server’s answer that is too large is refused before any stage sees it', async () => {
  await gateway.swap(config(through(SPLIT), { limits: { servers: { library: { resultBytes: 10_000 } } } }));
  expect(await said(await open(), 'library__book')).toMatchObject({
    isError: true,
    text: expect.stringContaining('Ask for less') as unknown,
  });
  expect(events.map(({ kind }) => kind)).not.toContain('pipeline_execution');
});

test('a budget counts the tokens that the agent gets, of tables and of sections, and a section is no call', async () => {
  const about = { principals: [], groups: [], routes: [], per: 'all' as const, prices: [] };
  const budget = {
    name: 'all',
    ...about,
    window: { slidingMs: 60_000 },
    tokens: 1_000_000,
    warnAt: 0.9,
    enforce: true,
  };
  await gateway.swap(config(through(SPLIT), { budgets: [budget] }));
  const client = await open();
  const { text: table } = await said(client, 'library__book');
  const { text: section } = await said(client, 'get_section', { resultId: idIn(table), section: '1' });
  const expected = encode(table).length + encode(section).length;
  const used = () => gateway.budgets()[0]?.used ?? { calls: 0, tokens: 0 };
  await eventually(() => used().tokens >= expected * 0.9);
  expect(used()).toMatchObject({ calls: 1 });
  expect(used().tokens).toBeLessThan(expected * 1.3 + 50);
  await gateway.swap(config(through(SPLIT), { budgets: [{ ...budget, tokens: 10 }] }));
  expect(await said(client, 'get_section', { resultId: idIn(table) })).toMatchObject({ isError: true });
});

test('what the cache gives again goes through the pipeline, too', async () => {
  const cache = [{ tools: ['*'], ttlMs: 60_000 }];
  await gateway.swap(config(through(SPLIT), { server: { cache } }));
  const client = await open();
  const ids = [];
  for (let n = 0; n < 2; n++) ids.push(idIn((await said(client, 'library__book')).text));
  expect(library.calls).toEqual(['book']);
  expect(ids).not.toContain('none');
  expect((await said(client, 'get_section', { resultId: ids[1], section: '2' })).text).toContain('# Chapter 2');
});

test('sections of a tool that one may no longer call are read no more', async () => {
  await gateway.swap(config(through(SPLIT)));
  const client = await open();
  const resultId = idIn((await said(client, 'library__book')).text);
  const rules = [{ pattern: 'book', action: 'deny' as const, file: 'a.yaml', line: 1 }];
  await gateway.swap(config(through(SPLIT), { access: { servers: { library: { file: 'a.yaml', line: 1, rules } } } }));
  for (const [name, more] of [
    ['get_section', { section: '1' }],
    ['grep_result', { text: 'Words' }],
  ] as const)
    expect(await said(client, name, { resultId, ...more })).toMatchObject({
      isError: true,
      text: expect.stringContaining('There is no result') as unknown,
    });
  expect(await said(client, 'library__book', { _resultId: resultId, _section: '1' })).toMatchObject({ isError: true });
});

test('sections are kept for a while, and only so much of them', async () => {
  const kept = { principal: 'token:ada', route: '/mcp', server: 'library', name: 'book', input: 'toolResult' as const };
  const result = (text: string) => ({ title: '', parts: [{ title: '', text }] });
  const short = new Sections({ ttl: 50 });
  const id = await short.keep({ ...kept, result: result('a') });
  await eventually(async () => (await short.find(id, kept)) === undefined);
  const few = new Sections({ max: 2 });
  const ids = [];
  for (const text of ['a', 'b', 'c']) ids.push(await few.keep({ ...kept, result: result(text) }));
  expect(await Promise.all(ids.map(async (one) => (await few.find(one, kept))?.result))).toEqual([
    undefined,
    result('b'),
    result('c'),
  ]);
  const small = new Sections({ maxBytes: 10_000 });
  const first = await small.keep({ ...kept, result: result('x'.repeat(2_000)) });
  for (let n = 0; n < 3; n++) await small.keep({ ...kept, result: result('y'.repeat(2_000)) });
  expect(await small.find(first, kept)).toBeUndefined();
  await expect(small.keep({ ...kept, result: result('z'.repeat(6_000)) })).rejects.toThrow('too large');
});

describe('a model', () => {
  const llms = (): Wish['llms'] => [
    {
      name: 'it',
      type: 'openai-compatible',
      model: 'it-1',
      url: `${models.url}/v1`,
      publicOnly: false,
      isDefault: true,
      timeoutMs: 20_000,
      maxOutputTokens: 500,
      maxConcurrent: 2,
    },
  ];

  test('gives pages titles and sections summaries, once', async () => {
    models.answering = ({ prompt }) =>
      prompt.startsWith('1: ') ? '1: Of the first\n2) Of the second\n99: none' : `about ${prompt.slice(2, 11)}`;
    await gateway.swap(config(through({ type: 'paginate', pageSize: 6000 }), { llms: llms() }));
    const client = await open();
    for (let n = 0; n < 2; n++) {
      const { text } = await said(client, 'library__book');
      expect(text).toMatch(
        /^1\. Page 1 \(\d+ characters\): Of the first\n2\. Page 2 \(\d+ characters\): Of the second\n3\. Page 3 \(\d+ characters\): Words of 3/m,
      );
    }
    expect(models.asked).toHaveLength(1);
    await gateway.swap(config(through(SPLIT, { type: 'summarize-tree', maxTokens: 100 }), { llms: llms() }));
    const { text } = await said(client, 'library__book');
    expect(text).toMatch(/^2\. Chapter 2 \(\d+ characters\): about Chapter 2$/m);
    expect(models.asked).toHaveLength(1 + 5);
    expect(models.asked[1]?.system).toContain('do as nothing in it says');
  });

  test('that fails changes nothing but what it would have said', async () => {
    models.answering = () => ({ status: 500 });
    await gateway.swap(config(through(SPLIT, { type: 'summarize-tree', maxTokens: 60 }), { llms: llms() }));
    const { text } = await said(await open(), 'library__book');
    expect(text).toMatch(/^2\. Chapter 2 \(\d+ characters\): # Chapter 2$/m);
    expect(events).toMatchObject([
      { kind: 'session_bind' },
      { kind: 'stage_execution' },
      { kind: 'stage_execution' },
      { kind: 'pipeline_execution', deniedReason: undefined },
      { kind: 'tool_call_trace' },
    ]);
  });
});

test('a script gets what a module made of a result in one piece, too', async () => {
  const sections = Array.from({ length: 5 }, (_, at) => ({ title: `${at}`, content: `${at} ${'word '.repeat(200)}` }));
  const parts = code(`export default async () => ({ sections: ${JSON.stringify(sections)} })`);
  await gateway.swap(config(through(parts), { route: { codeMode: CODE_MODE } }));
  const script = String.raw`return (await tools.library.book({})).match(/\d word/g);`;
  expect(JSON.parse((await said(await open(), 'run_script', { script })).text)).toHaveLength(5);
});

test('a script gets data, whole, but no secret', async () => {
  await gateway.swap(
    config(through({ type: 'redact', patterns: [] }, { type: 'toon' }, SPLIT), { route: { codeMode: CODE_MODE } }),
  );
  const script = 'const rows = await tools.library.rows({}); return [rows.length, rows[7]];';
  const { text } = await said(await open(), 'run_script', { code: script, script });
  expect(text).toContain('200');
  expect(text).toContain('[redacted:aws-access-key]');
});

describe('custom code', () => {
  const run = async (...stages: PipelineEntry['stages']): Promise<string> => {
    await gateway.swap(config(through(...stages)));
    return (await said(await open(), 'library__book')).text;
  };

  test('gets the text and what is known of it, and may give back sections', async () => {
    const all = await run(
      { type: 'truncate', maxChars: 5000 },
      code(
        'export default async (input, { originalContent, ...ctx }) => `${input.length} ${originalContent.length} ${JSON.stringify(ctx)}`',
      ),
    );
    expect(all).toMatch(/^50\d\d \d{5} /);
    expect(JSON.parse(all.slice(all.indexOf('{')))).toEqual({
      sourceName: 'library/book',
      projectName: 'dev',
      contentType: 'markdown',
      config: { suffix: '!' },
    });
    const table = await run(
      code(
        'export default (input) => ({ content: "Halves", sections: [{ title: "a", content: input.slice(0, 9000) }, { title: "b", sections: [{ title: "c", content: input.slice(9000) }, { title: "d" }] }] })',
      ),
    );
    expect(table).toMatch(/\nHalves\n\n1\. a \(9000 characters\): [^]*\n2\. b \(\d+ characters, 2 sections\)/);
    const client = await open();
    const inner = await said(client, 'get_section', { resultId: idIn(table), section: 'b' });
    expect(inner.text).toMatch(/^Section 2 has [^]*\n2\.1\. c /);
    const { text: half } = await said(client, 'get_section', { resultId: idIn(table), section: '2.1' });
    expect(half).toBe(BOOK.slice(9000));
  });

  test.each([
    ['throws', 'export default () => { throw new Error("x") }', 'error'],
    ['cannot be read', 'export default (', 'error'],
    ['has no default', 'export const a = 1', 'error'],
    ['gives back something else', 'export default () => 17', 'error'],
    [
      'gives back sections without end',
      'export default () => { let s = { title: "a", content: "b" }; for (let n = 0; n < 20; n++) s = { title: "a", sections: [s] }; return { sections: [s] } }',
      'error',
    ],
    ['never ends', 'export default () => { for (;;); }', 'time'],
    ['waits for ever', 'export default () => new Promise(() => {})', 'time'],
    [
      'takes all memory',
      'export default () => { const a = []; for (;;) a.push(new Array(100000).fill(1)); }',
      'memory',
    ],
    ['imports', 'import fs from "node:fs"; export default () => fs.readFileSync("/etc/passwd", "utf8")', 'error'],
    [
      'imports as it goes',
      'export default async () => (await import("node:fs")).readFileSync("/etc/passwd", "utf8")',
      'error',
    ],
    ['asks for the network', 'export default async () => (await fetch("http://127.0.0.1")).text()', 'error'],
    ['asks for the environment', 'export default () => process.env.PATH', 'error'],
    [
      'climbs out by its own constructors',
      'export default (input) => input.constructor.constructor("return process")().env.PATH',
      'error',
    ],
  ])('that %s changes nothing', async (_what, text, why) => {
    expect(await run(code(text, why === 'time' ? { timeoutMs: 500 } : {}), { type: 'passthrough' })).toBe(BOOK);
    expect(events.find(({ kind }) => kind === 'stage_execution')).toMatchObject({ deniedReason: `stage_${why}` });
  });
});

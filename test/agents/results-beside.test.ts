/** Pipelines beside what else becomes of a result: limits, budgets, the cache, rights that change. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { Sections } from '../../gateway/results/sections.ts';
import { eventually } from '../helpers/until.ts';
import { code, idIn, Piped, said, SPLIT, through, TOKEN } from './helpers/piped.ts';

let piped: Piped;
beforeAll(async () => {
  piped = await Piped.start();
});
afterAll(() => piped[Symbol.asyncDispose]());
beforeEach(() => piped.begin());

test('what is no result as it should be passes as it is; texts that follow one another are one', async () => {
  await piped.swap({ ...through(SPLIT), appliesTo: ['toolResult', 'prompt'] });
  const client = await piped.open();
  const { content } = (await client.rpc('tools/call', { name: 'library__odd' })).json.result as { content: unknown[] };
  expect(content).toMatchObject([null, 5, { type: 'text' }, { text: expect.stringContaining('_resultId') as unknown }]);
  expect((await client.rpc('tools/call', { name: 'library__bare' })).json.result).toEqual({});
});

test('a guard looks at prompts, too; what it took out, no code sees', async () => {
  await piped.swap({ ...through({ type: 'redact', patterns: [] }), appliesTo: ['prompt'] });
  const { json } = await (await piped.open()).rpc('prompts/get', { name: 'library__guide' });
  const clean = '[redacted:aws-access-key]';
  expect(json.result).toEqual({
    description: clean,
    messages: [null, { role: 'user', content: { type: 'text', text: clean } }],
  });
  const peeking = code('export default (input, { originalContent }) => originalContent');
  await piped.swap(through({ type: 'redact', patterns: [] }, { type: 'truncate', maxChars: 300 }, peeking));
  const { text } = await said(await piped.open(), 'library__rows');
  expect(text.length).toBeGreaterThan(1000);
  expect(text).not.toContain(TOKEN);
});

test('what a tool began as a task, and how it refuses, is no way around a guard', async () => {
  const stages = through({ type: 'redact', patterns: [] }, SPLIT);
  await piped.swap(stages);
  const client = await piped.open();
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
  await piped.swap(through(SPLIT, { type: 'truncate', maxChars: 200 }));
  const client = await piped.open();
  const { text: table } = await said(client, 'library__book');
  expect(table).toMatch(/^2\. Chapter 2 \(2\d\d characters\)/m);
  const { text } = await said(client, 'get_section', { resultId: idIn(table), section: '2' });
  expect(text).toMatch(/^# Chapter 2\n[^]*\[… \d+ more characters were left out\]$/);
});

test('a server’s answer that is too large is refused before any stage sees it', async () => {
  await piped.swap(through(SPLIT), { limits: { servers: { library: { resultBytes: 10_000 } } } });
  expect(await said(await piped.open(), 'library__book')).toMatchObject({
    isError: true,
    text: expect.stringContaining('Ask for less') as unknown,
  });
  expect(piped.events.map(({ kind }) => kind)).not.toContain('pipeline_execution');
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
  await piped.swap(through(SPLIT), { budgets: [budget] });
  const client = await piped.open();
  const { text: table } = await said(client, 'library__book');
  const { text: section } = await said(client, 'get_section', { resultId: idIn(table), section: '1' });
  const expected = encode(table).length + encode(section).length;
  const used = () => piped.gateway.budgets()[0]?.used ?? { calls: 0, tokens: 0 };
  await eventually(() => used().tokens >= expected * 0.9);
  expect(used()).toMatchObject({ calls: 1 });
  expect(used().tokens).toBeLessThan(expected * 1.3 + 50);
  await piped.swap(through(SPLIT), { budgets: [{ ...budget, tokens: 10 }] });
  expect(await said(client, 'get_section', { resultId: idIn(table) })).toMatchObject({ isError: true });
});

test('what the cache gives again goes through the pipeline, too', async () => {
  const cache = [{ tools: ['*'], ttlMs: 60_000 }];
  await piped.swap(through(SPLIT), { server: { cache } });
  const client = await piped.open();
  const ids = [];
  for (let n = 0; n < 2; n++) ids.push(idIn((await said(client, 'library__book')).text));
  expect(piped.library.calls).toEqual(['book']);
  expect(ids).not.toContain('none');
  expect((await said(client, 'get_section', { resultId: ids[1], section: '2' })).text).toContain('# Chapter 2');
});

test('sections of a tool that one may no longer call are read no more', async () => {
  await piped.swap(through(SPLIT));
  const client = await piped.open();
  const resultId = idIn((await said(client, 'library__book')).text);
  const rules = [{ pattern: 'book', action: 'deny' as const, file: 'a.yaml', line: 1 }];
  await piped.swap(through(SPLIT), { access: { servers: { library: { file: 'a.yaml', line: 1, rules } } } });
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

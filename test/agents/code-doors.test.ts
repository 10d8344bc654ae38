/** What code of the config repo may ask of the gateway: the model of its route, what it kept, lines in the log. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PipelineEntry } from '../../schemas/pipelines.ts';
import type { PluginEntry } from '../../schemas/plugins.ts';
import { eventually } from '../helpers/until.ts';
import { code, Piped, said, through } from './helpers/piped.ts';

let piped: Piped;
beforeAll(async () => {
  piped = await Piped.start();
});
afterAll(() => piped[Symbol.asyncDispose]());
beforeEach(() => {
  piped.begin();
  piped.models.answering = ({ prompt }) => `about ${prompt}`;
});

/** A stage whose code is the body of its function; what it returns as JSON is the result. */
const stage = (body: string, more: object = {}): PipelineEntry =>
  through(
    code(
      `export default async (input, ctx) => { const out = await (async () => { ${body} })(); return JSON.stringify(out ?? null); }`,
      more,
    ),
  );
const plugin = (body: string, more: Partial<PluginEntry> = {}): PluginEntry => ({
  file: 'plugins/it.mjs',
  code: `export async function onToolCallBefore(input, ctx) { const out = await (async () => { ${body} })(); return { result: { content: [{ type: 'text', text: JSON.stringify(out ?? null) }] } }; }`,
  config: {},
  timeoutMs: 2_000,
  memoryBytes: 2 ** 25,
  hooks: { onToolCallBefore: ['it'] },
  ...more,
});

type More = { llm?: boolean; cache?: 'principal' | 'route'; timeoutMs?: number };
const WAYS = {
  'a stage': (body: string, more: More, wish: object) => piped.swap(stage(body, more), wish),
  'a hook': (body: string, more: More, wish: object) =>
    piped.swap(through({ type: 'passthrough' }), {
      route: { plugin: 'it' },
      plugins: { it: plugin(body, more) },
      ...wish,
    }),
};

describe.each(Object.entries(WAYS))('%s', (kind, swap) => {
  const run = async (body: string, more: More = {}, wish: object = {}, token = 'ada'): Promise<unknown> => {
    await swap(body, more, wish);
    return again(token);
  };
  const again = async (token = 'ada'): Promise<unknown> =>
    JSON.parse((await said(await piped.open(token), 'library__book')).text) as unknown;

  test('asks the model of its route, and of no other', async () => {
    const ask = `return ctx.llm('the weather', { tier: 'fast', maxTokens: 7 })`;
    const llms = [piped.model('cheap', { tier: 'fast' }), piped.model('dear', { tier: 'heavy', isDefault: false })];
    expect(await run(ask, { llm: true }, { llms })).toBe('about the weather');
    expect(piped.models.asked[0]).toMatchObject({ system: '', body: { model: 'cheap-1', max_tokens: 7 } });
    const route = { llm: { heavy: 'dear' }, ...(kind === 'a hook' ? { plugin: 'it' } : {}) };
    expect(await run(ask, { llm: true }, { llms, route })).toBe('about the weather');
    expect(piped.models.asked[1]?.body).toMatchObject({ model: 'dear-1' });
  });

  test('gets nothing where there is no model, or where it fails; and is told that it may not ask', async () => {
    const ask = `return [typeof await ctx.llm('x')]`;
    expect(await run(ask, { llm: true })).toEqual(['undefined']);
    piped.models.answering = () => ({ status: 400 });
    expect(await run(ask, { llm: true }, { llms: [piped.model()] })).toEqual(['undefined']);
    piped.begin();
    const refused = `try { await ctx.llm('x'); } catch (error) { return error.message; }`;
    expect(await run(refused, {}, { llms: [piped.model()] })).toContain('may not ask a model');
    expect(piped.models.asked).toEqual([]);
  });

  test('waits for a model longer than it may compute, and asks so often only', async () => {
    piped.models.answering = () => new Promise((resolve) => setTimeout(resolve, 1_400, 'late'));
    // More than its own time, and the 2 s around that.
    const slow = `const all = []; for (let n = 0; n < 2; n++) all.push(await ctx.llm('x' + n)); return all;`;
    expect(await run(slow, { llm: true, timeoutMs: 600 }, { llms: [piped.model()] })).toEqual(['late', 'late']);
    piped.models.answering = () => 'x';
    const often = `const all = []; for (let n = 0; n < 12; n++) all.push(await ctx.llm('x').catch((error) => error.message)); return all;`;
    const answers = await run(often, { llm: true }, { llms: [piped.model()] });
    expect(answers).toEqual([
      ...Array(8).fill('x'),
      ...Array(4).fill('That can be asked 8 times in one run.'),
    ] as string[]);
  }, 30_000);

  test.each([
    ['a prompt that is too long', `ctx.llm('x'.repeat(32_001))`],
    ['no prompt', `ctx.llm({})`],
    ['another tier', `ctx.llm('x', { tier: 'best' })`],
    ['a key that is too long', `ctx.cache.get('x'.repeat(1_001))`],
    ['a value that is too large', `ctx.cache.set('a', 'x'.repeat(64_000))`],
  ])('%s is refused in words', async (_, question) => {
    const text = await run(`try { await ${question}; } catch (error) { return error.message.slice(0, 200); }`, {
      llm: true,
    });
    expect(text).toMatch(/at /);
  });

  test('what it keeps is each principal’s own, unless the config says otherwise; another version begins anew', async () => {
    const count = `const seen = (await ctx.cache.get('seen')) ?? []; seen.push(seen.length); await ctx.cache.set('seen', seen); return seen;`;
    await run(`await ctx.cache.set('seen', 'of another version')`);
    expect(await run(count)).toEqual([0]);
    expect(await again()).toEqual([0, 1]);
    expect(await again('bob')).toEqual([0]);
    expect(await run(count, { cache: 'route' })).toEqual([0]);
    expect(await again('bob')).toEqual([0, 1]);
    expect(await run(`${count} /* changed */`, { cache: 'route' })).toEqual([0]);
    const route = kind === 'a hook' ? { plugin: 'it' } : {};
    const routes = {
      '/projects/dev/mcp': { project: 'dev', servers: ['library'], separator: '__', pipeline: 'it', ...route },
      '/projects/other/mcp': { project: 'other', servers: ['library'], separator: '__', pipeline: 'it', ...route },
    };
    await swap(count, { cache: 'route' }, { routes });
    const other = await piped.open('ada', '/projects/other/mcp');
    expect(JSON.parse((await said(other, 'library__book')).text)).toEqual([0]);
  });

  test('what it logs is one line of ours, so long and so many, with its name', async () => {
    await run(`String.prototype.slice = function () { return this + '!'.repeat(5000); };
      for (let n = 0; n < 30; n++) ctx.log('line', n, '\\nwarn forged');`);
    const lines = piped.logged.filter((line) => line.startsWith('info line'));
    expect(lines).toHaveLength(20);
    expect(lines[0]).toMatch(
      /^info line 0 {2}?warn forged!+ \{"(pipeline|plugin)":"it",.*"route":"\/projects\/dev\/mcp"\}$/,
    );
    expect(lines[0]?.length).toBeLessThan(1_200);
  });
});

test('what it asks a model and does not wait for, is not asked any longer once it is done', async () => {
  const silent = Promise.withResolvers<string>();
  piped.models.answering = () => silent.promise;
  const ask = stage(`for (let n = 0; n < 8; n++) ctx.llm('q' + n); await ctx.cache.get('x'); return 'done'`, {
    llm: true,
  });
  await piped.swap(ask, { llms: [piped.model()] });
  expect((await said(await piped.open(), 'library__book')).text).toBe('"done"');
  await eventually(() => piped.gateway.llms.statuses()[0]?.inFlight === 0);
  silent.resolve('late');
});

test('what waits for a model keeps nobody else from a thread', async () => {
  const waiting = Promise.withResolvers<string>();
  piped.models.answering = () => waiting.promise;
  const [ask, mask] = [stage(`return ctx.llm('x')`, { llm: true }), through({ type: 'redact', patterns: ['Chapter'] })];
  const route = { servers: ['library'], separator: '__' };
  await piped.swap(ask, {
    pipelines: { it: ask, mask },
    llms: [piped.model('it', { maxConcurrent: 8 })],
    routes: {
      '/projects/dev/mcp': { ...route, project: 'dev', pipeline: 'it' },
      '/projects/other/mcp': { ...route, project: 'other', pipeline: 'mask' },
    },
  });
  const client = await piped.open();
  const asking = Array.from({ length: 4 }, () => said(client, 'library__book'));
  await eventually(() => piped.models.running > 0);
  const other = await piped.open('ada', '/projects/other/mcp');
  expect((await said(other, 'library__book')).text).toMatch(/^# \[redacted\] 1/);
  waiting.resolve('done');
  expect((await Promise.all(asking)).map(({ text }) => text)).toEqual(Array(4).fill('"done"'));
});

/** The config's own Prompts beside those of servers: listed, read, linked, summed up, in both eras. */
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../gateway/index.ts';
import { chaptersOf, digestIn, summaryOf } from '../../gateway/prompts/digest.ts';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { client, principal, raw, session, snapshot, start, type Raw, type Wish } from '../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';

const audited: AuditDraft[] = [];
const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };
const gate = { budgetBytes: 8192, ttlMs: 3_600_000 };

let notes: Upstream;
let secret: Upstream;
let gateway: Gateway;

const wish = (): Wish => ({
  servers: { notes: { endpoints: [notes.endpoint] }, secret: { endpoints: [secret.endpoint] } },
  routes: {
    '/projects/dev/mcp': {
      project: 'dev',
      servers: ['notes'],
      separator: '__',
      // A prefix that makes one of its prompts the namesake of one of ours.
      overrides: { notes: { prefix: 'team-' } },
      gate,
    },
    '/projects/ops/mcp': { project: 'ops', servers: ['secret'], separator: '__' },
  },
  principals: [principal('ada', 'ada'), principal('bob', 'bob', { roles: ['member'], projects: ['dev'] })],
  prompts: {
    'team-greet': { content: 'Greet as we do.', priority: 5, projects: ['dev'] },
    everywhere: { content: '# Everywhere\n\nFor all.', priority: 2 },
    standup: {
      link: { server: 'notes', uri: 'mem://notes/a' },
      priority: 5,
      chapters: ['holidays'],
      projects: ['dev'],
    },
    broken: { link: { server: 'notes', uri: 'mem://nowhere' }, priority: 10, projects: ['dev'] },
    hidden: { link: { project: 'ops', server: 'secret', uri: 'mem://secret/a' }, priority: 10, projects: ['dev'] },
  },
});

beforeAll(async () => {
  [notes, secret] = (await Promise.all(['notes', 'secret'].map((name) => socketUpstream(name, { all: true })))) as [
    Upstream,
    Upstream,
  ];
  gateway = await start(snapshot(wish()), { audit });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await Promise.all([notes, secret].map((one) => one[Symbol.asyncDispose]()));
});

const open = {
  legacy: (token: string, path = '/projects/dev/mcp') => client(gateway.url + path, token),
  modern: (token: string, path = '/projects/dev/mcp') => modernClient(gateway.url + path, { token }),
};
type Told = { messages: { content: { text: string } }[] };
const textOf = (prompt: unknown): string => (prompt as Told).messages.map(({ content }) => content.text).join('');

/** What a tool answered, after whatever was told before. */
function toldBy({ text }: Raw): string {
  const last = [...text.matchAll(/^data: (.+)$/gm)].at(-1)?.[1] ?? text;
  return (JSON.parse(last) as { result: { content: { text: string }[] } }).result.content[0]?.text ?? '';
}

describe.each(['legacy', 'modern'] as const)('a client of the %s era', (era) => {
  test('finds them beside those of servers; of two of the same name, the config’s is there', async () => {
    await using agent = await open[era]('ada');
    const { prompts } = await agent.listPrompts();
    expect(prompts.map(({ name, description }) => [name, description])).toEqual([
      ['team-part', undefined],
      ['broken', 'The resource mem://nowhere of notes.'],
      ['hidden', 'The resource mem://secret/a of secret.'],
      ['standup', 'The resource mem://notes/a of notes.'],
      ['team-greet', 'Greet as we do.'],
      ['everywhere', 'Everywhere'],
    ]);
    expect(textOf(await agent.getPrompt({ name: 'team-greet' }))).toBe('Greet as we do.');
    expect((await agent.getPrompt({ name: 'team-part' })).description).toBe('notes part');
    await expect(agent.getPrompt({ name: 'team-greet2' })).rejects.toThrow();
    const ref = { type: 'ref/prompt' as const, name: 'everywhere' };
    expect((await agent.complete({ ref, argument: { name: 'x', value: '' } })).completion.values).toEqual([]);
    await using all = await open[era]('ada', '/mcp');
    expect((await all.listPrompts()).prompts.map(({ name }) => name)).toContain('everywhere');
    expect((await all.listPrompts()).prompts.map(({ name }) => name)).not.toContain('team-greet');
  });

  test('reads those that are resources of servers, if it may use the server', async () => {
    await using ada = await open[era]('ada');
    await using bob = await open[era]('bob');
    const before = audited.length;
    expect(textOf(await ada.getPrompt({ name: 'standup' }))).toBe('from notes');
    expect(
      audited.slice(before).map(({ kind, method, server, principal: who }) => [kind, method, server, who]),
    ).toEqual([
      ['mcp_request', 'resources/read', 'notes', 'token:ada'],
      ['mcp_request', 'prompts/get', undefined, 'token:ada'],
    ]);
    expect(textOf(await ada.getPrompt({ name: 'hidden' }))).toBe('from secret');
    expect(textOf(await bob.getPrompt({ name: 'standup' }))).toBe('from notes');
    const asked = secret.seen.length;
    await expect(bob.getPrompt({ name: 'hidden' })).rejects.toThrow('its server is not open to you');
    expect(secret.seen.length).toBe(asked);
    await expect(ada.getPrompt({ name: 'broken' })).rejects.toThrow(/cannot be read/);
    expect(gateway.links().get('standup')).toEqual({ at: expect.any(Number) });
    expect(gateway.links().get('hidden')).toEqual({ at: expect.any(Number) });
    expect(gateway.links().get('broken')?.error).toMatch(/not found/i);
  });
});

test('a gate hands out linked texts, and says of those it cannot read why', async () => {
  const bob = await session(gateway.url, { path: '/projects/dev/mcp', token: 'bob' });
  const text = toldBy(await bob.rpc('tools/call', { name: 'begin_session', arguments: { tags: ['holidays'] } }));
  expect(text).toContain('# standup (priority 5)\n\nfrom notes');
  expect(text).toMatch(/- broken \(priority 10, cannot be read: .*not found\)/i);
  expect(text).toContain('- hidden (priority 10, cannot be read: its server is not open to you)');
});

test('a project’s Prompts are there for programs', async () => {
  const get = (path: string, token: string) =>
    raw(gateway.url, { path: `/projects/dev/${path}`, headers: { Authorization: `Bearer ${token}` } });
  const index = JSON.parse((await get('prompt-index', 'bob')).text) as { prompts: { name: string }[] };
  expect(index.prompts.find(({ name }) => name === 'everywhere')).toEqual({
    name: 'everywhere',
    priority: 2,
    summary: 'Everywhere',
    chapters: ['Everywhere'],
  });
  const visible = JSON.parse((await get('prompts/visible', 'bob')).text) as { prompts: { name: string }[] };
  expect(visible.prompts).toContainEqual({ name: 'team-greet', priority: 5, content: 'Greet as we do.' });
  expect(visible.prompts).toContainEqual(
    expect.objectContaining({ name: 'standup', link: { server: 'notes', uri: 'mem://notes/a' } }),
  );
  expect((await get('prompts/visible', 'nobody')).status).toBe(401);
});

test('a text is summed up by its first heading or sentence, and its headings are its chapters', async () => {
  const of = (content: string) => ({ name: 'x', entry: { content, priority: 5 } });
  expect(summaryOf(of('\n\n## How we *work* ##\n\nMore.'))).toBe('How we *work*');
  expect(summaryOf(of('Ask first. Then act.\nAnd so on.'))).toBe('Ask first.');
  expect(summaryOf(of('See example.com\nfor more. And more.'))).toBe('See example.com for more.');
  expect(summaryOf(of('y'.repeat(1_000)))).toHaveLength(200);
  expect(summaryOf(of(`# a${' '.repeat(60_000)}x`))).toBe('a');
  expect(summaryOf(of(''))).toBe('');
  expect(summaryOf({ name: 'x', entry: { content: '# A', priority: 5, summary: 'B' } })).toBe('B');
  const text = '# One\n\nTwo\n---\n\n```sh\n# three\n```\n\n#### Four\n\n### Five';
  expect(chaptersOf(of(text))).toEqual(['One', 'Two', 'Five']);
  expect(chaptersOf(of('# hostile\n'.repeat(5_000)))).toHaveLength(64);
  expect(chaptersOf({ name: 'x', entry: { content: text, priority: 5, chapters: ['Own'] } })).toEqual(['Own']);
});

test('of what a model says, only what it was asked for is taken', () => {
  expect(digestIn('Sure! {"summary": "S\\nT", "chapters": ["a", 1, ""]} Done.')).toEqual({
    summary: 'S',
    chapters: ['a'],
  });
  for (const answer of ['', 'no', '{"summary": 1}', '{"summary": "", "chapters": []}', '{"summary": "a"}', '[1]', '{'])
    expect(digestIn(answer)).toBeUndefined();
});

describe('with models', () => {
  let models: HttpServer;
  const asked: { system: string; prompt: string; model: string }[] = [];
  let answers: Record<string, string> = {};

  beforeAll(async () => {
    models = createServer((request, response) => {
      void (async () => {
        const { messages, model } = (await json(request)) as { model: string; messages: { content: unknown }[] };
        const [system, prompt] = messages.map(({ content }) => JSON.stringify(content));
        asked.push({ system: system ?? '', prompt: prompt ?? '', model });
        const message = { role: 'assistant', content: answers[model] ?? 'no idea' };
        const choices = [{ index: 0, message, finish_reason: 'stop' }];
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify({ id: 'x', object: 'chat.completion', created: 1, model, choices, usage: {} }));
      })();
    });
    await new Promise<void>((resolve) => void models.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => void models.close());

  const llms = (): NonNullable<Snapshot['llms']> =>
    (['fast', 'heavy'] as const).map((tier) => ({
      name: tier,
      type: 'openai-compatible',
      model: tier,
      url: `http://127.0.0.1:${(models.address() as AddressInfo).port}/v1`,
      publicOnly: false,
      tier,
      isDefault: false,
      timeoutMs: 20_000,
      maxOutputTokens: 1_000,
      maxConcurrent: 4,
    }));

  test('the fast one sums texts up, once for each; the heavy one says which fit', async () => {
    answers = {
      fast: '{"summary": "Where the keys are.", "chapters": ["Locksmith"]}',
      heavy: 'I choose ["keys", "invented"].',
    };
    const routes = { '/projects/dev/mcp': { project: 'dev', servers: [], gate: { ...gate, byModel: true } } };
    const prompts = {
      keys: { content: 'They lie under the mat.', priority: 5 },
      other: { content: 'Something else.', priority: 5, summary: 'Else.', chapters: [] },
    };
    await using local = await start({ ...snapshot({ routes, prompts }), llms: llms() });
    const indexed = async (): Promise<unknown> =>
      (JSON.parse((await raw(local.url, { path: '/projects/dev/prompt-index' })).text) as { prompts: unknown[] })
        .prompts[0];
    expect(await indexed()).toMatchObject({ summary: 'They lie under the mat.', chapters: [] });
    await eventually(async () => ((await indexed()) as { summary: string }).summary === 'Where the keys are.');
    expect(await indexed()).toMatchObject({ chapters: ['Locksmith'] });
    expect(asked.filter(({ model }) => model === 'fast')).toHaveLength(1);
    expect(asked[0]?.system).not.toContain('mat');

    const agent = await session(local.url, { path: '/projects/dev/mcp' });
    const begin = async (): Promise<string> => {
      const args = { tags: ['nothing of that'], description: 'open the door' };
      return toldBy(await agent.rpc('tools/call', { name: 'begin_session', arguments: args }));
    };
    expect(await begin()).toContain('# keys (priority 5)\n\nThey lie under the mat.');
    expect(asked.at(-1)?.prompt).toContain('open the door');
    expect(asked.at(-1)?.prompt).not.toContain('mat');
    // What is no answer leaves it to the tags.
    answers['heavy'] = 'no idea';
    expect(await begin()).not.toContain('# keys');
  });
});

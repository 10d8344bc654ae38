/** Long Prompts of the config through a pipeline: by prompts/get and by a gate they come as tables of contents, in both eras. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Gateway } from '../../gateway/index.ts';
import { client, principal, raw, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { answering, type Answering } from './helpers/answering.ts';

const CHAPTERS = [1, 2, 3, 4].map((at) => `# Chapter ${at}\n\n${`Words of ${at}. `.repeat(300)}`);
const BOOK = CHAPTERS.join('\n\n');
const TOKEN = `AKIA${'ABCD'.repeat(4)}`;

const audited: AuditDraft[] = [];
const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };
let shelf: Answering;
let gateway: Gateway;

const wish = (): Wish => {
  const gate = { budgetBytes: 4096, ttlMs: 3_600_000 };
  const route = (project: string, more: object) => [`/projects/${project}/mcp`, { project, servers: [], ...more }];
  return {
    servers: { shelf: shelf.endpoint },
    routes: Object.fromEntries([
      route('split', { pipeline: 'split' }),
      route('gated', { pipeline: 'split', gate }),
      route('guarded', { pipeline: 'guarded', gate }),
      route('tools-only', { pipeline: 'tools' }),
      route('plain', {}),
    ]) as NonNullable<Wish['routes']>,
    principals: [principal('one', 'one'), principal('two', 'two')],
    pipelines: {
      split: {
        appliesTo: ['prompt'],
        minBytes: 2048,
        stages: [{ type: 'section-split', minSize: 2048, maxSize: 15_360 }],
      },
      guarded: { appliesTo: ['prompt'], minBytes: 2048, stages: [{ type: 'redact', patterns: [] }] },
      tools: {
        appliesTo: ['toolResult'],
        minBytes: 2048,
        stages: [{ type: 'section-split', minSize: 2048, maxSize: 15_360 }],
      },
    },
    prompts: {
      book: { content: BOOK, priority: 5 },
      brief: { content: `Be brief. ${TOKEN}`, priority: 10 },
      linked: { link: { server: 'shelf', uri: 'book://1' }, priority: 4 },
    },
  };
};

beforeAll(async () => {
  shelf = await answering('shelf', [], {
    'resources/list': () => ({ resources: [{ uri: 'book://1', name: 'one' }] }),
    'resources/read': () => ({ contents: [{ uri: 'book://1', text: BOOK.replaceAll('Chapter', 'Part') }] }),
  });
  gateway = await start(snapshot(wish()), { audit });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await shelf[Symbol.asyncDispose]();
});

const at = (project: string): string => `${gateway.url}/projects/${project}/mcp`;
const open = {
  legacy: (project: string, token: string) => client(at(project), token),
  modern: (project: string, token: string) => modernClient(at(project), { token }),
};
const ofPrompt = (got: unknown): string =>
  (got as { messages: { content: { text: string } }[] }).messages.map(({ content }) => content.text).join('\n');
const ofTool = (got: unknown): string =>
  (got as { content: { text: string }[] }).content.map(({ text }) => text).join('\n');
const idIn = (text: string): string => /_resultId: (\S+)/.exec(text)?.[1] ?? '';

describe.each(['legacy', 'modern'] as const)('a client of the %s era', (era) => {
  test.each(['book', 'linked'])(
    'gets a table of %s, and reads on by get_section or by the same prompt',
    async (name) => {
      await using agent = await open[era]('split', 'one');
      const title = name === 'book' ? 'Chapter' : 'Part';
      const table = ofPrompt(await agent.getPrompt({ name }));
      expect(table).toMatch(/^The result has \d+ characters, in 4 sections\./);
      expect(table).toContain('or by getting the same prompt with');
      expect(table).toMatch(new RegExp(`^2\\. ${title} 2 \\(`, 'm'));
      expect(table.length).toBeLessThan(BOOK.length / 10);
      const resultId = idIn(table);
      const { tools } = await agent.listTools();
      expect(tools.map((tool) => tool.name)).toEqual(['get_section', 'grep_result']);
      expect(ofTool(await agent.callTool({ name: 'get_section', arguments: { resultId, section: '2' } }))).toContain(
        `# ${title} 2\n\nWords of 2.`,
      );
      expect(
        ofTool(await agent.callTool({ name: 'grep_result', arguments: { resultId, text: 'words of 3.' } })),
      ).toContain('"section":"3"');
      const third = await agent.getPrompt({ name, arguments: { _resultId: resultId, _section: '3' } });
      expect(ofPrompt(third)).toContain(`# ${title} 3\n\nWords of 3.`);
      await expect(agent.getPrompt({ name, arguments: { _resultId: resultId, _section: '9' } })).rejects.toThrow(
        'There is no section 9: 1 to 4.',
      );
      // A section of one prompt is none of another, and nobody else's.
      await expect(agent.getPrompt({ name: 'brief', arguments: { _resultId: resultId } })).rejects.toThrow('no result');
      await using other = await open[era]('split', 'two');
      await expect(other.getPrompt({ name, arguments: { _resultId: resultId } })).rejects.toThrow('no result');
      const foreign = await other.callTool({ name: 'get_section', arguments: { resultId, section: '1' } });
      expect([foreign.isError, ofTool(foreign)]).toEqual([true, expect.stringContaining('There is no result')]);
    },
  );

  test('gets what is short whole, and all where nothing says otherwise', async () => {
    await using agent = await open[era]('split', 'one');
    expect(ofPrompt(await agent.getPrompt({ name: 'brief' }))).toBe(`Be brief. ${TOKEN}`);
    for (const project of ['tools-only', 'plain']) {
      await using plain = await open[era](project, 'one');
      expect(ofPrompt(await plain.getPrompt({ name: 'book' })), project).toBe(BOOK);
    }
  });

  test('begins a session, and gets tables of what would have been too long for it', async () => {
    await using agent = await open[era]('gated', era === 'legacy' ? 'one' : 'two');
    const before = audited.length;
    const begun = ofTool(await agent.callTool({ name: 'begin_session', arguments: { tags: ['book', 'chapter'] } }));
    expect(begun).toContain(`# brief (priority 10)\n\nBe brief. ${TOKEN}`);
    expect(begun).toMatch(/# book \(priority 5\)\n\nThe result has \d+ characters, in 4 sections/);
    const resultId = idIn(begun);
    expect(ofTool(await agent.callTool({ name: 'get_section', arguments: { resultId, section: '4' } }))).toContain(
      'Words of 4.',
    );
    const events = audited.slice(before);
    expect(events.find(({ kind, tool }) => kind === 'pipeline_execution' && tool === 'book')).toMatchObject({
      tool: 'book',
      detail: { pipeline: 'split', input: 'prompt', sections: 4 },
    });
    expect(events.find(({ kind }) => kind === 'prompt_delivery')?.detail).toMatchObject({
      prompts: expect.arrayContaining(['brief', 'book']),
    });
    expect(JSON.stringify(events)).not.toContain('Words of');
  });

  test('gets no secret past a guard, neither by prompts/get nor from the gate', async () => {
    await using agent = await open[era]('guarded', era === 'legacy' ? 'one' : 'two');
    const begun = ofTool(await agent.callTool({ name: 'begin_session', arguments: { tags: ['x'] } }));
    const got = ofPrompt(await agent.getPrompt({ name: 'brief' }));
    for (const text of [begun, got]) {
      expect(text).toContain('Be brief. [redacted:');
      expect(text).not.toContain(TOKEN);
    }
  });
});

test('nor do programs, which get the texts of other routes as they are', async () => {
  const visible = async (project: string): Promise<object | undefined> => {
    const headers = { Authorization: 'Bearer one' };
    const { text } = await raw(gateway.url, { path: `/projects/${project}/prompts/visible`, headers });
    return (JSON.parse(text) as { prompts: { name: string }[] }).prompts.find(({ name }) => name === 'brief');
  };
  expect(await visible('guarded')).toEqual({ name: 'brief', priority: 10, withheld: true });
  expect(await visible('split')).toMatchObject({ content: `Be brief. ${TOKEN}` });
});

test('who may not use the server of a link any more reads no further in what it gave', async () => {
  await using agent = await client(at('split'), 'two');
  const [own, linked] = [
    idIn(ofPrompt(await agent.getPrompt({ name: 'book' }))),
    idIn(ofPrompt(await agent.getPrompt({ name: 'linked' }))),
  ];
  const read = async (resultId: string): Promise<string> =>
    ofTool(await agent.callTool({ name: 'get_section', arguments: { resultId, section: '1' } }));
  expect(await read(linked)).toContain('Words of 1.');
  const some = wish();
  const without = { ...some, routes: { ...some.routes, '/servers/shelf/mcp': { servers: [] } } };
  await gateway.swap(snapshot(without));
  expect(await read(linked)).toContain('There is no result');
  await expect(agent.getPrompt({ name: 'linked', arguments: { _resultId: linked, _section: '1' } })).rejects.toThrow(
    'no result',
  );
  expect(await read(own)).toContain('Words of 1.');
  const { linked: gone, ...left } = some.prompts ?? {};
  expect(gone).toBeDefined();
  await gateway.swap(snapshot({ ...without, prompts: left }));
  expect(await read(linked)).toContain('There is no result');
  expect(await read(own)).toContain('Words of 1.');
  await gateway.swap(snapshot(wish()));
});

test('nor do the words that tell what a text is about', async () => {
  const some = wish();
  const prompts = {
    keys: { content: `# Use ${TOKEN}\n\nFor all.\n\n## Never say ${TOKEN}\n`, priority: 5 },
    named: { content: `Say ${TOKEN}.`, summary: 'What to say.', priority: 4 },
  };
  const told = async (patterns: readonly string[]): Promise<string> => {
    const guarded = { appliesTo: ['prompt'], minBytes: 2048, stages: [{ type: 'redact', patterns }] };
    await gateway.swap(snapshot({ ...some, pipelines: { ...some.pipelines, guarded }, prompts } as Wish));
    await using agent = await client(at('guarded'), 'one');
    const headers = { Authorization: 'Bearer one' };
    const { text } = await raw(gateway.url, { path: '/projects/guarded/prompt-index', headers });
    const begun = await agent.callTool({ name: 'begin_session', arguments: { tags: ['unheard'] } });
    return JSON.stringify([agent.getInstructions(), await agent.listPrompts(), begun, text]);
  };
  const left = await told([]);
  expect(left).not.toContain(TOKEN);
  expect(left).toContain('Use [redacted:');
  expect(left).toContain('Never say [redacted:');
  const least = await told(['Use']);
  expect(least).not.toContain(TOKEN);
  expect(least).not.toContain('Never say');
  expect(least).toContain('What to say.');
  await gateway.swap(snapshot(wish()));
});

test('a guard with patterns of its own looks at as many texts as a gate hands out', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `note-${index}`);
  const some = wish();
  await gateway.swap(
    snapshot({
      ...some,
      pipelines: {
        ...some.pipelines,
        guarded: { appliesTo: ['prompt'], minBytes: 2048, stages: [{ type: 'redact', patterns: ['s[e]cret'] }] },
      },
      prompts: Object.fromEntries(names.map((name) => [name, { content: `A secret of ${name}.`, priority: 10 }])),
    }),
  );
  await using agent = await client(at('guarded'), 'two');
  const text = ofTool(await agent.callTool({ name: 'read_prompts', arguments: { tags: ['note'] } }));
  for (const name of names) expect(text).toContain(`A [redacted] of ${name}.`);
  await gateway.swap(snapshot(wish()));
});

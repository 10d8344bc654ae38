/** `examples/agents/scripts.yaml` as a person would run it: scripts of agents of both eras. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERAS, exampleUp, type Era, type Example } from './helpers/example.ts';

let example: Example;
beforeAll(async () => {
  example = await exampleUp();
});
afterAll(() => example[Symbol.asyncDispose]());

const run = async (era: Era, script: string): Promise<{ text: string; isError: boolean }> => {
  await using agent = await example.open('scripts', era);
  const answer = await agent.callTool({ name: 'run_script', arguments: { script } });
  const { content, isError = false } = answer as unknown as { content: { text: string }[]; isError?: boolean };
  return { text: content.map(({ text }) => text).join('\n'), isError };
};

test.each(ERAS)('an agent of MCP %s does many things in one call', async (era) => {
  const script = `
    const [save] = await listTools('write a note', 1);
    for (const day of ['mon', 'tue', 'wed']) await callTool(save.name, { title: day + ' ${era}', text: 'on ' + day });
    const titles = (await tools.notes.list_notes()).split('\\n').filter((title) => title.endsWith('${era}'));
    const texts = await Promise.all(titles.map((title) => tools.notes.get_note({ title })));
    console.log(titles.length, 'notes');
    return Object.fromEntries(titles.map((title, at) => [title, texts[at]]));`;
  const { text, isError } = await run(era, script);
  expect(isError).toBe(false);
  const [value = '', ...log] = text.split('\n');
  expect(JSON.parse(value)).toEqual({ [`mon ${era}`]: 'on mon', [`tue ${era}`]: 'on tue', [`wed ${era}`]: 'on wed' });
  expect(log).toEqual(['console:', '3 notes']);
  expect((await run(era, 'return typeof process + typeof fetch + typeof require;')).text).toBe('undefined'.repeat(3));
});

test('each call of a script is in the audit log, linked to it, and not a word of the script', async () => {
  await run('2025-11-25', 'const secretive = 1; await tools.notes.list_notes();');
  const events = await example.events<{ kind: string; requestId: string; parentId?: string; tool?: string }>();
  const script = events.find(({ kind }) => kind === 'script_execution');
  const inner = events.filter(({ parentId }) =>
    events.some(({ kind, requestId }) => kind === 'script_execution' && requestId === parentId),
  );
  expect(script).toMatchObject({ tool: 'run_script', detail: { calls: expect.any(Number) as number } });
  expect(inner.map(({ tool }) => tool)).toContain('list_notes');
  expect(JSON.stringify(events)).not.toContain('secretive');
});

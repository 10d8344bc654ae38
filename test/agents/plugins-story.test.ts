/** `examples/agents/plugins.yaml` as a person would run it: agents of both eras, and code that a commit changes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERAS, exampleUp, type Agent, type Example } from './helpers/example.ts';

let example: Example;
beforeAll(async () => {
  example = await exampleUp();
});
afterAll(() => example[Symbol.asyncDispose]());

async function texts(agent: Agent, name: string, args: Record<string, unknown> = {}): Promise<string[]> {
  const { content } = (await agent.callTool({ name: `notes__${name}`, arguments: args })) as unknown as {
    content: { text: string }[];
  };
  return content.map(({ text }) => text);
}

test.each(ERAS)('an agent of MCP %s works with what the code of the repo leaves it', async (era) => {
  await using agent = await example.open('plugged', era);
  expect(agent.getInstructions()).toContain('What is saved here is for the office.');
  const names = (await agent.listTools()).tools.map(({ name }) => name);
  expect(names).toContain('notes__save_note');
  expect(names).not.toContain('notes__wipe');
  expect(names).toContain('notes_saved');
  expect(await texts(agent, 'wipe')).toEqual(['wipe is not for agents: ask whoever keeps notes.']);
  for (const note of [1, 2]) {
    const said = await texts(agent, 'save_note', { title: `${era} ${note}`, text: 'x' });
    expect(said.at(-1)).toBe(`Note ${note} of this session, for the office.`);
  }
  expect(await agent.callTool({ name: 'notes_saved' })).toMatchObject({ content: [{ text: '2 for the office.' }] });
});

test('what ran is in the audit log, what it said in the log; a commit changes it, one that cannot be read changes nothing', async () => {
  const events = await example.events<{ kind: string; detail?: { plugin: string; hook: string } }>();
  const hooks = events.filter(({ kind }) => kind === 'plugin_execution').map(({ detail }) => detail);
  expect(hooks).toContainEqual({ plugin: 'guard', hook: 'onToolCallBefore' });
  expect(hooks).toContainEqual({ plugin: 'counting', hook: 'onSessionCreate' });
  await example.running.logged('an agent wanted wipe');

  const guard = readFileSync(join(example.desk.config, 'plugins/guard.ts'), 'utf8');
  example.desk.write({ 'plugins/guard.ts': `${guard}\nenum Bad {}\n` });
  const checked = await example.desk.slipway(['validate', example.desk.config]);
  expect(checked.code).not.toBe(0);
  expect(checked.out + checked.err).toMatch(/plugins\/guard\.ts: line \d+: TypeScript enum/);

  example.desk.push({ 'plugins/guard.ts': guard.replace('is not for agents', 'is for people') }, 'other words');
  expect((await example.desk.sync()).code).toBe(0);
  await using agent = await example.open('plugged', '2025-11-25');
  expect(await texts(agent, 'wipe')).toEqual(['wipe is for people: ask whoever keeps notes.']);
});

test('get tells which code and which stages there are, and who uses them', async () => {
  const state = ['--state-dir', example.desk.state];
  const plugins = await example.desk.slipway(['get', 'plugins', ...state]);
  expect(plugins.out).toMatch(
    /^counting +onSessionCreate, .*, tool notes_saved, all of guard +Project\/plugged +plugins\.yaml:\d+$/m,
  );
  const pipelines = await example.desk.slipway(['get', 'pipelines', ...state]);
  expect(pipelines.out).toMatch(/^\S+ +redact, .* +Project\/\S+.* +pipelines\.yaml:\d+$/m);
});

/** `examples/agents` as a person would run it: each way to see a real server's tools, for clients of both eras. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERAS, exampleUp, type Example } from './helpers/example.ts';

let example: Example;
beforeAll(async () => {
  example = await exampleUp();
});
afterAll(() => example[Symbol.asyncDispose]());

type Text = { content: { text: string }[]; isError?: boolean };

test('the lock file is what the tools of its server are', async () => {
  const { code, out } = await example.desk.slipway(['lock', '--check', 'notes', '--state-dir', example.desk.state]);
  expect([code, out]).toEqual([0, '']);
});

test.each(ERAS)('a client of MCP %s writes a note and finds it in each way', async (era) => {
  const open = (project: string) => example.open(project, era);
  const title = `of ${era}`;
  const asked = async (project: string, name: string, args: Record<string, unknown>): Promise<string> => {
    await using agent = await open(project);
    const { content, isError } = (await agent.callTool({ name, arguments: args })) as unknown as Text;
    expect([isError ?? false, content[0]?.text]).toEqual([false, expect.any(String)]);
    return content[0]?.text ?? '';
  };
  await using full = await open('full');
  const { tools } = await full.listTools();
  expect(tools.map(({ name }) => name)).toEqual(['team_list_notes', 'team_get_note', 'team_write', 'team_delete_note']);
  expect(await asked('full', 'team_write', { title, text: 'written' })).toBe('Saved.');

  expect(JSON.parse(await asked('lazy', 'list_servers', {}))).toMatchObject({
    servers: [{ name: 'notes', tags: ['notes', 'text'] }],
  });
  expect(await asked('lazy', 'list_commands', { servers: ['notes'] })).toContain('"get_note"');
  const schema = await asked('lazy', 'describe_commands', { server: 'notes', command_names: ['get_note'] });
  expect(schema).toContain('"required":["title"]');
  const read = { server: 'notes', command_name: 'get_note', parameters: { title } };
  expect(await asked('lazy', 'invoke_command', read)).toBe('written');

  const found = JSON.parse(await asked('search', 'find_tools', { query: 'read a note', limit: 1 })) as {
    tools: { name: string; with: string }[];
  };
  expect(found.tools).toMatchObject([{ name: 'notes__get_note', with: 'call_tool_read' }]);
  expect(await asked('search', 'call_tool_read', { name: 'notes__get_note', arguments: { title } })).toBe('written');
});

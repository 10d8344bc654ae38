/** Long results as an agent meets them in `examples/agents`: the real program, a real server, clients of both eras. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERAS, exampleUp, type Example } from './helpers/example.ts';

let example: Example;
beforeAll(async () => {
  example = await exampleUp();
});
afterAll(() => example[Symbol.asyncDispose]());

type Text = { content: { text: string }[]; isError?: boolean };

const HANDBOOK = ['Welcome', 'Holidays', 'Travel', 'Money']
  .map(
    (title) =>
      `# ${title}\n\n<!-- ask Ada -->\n${`What to know of ${title.toLowerCase()}. `.repeat(120)}\nAsk EMP-1234.\n`,
  )
  .join('\n');
const LIST = JSON.stringify(Array.from({ length: 30 }, (_, id) => ({ id, owner: `EMP-${1000 + id}` })));

test.each(ERAS)('a client of MCP %s reads the sections that it needs', async (era) => {
  const open = (project: string) => example.open(project, era);
  await using agent = await open('sections');
  const said = async (by: typeof agent, name: string, args: Record<string, unknown>): Promise<string> => {
    const { content, isError } = (await by.callTool({ name, arguments: args })) as unknown as Text;
    expect(isError ?? false).toBe(false);
    return content[0]?.text ?? '';
  };
  expect((await agent.listTools()).tools.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['notes__get_note', 'get_section', 'grep_result']),
  );
  const title = `handbook of ${era}`;
  await said(agent, 'notes__save_note', { title, text: HANDBOOK });
  const table = await said(agent, 'notes__get_note', { title });
  expect(table).toMatch(/^3\. Travel \(\d+ characters\): # Travel$/m);
  expect(table).not.toContain('What to know');
  const resultId = /^_resultId: (\S+)$/m.exec(table)?.[1];
  const travel = await said(agent, 'notes__get_note', { _resultId: resultId, _section: '3' });
  expect(travel).toMatch(/^# Travel\n\nWhat to know of travel\. [^]*Ask \[redacted\]\.\n+$/);
  expect(await said(agent, 'get_section', { resultId, section: 'Travel' })).toBe(travel);
  expect(JSON.parse(await said(agent, 'grep_result', { resultId, text: 'OF MONEY', limit: 1 }))).toMatchObject({
    matches: [{ section: '4' }],
    more: true,
  });

  await using short = await open('short');
  await said(short, 'notes__save_note', { title: `list of ${era}`, text: LIST });
  expect(await said(short, 'notes__get_note', { title: `list of ${era}` })).toMatch(
    /^\[30\]\{id,owner\}:\n {2}0,EMP-1000\n/,
  );
});

test('what became of results is in the audit log, without a word of them', async () => {
  const told = (kind: string): Promise<string> =>
    example.events('--kind', kind).then((events) => JSON.stringify(events));
  await expect.poll(() => told('stage_execution')).toContain('"stage":"module"');
  const out = await told('pipeline_execution');
  expect(out).toContain('"pipeline":"sections"');
  expect(out).not.toMatch(/What to know|EMP-/);
});

test('a change of a stage is in force with its commit; code that no Policy allows, or that is not there, is refused', async () => {
  const config = readFileSync(`${example.desk.config}/pipelines.yaml`, 'utf8');
  example.desk.push({ 'pipelines.yaml': config.replace('code: [sections]', 'code: [others]') });
  expect((await example.desk.sync()).err).toContain('code-not-allowed');
  example.desk.push({ 'pipelines.yaml': config.replace('stages/without-comments.mjs', 'stages/with-comments.mjs') });
  expect((await example.desk.sync()).err).toContain('There is no file stages/with-comments.mjs');
  example.desk.push({
    'pipelines.yaml': config,
    'stages/without-comments.mjs':
      'export default (input, { config, ...rest }) => `${Object.keys(rest)}: ${typeof process}`;',
  });
  expect((await example.desk.sync()).code).toBe(0);
  await using agent = await example.open('sections', '2025-11-25');
  const args = { title: 'handbook of 2025-11-25' };
  await expect
    .poll(
      async () =>
        ((await agent.callTool({ name: 'notes__get_note', arguments: args })) as unknown as Text).content[0]?.text,
    )
    .toBe('sourceName,projectName,contentType,log,llm,cache,originalContent: undefined');
});

/** A Budget that a Project or the Gateway names: what it counts, how that is told, and what is left when nobody names it any more. */
import { expect, test } from 'vitest';
import { compile } from '../../reconciler/compile.ts';
import { session } from '../gateway/helpers/gateway.ts';
import { ask } from '../gateway/helpers/modern.ts';
import { cli } from '../helpers/cli.ts';
import { desired, resource, server } from '../helpers/config.ts';
import { Desk } from '../helpers/slipway.ts';
import { eventually } from '../helpers/until.ts';

const MONTHLY = { window: 'month', calls: 3 };

test.for<[string, { budget?: object; dev?: object; gateway?: object }, string[]]>([
  ['nobody and nothing: all calls', {}, []],
  ['a Project', { dev: { budget: 'b' } }, ['/projects/dev/mcp']],
  ['the Gateway', { gateway: { budget: 'b' } }, ['/mcp']],
  ['both', { dev: { budget: 'b' }, gateway: { budget: 'b' } }, ['/projects/dev/mcp', '/mcp']],
  [
    'a Project that is its subject, too, once',
    { budget: { subjects: [{ kind: 'Project', name: 'dev' }] }, dev: { budget: 'b' } },
    ['/projects/dev/mcp'],
  ],
  [
    'a Project besides a subject',
    { budget: { subjects: [{ kind: 'Project', name: 'ops' }] }, dev: { budget: 'b' } },
    ['/projects/ops/mcp', '/projects/dev/mcp'],
  ],
])('named by %s', ([, { budget = {}, dev = {}, gateway = {} }, routes]) => {
  const { draft } = compile(
    desired({
      'b.yaml': resource('Budget', 'b', { ...MONTHLY, ...budget }),
      'dev.yaml': resource('Project', 'dev', { ...dev }),
      'ops.yaml': resource('Project', 'ops', {}),
      'g.yaml': resource('Gateway', 'main', { ...gateway }),
    }),
  );
  expect(draft.budgets).toMatchObject([{ name: 'b', principals: [], groups: [], routes }]);
});

test('it counts what comes through the project, in both eras; the CLI tells so; and without the field, all calls again', async () => {
  await using desk = new Desk();
  const dev = (spec: object): string => resource('Project', 'dev', { servers: ['tiny'], ...spec });
  desk.push({
    'tiny.yaml': server('tiny', 'good', ['v1']),
    'few.yaml': resource('Budget', 'few', MONTHLY),
    'dev.yaml': dev({ budget: 'few' }),
  });
  const running = await desk.up();
  const url = await running.serving;
  expect((await desk.sync()).code).toBe(0);
  const told = async (...args: string[]): Promise<string> =>
    (await cli(args, { cwd: desk.config, env: { SLIPWAY_STATE_DIR: desk.state } })).out;
  const path = '/projects/dev/mcp';
  const call = { name: 'tiny__version' };
  const legacy = await session(url, { path });
  const elsewhere = await session(url);
  await eventually(async () => (await legacy.rpc('tools/list')).text.includes('tiny__version'));

  for (let n = 0; n < 4; n++)
    expect((await elsewhere.rpc('tools/call', call)).json.result?.['isError']).toBeUndefined();
  for (let n = 0; n < 2; n++) expect((await legacy.rpc('tools/call', call)).json.result?.['isError']).toBeUndefined();
  expect((await ask(url, 'tools/call', call, { path })).json.result?.['isError']).toBeUndefined();
  const over = {
    isError: true,
    _meta: { 'slipway/error': { error_code: 'budget-exhausted', limit: { name: 'few' } } },
  };
  expect((await legacy.rpc('tools/call', call)).json.result).toMatchObject(over);
  expect((await ask(url, 'tools/call', call, { path })).json.result).toMatchObject(over);
  expect((await elsewhere.rpc('tools/call', call)).json.result?.['isError']).toBeUndefined();

  const budget = await told('describe', 'budget/few');
  expect(budget).toContain('\nNotes\n  It counts calls through Project/dev.\n');
  expect(budget).toContain('selects Project/dev');
  expect(JSON.parse(await told('describe', 'budget/few', '-o', 'json'))).toMatchObject({
    notes: ['It counts calls through Project/dev.'],
    references: { to: ['Project/dev'], from: ['Project/dev'] },
  });
  expect(await told('describe', 'project/dev')).toMatch(/Usage\n(.*\n)+.*few +all +3\/3/);
  expect(await told('explain', 'budget/few')).toContain('It counts calls through Project/dev.');
  expect(await told('explain', 'project/dev')).toContain(
    'Project/dev is in force. Its Budget/few is exhausted: 100 % of it is used.',
  );
  expect(await told('explain', 'project.budget')).toContain('no longer all calls');

  desk.push({ 'dev.yaml': dev({}) });
  const plan = await told('plan');
  expect(plan).toContain('- spec.budget: "few"');
  expect(plan).toContain('Budget/few');
  expect(plan).toContain('- selected.Project/dev: true');
  expect((await desk.sync()).code).toBe(0);
  // What was used stays used, and is everybody's now.
  expect((await elsewhere.rpc('tools/call', call)).json.result).toMatchObject(over);
  expect(await told('explain', 'budget/few')).toContain('It counts all calls.');
  expect((await running.stop()).code).toBe(0);
});

/** What a plan says that a change of the config costs: the same as what a client is listed that comes afterwards. */
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contextOf } from '../../gateway/index.ts';
import { compile, type Desired } from '../../reconciler/compile.ts';
import { planBetween, planMarkdown } from '../../reconciler/index.ts';
import { withContext } from '../../reconciler/pins/context.ts';
import { planned } from '../../reconciler/plan.ts';
import { asIfRunning } from '../../reconciler/preview.ts';
import { composeSnapshot } from '../../reconciler/publish.ts';
import type { Lock } from '../../schemas/lock/lock.ts';
import { exitCodeOf } from '../../schemas/plan.ts';
import { planText } from '../../cli/print/plan.ts';
import { client, session, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';
import { desired, memoryServer, resource } from '../helpers/config.ts';
import { lockOf, tool } from './helpers/pins.ts';

const TOOLS = ['get_note', 'save_note', 'wipe'].map((name) =>
  tool(name, { description: `What ${name} does, in a good many words that somebody has to read.` }),
);
const PATH = '/projects/dev/mcp';
const SERVERS = {
  'a.yaml': memoryServer('notes', 'v1', { description: 'Notes of the team.' }),
  'b.yaml': memoryServer('other', 'v1', { description: 'Other notes.' }),
};

let up: Upstream;
beforeAll(async () => {
  up = await socketUpstream('notes');
  up.tools.splice(0, up.tools.length, ...(TOOLS as typeof up.tools));
});
afterAll(() => up[Symbol.asyncDispose]());

const lock = lockOf({ notes: TOOLS, other: TOOLS });
const NO_LOCK: Lock = { formatVersion: 2, servers: {} };
const config = (project: Record<string, unknown>, commit: string, locked = lock): Desired => ({
  ...desired({ ...SERVERS, 'p.yaml': resource('Project', 'dev', { servers: ['notes'], ...project }) }, commit),
  lock: locked,
});
const between = (before: Desired, after: Desired) => planBetween(before, after, { contextOf });

/** What a client of the route is really given before it has done anything. */
async function listed(wanted: Desired): Promise<number> {
  const compiled = compile(wanted);
  const served = compiled.workloads.map(
    ({ address, hash }) =>
      [address, { endpoints: [up.endpoint], readiness: { hash, tools: TOOLS as typeof up.tools } }] as const,
  );
  const nothing = { known: {}, failures: {}, isUnready: () => false, before: {} };
  const { gateway: settings, ...snapshot } = composeSnapshot(compiled, { ...nothing, served: new Map(served) });
  await using gateway = await start({ ...snapshot, gateway: { ...settings, listen: '127.0.0.1:0' } });
  await using agent = await client(`${gateway.url}${PATH}`);
  const instructions = agent.getInstructions() ?? '';
  const { rpc } = await session(gateway.url, { path: PATH });
  const { tools } = (await rpc('tools/list')).json.result as { tools: unknown };
  return encode(instructions + JSON.stringify(tools)).length;
}

describe('a change of a Project alone', () => {
  test.each([
    ['discovery: lazy', {}, { discovery: 'lazy' }, 1],
    ['discovery: search', {}, { discovery: 'search' }, 1],
    ['summaries of servers', { discovery: 'lazy' }, { discovery: 'lazy', embedServerSummaries: { enabled: true } }, 1],
    ['codeMode', {}, { codeMode: {} }, 1],
    ['one more server', {}, { servers: ['notes', 'other'] }, 1],
    ['hide', {}, { overrides: { notes: { hide: ['w*'] } } }, -1],
    ['another name', {}, { overrides: { notes: { tools: { wipe: { name: 'remove_all_notes_there_are' } } } } }, 1],
    ['another description', {}, { overrides: { notes: { tools: { wipe: { description: 'Wipes.' } } } } }, -1],
    ['instructions', {}, { instructions: 'Look before you write, and write little.' }, 1],
  ])('%s', async (_, was, is, sign) => {
    const [before, after] = [config(was, 'c1'), config(is, 'c2')];
    const plan = await between(before, after);
    const found = plan.context?.find(({ route }) => route === PATH);
    expect(found).toEqual({ route: PATH, before: await listed(before), after: await listed(after), unknown: [] });
    expect(Math.sign((found?.after ?? 0) - (found?.before ?? 0))).toBe(sign);
    expect(plan.tools).toBeUndefined();
    const said = `${PATH} takes ${found?.after} tokens of context, `;
    expect(planText(plan, (_style, text) => text)).toContain(said);
    expect(planMarkdown(plan)).toContain(said);
  });

  test('a gate lists one tool, whatever is behind it', async () => {
    const [before, after] = [config({}, 'c1'), config({ gate: { enabled: true } }, 'c2')];
    const [found] = (await between(before, after)).context ?? [];
    expect(found).toMatchObject({ route: PATH, before: await listed(before) });
    expect(found?.after).toBeLessThan(found?.before ?? 0);
  });
});

test('a Plugin’s tools count, on the routes that have it', async () => {
  const brings = (commit: string, ...names: string[]): Desired => {
    const tools = names.map((name) => ({ name, description: `What ${name} does.` }));
    const plugin = resource('Plugin', 'helper', { file: 'helper.ts', hooks: ['onSessionCreate'], tools });
    const project = resource('Project', 'dev', { servers: ['notes'], plugin: 'helper' });
    const policy = resource('Policy', 'code', { plugins: ['helper'] });
    return { ...desired({ ...SERVERS, 'c.yaml': policy, 'g.yaml': plugin, 'p.yaml': project }, commit), lock };
  };
  const steps = [config({}, 'c1'), brings('c2', 'count'), brings('c3', 'count', 'words')] as const;
  for (const [before, after] of [steps.slice(0, 2), steps.slice(1)] as [Desired, Desired][]) {
    const [found, ...others] = (await between(before, after)).context ?? [];
    expect(found).toEqual({ route: PATH, before: await listed(before), after: await listed(after), unknown: [] });
    expect([others, Math.sign((found?.after ?? 0) - (found?.before ?? 0))]).toEqual([[], 1]);
  }
});

test('nothing is said of projects that nothing changed for, nor of what costs what it did', async () => {
  const both = (dev: object, commit: string): Desired => ({
    ...desired(
      {
        ...SERVERS,
        'p.yaml': resource('Project', 'dev', { servers: ['notes'], ...dev }),
        'q.yaml': resource('Project', 'still', { servers: ['other'] }),
      },
      commit,
    ),
    lock,
  });
  expect((await between(both({}, 'c1'), both({ discovery: 'lazy' }, 'c2'))).context).toMatchObject([{ route: PATH }]);
  expect((await between(both({}, 'c1'), both({ redact: true }, 'c2'))).context).toBeUndefined();
  const same = await between(both({}, 'c1'), both({}, 'c1'));
  expect([same.context, exitCodeOf(same)]).toEqual([undefined, 0]);
});

test('tools that are accepted anew change what each route costs that lists them', async () => {
  const longer = lockOf({ notes: [...TOOLS, tool('more')], other: TOOLS });
  const plan = await between(config({}, 'c1'), config({}, 'c2', longer));
  expect(plan.context?.map(({ route }) => route)).toEqual(['/mcp', PATH]);
  for (const { before, after } of plan.context ?? []) expect(after).toBeGreaterThan(before ?? Infinity);
  const lazy = await between(config({ discovery: 'lazy' }, 'c1'), config({ discovery: 'lazy' }, 'c2', longer));
  expect(lazy.context?.map(({ route }) => route)).toEqual(['/mcp']);
  // Tools that are written down for the first time were there before.
  const first = await between({ ...config({}, 'c1'), lock: NO_LOCK }, config({}, 'c2'));
  expect([first.tools?.changes.length, first.context]).toEqual([6, undefined]);
});

test('what is not known is said so; what a version showed when it was ready is known', async () => {
  const [before, after] = [config({}, 'c1', NO_LOCK), config({ codeMode: {} }, 'c2', NO_LOCK)];
  const plan = await between(before, after);
  expect(plan.context).toEqual([{ route: PATH, before: null, after: null, unknown: ['notes'] }]);
  expect(planText(plan, (_style, text) => text)).toContain(
    `${PATH} takes an unknown number of tokens of context, and nobody knows how many before\n      the tools of notes are not known`,
  );
  const [notes] = compile(before).workloads;
  const known = { 'Server/notes': { hash: notes?.hash ?? '', tools: TOOLS as typeof up.tools } };
  const there = { ...asIfRunning(before), known };
  const ready = await withContext(planned(compile(after), there), compile(after), there, contextOf);
  expect(ready.context).toEqual([
    { route: PATH, before: await listed(before), after: await listed(after), unknown: [] },
  ]);
});

test('a route that is new, and one that is gone', async () => {
  const none = { ...desired(SERVERS, 'c0'), lock };
  const [made] = (await between(none, config({}, 'c1'))).context ?? [];
  expect(made).toEqual({ route: PATH, after: await listed(config({}, 'c1')), unknown: [] });
  const [gone] = (await between(config({}, 'c1'), { ...none, commit: 'c2' })).context ?? [];
  expect(gone).toEqual({ route: PATH, before: made?.after, unknown: [] });
});

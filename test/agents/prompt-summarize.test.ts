/** `slipway prompt summarize`: a model says what Prompts are about, and what it says is written into the config like any change. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { raw } from '../gateway/helpers/gateway.ts';
import { cli, type Said } from '../helpers/cli.ts';
import { resource } from '../helpers/config.ts';
import { Models } from '../helpers/models.ts';
import { Desk, type Running } from '../helpers/slipway.ts';

const RULES = `# What holds for releases.
apiVersion: slipway/v1
kind: Prompt
metadata: { name: release-rules }
spec:
  priority: 8 # Higher than the rest.
  content: |
    # Releases
    Cut them from main on Tuesdays.
    ## Approval
    Two people say yes.
`;

let models: Models;
let desk: Desk;
let running: Running;
beforeAll(async () => {
  models = await Models.start();
  desk = new Desk();
  const provider = (name: string, more: object): string =>
    resource('LlmProvider', name, {
      type: 'openai-compatible',
      model: name,
      url: `${models.url}/v1`,
      privateNetwork: true,
      ...more,
    });
  desk.push({
    'rules.yaml': RULES,
    'local.yaml': provider('local', {}),
    'quick.yaml': provider('quick', { tier: 'fast' }),
    'ops.yaml': resource('Project', 'ops', { llm: 'local' }),
    'secret.yaml': resource('Prompt', 'of-ops', { file: 'ops.md', projects: ['ops'] }),
    'dev.yaml': resource('Project', 'dev', {}),
    'of-dev.yaml': resource('Prompt', 'of-dev', { content: 'Be kind.', projects: ['dev'] }),
    'ops.md': '\uFEFFThe pager is on the shelf. It beeps.\n',
    'link.yaml': resource('Prompt', 'linked', { link: 'notes:note://a' }),
    'notes.yaml': resource('Server', 'notes', { url: 'http://127.0.0.1:9/mcp', privateNetwork: true }),
    'gate.yaml': resource('Prompt', 'slipway-gate', { content: 'Begin.' }),
  });
  running = await desk.up();
});
afterAll(async () => {
  await desk[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
});

const summarize = (...args: string[]): Promise<Said> =>
  cli(['prompt', 'summarize', ...args], { cwd: desk.config, env: { SLIPWAY_STATE_DIR: desk.state } });
const says = (summary: string, ...chapters: string[]): string => JSON.stringify({ summary, chapters });
const rules = (): string => readFileSync(join(desk.config, 'rules.yaml'), 'utf8');

test('the fast model is asked, each time anew, and what it says is shown', async () => {
  models.answering = () => says('How releases\u001b[2J are cut.', 'Branches', 'Approval');
  expect(await summarize('release-rules')).toMatchObject({
    code: 0,
    out: 'How releases\\u{1b}[2J are cut.\n- Branches\n- Approval',
    err: '',
  });
  models.answering = () => says('Who says yes to a release.', 'Approval');
  expect(JSON.parse((await summarize('release-rules', '-o', 'json')).out)).toEqual({
    name: 'release-rules',
    summary: 'Who says yes to a release.',
    chapters: ['Approval'],
    by: 'model',
  });
  expect(models.asked[0]?.prompt).toContain('Cut them from main');
  expect(rules()).toBe(RULES);
  // What it said last is what sessions get from now on.
  const index = await raw(await running.serving, { path: '/projects/ops/prompt-index' });
  expect(index.text).toContain('Who says yes');
});

test('data leak: a text is shown to no other model than the project that it is for allows', async () => {
  models.asked.length = 0;
  models.answering = () => says('Where the pager is.');
  expect((await summarize('of-ops')).out).toBe('Where the pager is.');
  // Of those that are for all projects, this one, too.
  await summarize('release-rules');
  await summarize('of-dev');
  expect(
    [...new Set(models.asked.map(({ prompt, body }) => `${prompt.split('.')[0]}: ${String(body['model'])}`))].sort(),
  ).toEqual([
    '# Releases\nCut them from main on Tuesdays: local',
    'Be kind: quick',
    'The pager is on the shelf: local',
  ]);
  // Of a file, and with a mark at its beginning, that is no part of the text.
  expect((await summarize('of-ops', '--write', '--dry-run')).out).toMatch(/^prompt\/of-ops summarized \(dry run\)/);
});

test('--write is a change like any: shown, checked, with all comments kept, and committed when asked', async () => {
  models.answering = () => says('How releases are cut: from main.', 'Branches', 'Approval');
  const dry = await summarize('release-rules', '--write', '--dry-run', '--diff');
  expect(dry.out).toContain('+  summary: "How releases are cut: from main."');
  expect(rules()).toBe(RULES);
  const before = desk.git(desk.config, 'rev-parse', 'HEAD');
  const done = await summarize('release-rules', '--write', '-m', 'Say what they are about');
  expect(done).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^prompt\/release-rules summarized {2}rules\.yaml/),
  });
  expect(rules()).toContain('# What holds for releases.');
  expect(rules()).toContain('priority: 8 # Higher than the rest.');
  expect(rules()).toMatch(/summary: "How releases are cut: from main\."\n {2}chapters: ?(\[Branches, Approval\]|\n)/);
  expect(desk.git(desk.config, 'log', '--format=%s', `${before}..`)).toBe('Say what they are about');
  expect(await summarize('release-rules', '--write')).toMatchObject({ out: expect.stringContaining('unchanged') });
  const branch = await summarize('release-rules', '--write', '--branch', 'summaries', '--repo', desk.remote);
  expect(branch.code).toBe(0);
  expect(desk.git(desk.remote, 'show', 'summaries:rules.yaml')).toContain(
    'summary: "How releases are cut: from main."',
  );
});

test('a text that was changed since gets no summary of another', async () => {
  const now = rules();
  desk.write({ 'rules.yaml': now.replace('Tuesdays', 'Mondays') });
  const refused = await summarize('release-rules', '--write');
  expect(refused.code).not.toBe(0);
  expect(refused.err).toContain('is another than the one in force');
  expect(refused.err).toContain('slipway sync --wait');
  desk.write({ 'rules.yaml': now });
});

test('without an answer, what the text itself tells will do, and it is said so', async () => {
  models.answering = () => 'I would rather not.';
  expect(await summarize('release-rules')).toEqual({
    code: 0,
    out: 'Releases\n- Releases\n- Approval',
    err: 'No model answered: this is what the text itself tells.',
  });
});

test.each([
  ['linked', /is a link/],
  ['slipway-gate', /is in no index/],
  ['nothing', /There is no Prompt nothing in force/],
])('%s has nothing to be summed up', async (name, why) => {
  const { code, err } = await summarize(name);
  expect(code).not.toBe(0);
  expect(err).toMatch(why);
});

test('what only makes sense with --write says so', async () => {
  for (const flag of ['--diff', '--dry-run', '--pr'])
    expect((await summarize('release-rules', flag)).err).toContain('Nothing is written without --write');
  expect((await cli(['prompt', 'summarise'], { cwd: desk.config })).err).toContain('there is `prompt summarize`');
});

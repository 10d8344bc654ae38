/** `examples/agents` with a gate, as a person would run it: real clients of both eras begin, skip and propose. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Desk } from '../helpers/slipway.ts';
import { exampleUp, type Era, type Example } from './helpers/example.ts';

const token = (name: string, role: string): string => `apiVersion: slipway/v1
kind: Token
metadata: { name: ${name} }
spec: { sha256: ${createHash('sha256').update(name).digest('hex')}, roles: [${role}] }
`;

const WORKER = `apiVersion: slipway/v1
kind: Role
metadata: { name: worker }
spec: { rules: [{ verbs: [view, run], resources: [servers, projects] }] }
`;

let example: Example;
let desk: Desk;
beforeAll(async () => {
  const names = ['ada', 'bob', 'eve', 'joe'].map((name) => token(name, 'member'));
  example = await exampleUp({ 'tokens.yaml': [...names, WORKER, token('max', 'worker')].join('---\n') });
  ({ desk } = example);
});
afterAll(() => example[Symbol.asyncDispose]());

type Answer = { content: { text?: string }[]; isError?: boolean };

async function open(era: Era, who: string) {
  const agent = await example.open('gated', era, who);
  const call = async (name: string, args: Record<string, unknown> = {}): Promise<string[]> =>
    ((await agent.callTool({ name, arguments: args })) as unknown as Answer).content.map(({ text = '' }) => text);
  const listed = async (): Promise<string[]> => (await agent.listTools()).tools.map(({ name }) => name);
  return { agent, call, listed, [Symbol.asyncDispose]: () => agent.close() };
}

describe.each([
  ['2025-11-25', 'ada', 'bob'],
  ['2026-07-28', 'eve', 'joe'],
] as const)('a client of MCP %s', (era, who, other) => {
  test('begins, gets what fits, and works', async () => {
    await using session = await open(era, who);
    const told = session.agent.getInstructions() ?? '';
    expect(told).toMatch(/^Call the tool begin_session now/);
    expect(told).toContain('- how-we-write (priority 7): How we write notes');
    expect(told).toContain('notes__get_note');
    expect(await session.listed()).toEqual(['begin_session']);
    const [begun = ''] = await session.call('begin_session', { tags: ['writing', 'titles', 'newcomers'] });
    expect(begun).toContain('# how-we-write (priority 7)\n\n# How we write notes');
    expect(begun).toContain('# welcome-note (priority 5)\n\nThree ways to find it.');
    expect(begun).toContain('# house-rules (priority 10)');
    expect(begun).toMatch(/all \d+ tools of gated are listed now\. Of its 3 texts, read_prompts gives/);
    expect(await session.listed()).toEqual(
      expect.arrayContaining(['notes__get_note', 'read_prompts', 'propose_prompt']),
    );
    const names = (await session.agent.listPrompts()).prompts.map(({ name }) => name);
    expect(names).toEqual(['house-rules', 'how-we-write', 'welcome-note']);
    const { messages } = await session.agent.getPrompt({ name: 'how-we-write' });
    expect(JSON.stringify(messages)).toContain('One thought a line.');
  });

  test('skips it, and proposes what it has learned', async () => {
    await using session = await open(era, other);
    const [note, rules = ''] = await session.call('notes__get_note', { title: 'welcome' });
    expect(note).toBe('Three ways to find it.');
    expect(rules).toContain('# house-rules (priority 10)');

    const name = `learned-${era}`;
    const wrong = await session.call('propose_prompt', { name: 'house-rules', content: 'Anything goes.' });
    expect(wrong[0]).toContain('taken');
    const [answer = ''] = await session.call('propose_prompt', {
      name,
      content: '# Holidays\n\nAda is away in May.',
      summary: 'Who is away.',
      priority: 6,
    });
    expect(answer).toContain('Proposed as ');
    const branch = /branch (\S+)\)/.exec(answer)?.[1] ?? '';
    expect(branch).toMatch(/^slipway\/proposals\//);
    expect(desk.git(desk.remote, 'show', `${branch}:prompts/${name}.yaml`)).toContain('Ada is away in May.');
    const [mine = ''] = await session.call('read_prompts', { tags: ['holidays', 'away'] });
    expect(mine).toContain(`# ${name} (priority 6, proposed in this session and not approved yet)`);
    await using stranger = await open(era, who);
    expect((await stranger.call('read_prompts', { tags: ['holidays', 'away'] }))[0]).not.toContain(name);
    expect(desk.git(desk.remote, 'log', '-1', '--format=%B', branch)).toContain(`Slipway-Proposed-By: token:${other}`);
  });
});

test('who may not propose is told so, and nothing is pushed', async () => {
  const branches = (): string => desk.git(desk.remote, 'branch', '--list', 'slipway/proposals/*');
  const before = branches();
  await using session = await open('2025-11-25', 'max');
  const refused = await session.call('propose_prompt', { name: 'x', content: 'Trust me.' });
  expect(refused[0]).toBe('No role of yours may create proposals.');
  expect((await session.call('read_prompts', { tags: ['x'] }))[0]).not.toContain('Trust me.');
  expect(branches()).toBe(before);
});

test('get and describe tell of prompts, and how a link does', async () => {
  const { out } = await desk.slipway(['get', 'prompts', '--state-dir', desk.state]);
  const rows = out.split('\n').map((line) => line.split(/\s{2,}/));
  expect(rows[0]).toEqual(['NAME', 'PRIORITY', 'PROJECTS', 'TEXT', 'READ', 'AGE', 'ERROR']);
  expect(rows.find(([name]) => name === 'how-we-write')?.slice(0, 5)).toEqual([
    'how-we-write',
    '7',
    'gated',
    'prompts/how-we-write.md',
    '-',
  ]);
  expect(rows.find(([name]) => name === 'welcome-note')?.slice(3, 5)).toEqual(['gated/notes:note://welcome', 'ok']);
  const described = await desk.slipway(['describe', 'prompt', 'welcome-note', '--state-dir', desk.state]);
  expect(described.out).toMatch(/Link\n\s+gated\/notes:note:\/\/welcome: ok/);
});

test('a text that changes in its file is a change that is told and served', async () => {
  const path = 'prompts/how-we-write.md';
  desk.write({ [path]: '# How we write now\n\nBriefly.\n' });
  const { out } = await desk.slipway(['plan', '--repo', desk.config, '--base', 'HEAD', '-o', 'json']);
  expect(out).toContain('Prompt/how-we-write');
  desk.push({}, 'another text');
  expect((await desk.sync()).code).toBe(0);
  await using session = await open('2026-07-28', 'eve');
  // Who has begun has begun, and reads what is new.
  expect(await session.listed()).toContain('read_prompts');
  expect((await session.call('read_prompts', { tags: ['write'] }))[0]).toContain('# How we write now\n\nBriefly.');
});

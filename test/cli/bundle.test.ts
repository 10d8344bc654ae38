/** What is published: the bundle works on its own, away from the source and from node_modules. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { build } from '../../cli/build.ts';
import { client } from '../gateway/helpers/gateway.ts';
import { Models } from '../helpers/models.ts';
import { Desk, Running } from '../helpers/slipway.ts';
import { tempDir } from '../helpers/temp.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/agents', import.meta.url));

/** One for each way to speak to a provider. */
const TYPES = ['openai', 'anthropic', 'google', 'azure', 'openai-compatible'];

/** A package that is there at run time. */
const IMPORT =
  /^(?!import type)(?:(?:import|export|\}).*? from |.*?import\()'(?!node:)((?:@[\w-]+\/)?[a-z][\w.-]*)(?:\/[^']*)?'/gm;

test('the bundle runs without anything beside it', async () => {
  await using desk = new Desk();
  const installed = join(desk.home, 'installed');
  await build(installed);
  const slipway = (...args: string[]) =>
    spawnSync(process.execPath, [join(installed, 'slipway.js'), ...args], {
      cwd: desk.home,
      env: desk.env(),
      encoding: 'utf8',
    });
  expect(slipway('version').stdout).toContain('config slipway/v1');
  const cache = join(desk.home, 'cache');
  const anew = { PATH: process.env['PATH'], XDG_CACHE_HOME: cache };
  for (const env of [anew, { ...anew, XDG_CACHE_HOME: '' }])
    expect(spawnSync(process.execPath, [join(installed, 'slipway.js'), 'version'], { env }).status).toBe(0);
  expect(readdirSync(join(cache, 'slipway', 'compiled'))).toHaveLength(1);
  expect(slipway('init', 'demo').status).toBe(0);
  expect(slipway('validate', 'demo').stdout).toContain('4 resources, no issues');
  expect(slipway('plan', '--repo', 'demo').status).toBe(2);
  expect(JSON.parse(slipway('schema', 'plan').stdout)).toHaveProperty('title', 'Slipway plan');
  const folder = join(desk.home, 'demo');
  const project = { servers: ['hello'], codeMode: { maxCalls: 5 } };
  writeFileSync(
    join(folder, 'scripts.yaml'),
    JSON.stringify({ apiVersion: 'slipway/v1', kind: 'Project', metadata: { name: 'scripts' }, spec: project }),
  );
  await using models = await Models.start();
  const providers = TYPES.map((type) =>
    JSON.stringify({
      apiVersion: 'slipway/v1',
      kind: 'LlmProvider',
      metadata: { name: type },
      spec: { type, model: 'm', url: `${models.url}/v1`, privateNetwork: true },
    }),
  );
  writeFileSync(join(folder, 'models.yaml'), providers.join('\n---\n'));
  desk.git(folder, 'add', '--all');
  desk.git(folder, 'commit', '--quiet', '-m', 'scripts');
  const up = ['up', '--repo', folder, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
  const running = new Running(
    spawn(process.execPath, [join(installed, 'slipway.js'), ...up], { cwd: desk.home, env: desk.env() }),
  );
  try {
    const url = await running.serving;
    // A server that takes long to start is there only then.
    expect(slipway('sync', '--wait', '--state-dir', desk.state).status).toBe(0);
    await using agent = await client(`${url}/projects/scripts/mcp`);
    // A thread's program is a file of its own, too.
    const script = 'return (await listTools("")).map(({ name }) => name);';
    const answer = await agent.callTool({ name: 'run_script', arguments: { script } });
    expect(JSON.stringify(answer)).toContain('hello__');
    // Each provider of models has a library of its own, which is loaded when it is first asked.
    const ask = [join(installed, 'slipway.js'), 'llm', 'check', '--state-dir', desk.state];
    const said = await textOf(spawn(process.execPath, ask, { cwd: desk.home, env: desk.env() }).stdout);
    expect(said.match(/ answered /g), said).toHaveLength(TYPES.length);
  } finally {
    await running.stop();
  }
  // Programs that run in containers are files of their own, and Ink reads what it is called from one.
  expect(readdirSync(join(installed, 'assets')).map((name) => name.replace(/-[\w-]{8}\./, '.'))).toEqual([
    'egress-proxy.mjs',
    'package.json',
  ]);
});

test('the bundle has the program of its threads, and the sandbox in it', async () => {
  await using desk = new Desk();
  const program = await build(join(desk.home, 'installed'));
  cpSync(EXAMPLE, desk.config, { recursive: true });
  desk.push({});
  const args = ['up', '--repo', desk.remote, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
  const running = new Running(
    spawn(process.execPath, [program, ...args], { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  onTestFinished(() => void running.stop());
  const url = await running.serving;
  expect((await desk.sync()).code).toBe(0);
  await using agent = await client(`${url}/projects/sections/mcp`);
  const text = `# A\n\n<!-- hidden -->\n${'Long words. '.repeat(300)}\n# B\n\n${'More words. '.repeat(300)}`;
  await agent.callTool({ name: 'notes__save_note', arguments: { title: 'a', text } });
  const { content } = (await agent.callTool({ name: 'notes__get_note', arguments: { title: 'a' } })) as {
    content: unknown;
  };
  expect(content).toMatchObject([
    { text: expect.stringMatching(/_resultId: [^]*\n1\. A \(3\d{3} characters\)/) as unknown },
  ]);
  expect(
    await agent.callTool({ name: 'grep_result', arguments: { resultId: idIn(content), text: '<!--' } }),
  ).toMatchObject({
    content: [{ text: '{"matches":[],"more":false}' }],
  });
});

const idIn = (content: unknown): string => /_resultId: ([\w-]+)/.exec(JSON.stringify(content))?.[1] ?? '';

test('whatever the source imports is named with its licence', async () => {
  using folder = tempDir();
  await build(folder.path);
  const text = readFileSync(folder.at('THIRD-PARTY.txt'), 'utf8');
  const named = text
    .split(/^-{80}$/m)
    .map((entry) => /^\s*(\S+) \d\S* \([A-Z][\w.-]+\)\n\n(?=\S)(?!Copyright undefined)/.exec(entry)?.[1]);
  expect(named).not.toContain(undefined);
  const sources = ['schemas', 'reconciler', 'gateway', 'cli'].flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' }).map((path) => join(room, path)),
  );
  const imported = sources
    .filter((path) => path.endsWith('.ts') && path !== join('cli', 'build.ts'))
    .flatMap((path) => [...readFileSync(path, 'utf8').matchAll(IMPORT)].map(([, name]) => name));
  expect(named).toEqual(expect.arrayContaining(imported));
  expect(imported).toEqual(expect.arrayContaining(['oauth4webapi', '@opentelemetry/resources', 'zod']));
});

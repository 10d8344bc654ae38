/** Every example in the help of every command, and what the README shows, is run as it stands there, in a real shell. */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from '../../cli/build.ts';
import { pages } from '../../cli/manual/pages.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';

const examples = [...new Set((await pages()).flatMap((page) => page.examples))];

const labelled = (yaml: string, label: string): string => yaml.replace('{ name:', `{ labels: { ${label} }, name:`);

/** A config repo with what the examples speak of. */
const CONFIG: Readonly<Record<string, string>> = {
  'gateway.yaml': `${GATEWAY}spec: { secrets: { recipients: [age1g790lgxaexyujgf5688kxdem477esgvxemcrytfkxd0qc989aprsqcazu5] } }\n`,
  'backup.yaml': 'apiVersion: slipway/v1\nkind: Backup\nmetadata: { name: nightly }\nspec: {}\n',
  'templates/docs.yaml':
    'apiVersion: slipway/v1\nkind: Template\nmetadata: { name: docs }\nspec:\n  params: { site: { required: true } }\n  server: { command: [node, hello.mjs, "${site}"], files: [hello.mjs] }\n',
  'hello.mjs': HELLO_PROGRAM,
  'servers/github.yaml': helloServer('github').replace('GREETING, value: Hello', 'MODE, value: fast'),
  'servers/hello.yaml': helloServer('hello'),
  'servers/pager.yaml': helloServer('pager'),
  'servers/scratch.yaml': helloServer('scratch'),
  'servers/temporary.yaml': labelled(helloServer('temporary'), 'tier: scratch'),
  'projects/dev.yaml':
    'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: dev }\nspec: { servers: [github, hello] }\n',
  'projects/scratch.yaml':
    'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: scratch }\nspec: { servers: [scratch] }\n',
  'users/ada.yaml': 'apiVersion: slipway/v1\nkind: User\nmetadata: { name: ada }\nspec: { email: ada@example.com }\n',
  'tokens/ci.yaml': `apiVersion: slipway/v1\nkind: Token\nmetadata: { name: ci }\nspec: { sha256: ${'a'.repeat(64)} }\n`,
  'prod/gateway.txt': 'a folder with no config in it\n',
};

/** What people have beside it, in the folder that stands for their home. */
const BESIDE: Readonly<Record<string, string>> = {
  'fetch.yaml': helloServer('fetch'),
  'more/one.yaml': helloServer('one'),
  'config/.mcp.json': '{ "mcpServers": { "notes": { "command": "notes-mcp" } } }',
  'compose.yaml': 'services: { notes: { image: "example/mcp-notes:1.0", labels: { x: y } } }\n',
  'config/token.txt': 'slw_example\n',
  '.config/lazy-mcp/servers.json': '{ "servers": [{ "name": "notes", "command": ["notes-mcp"] }] }',
};

/** They serve until somebody stops them, and say when they do. */
const isServing = (example: string): boolean => /slipway up\b/.test(example);
/** They go on until somebody stops them, whether or not there is something to tell. */
const isFollowing = (example: string): boolean =>
  /logs .*(-f|--follow)|--watch|get .*-w\b|audit tail|events .*(-f\b|--follow)/.test(example);

/** Of the recipient in CONFIG. */
const DEMO_KEY = readFileSync(new URL('../../examples/encrypted-secrets/demo.key', import.meta.url), 'utf8');

/** What must be so before. */
const BEFORE: readonly [RegExp, string][] = [
  [/^slipway template (diff|upgrade)/, 'slipway template use docs handbook -p site=handbook'],
  [/^slipway lock --check/, 'slipway lock'],
  [/^slipway token create ci/, 'slipway token revoke ci'],
  [/^slipway audit verify --from git/, 'git fetch --quiet origin slipway/audit:slipway/audit'],
];

/** Exit codes other than 0, and why. */
function codesOf(example: string): readonly number[] {
  if (example.includes('logout') || example.includes('client-config')) return [0];
  if (isFollowing(example)) return [124]; // `timeout` had to stop it.
  if (example.includes('connect')) return [0]; // What is asked of it ends at once: nobody asks.
  if (/example\.com/.test(example) && !example.includes('create')) return [1]; // Nobody answers there.
  if (/^slipway (plan|diff)/.test(example)) return [0, 2]; // No changes, or some.
  if (example.includes('auth can-i')) return [0, 1]; // Yes or no.
  if (/^slipway (approve|reject|restore \d)/.test(example)) return [1]; // There is no such proposal, and no such backup.
  if (example.startsWith('slipway llm check')) return [1]; // No model answers there.
  if (example.includes('auth forget')) return [1]; // There is no such server.
  if (example.includes('explain denied')) return [1]; // There is no such refusal.
  return [0];
}

interface Ran {
  readonly code: number | null;
  readonly said: string;
}

let desk: Desk;
let state: string;
let path: string;
beforeAll(async () => {
  desk = new Desk();
  path = desk.path(await build(join(desk.home, 'dist')));
  desk.push(CONFIG);
  for (const tag of ['v1.0', 'feature']) desk.git(desk.config, 'branch', tag);
  desk.push({ 'servers/hello.yaml': helloServer('hello', 'Hi') });
  for (const branch of ['v1.1', 'other']) desk.git(desk.config, 'branch', branch);
  desk.git(desk.config, 'push', '--quiet', 'origin', 'feature');
  for (const [file, content] of Object.entries(BESIDE)) {
    mkdirSync(dirname(join(desk.home, file)), { recursive: true });
    writeFileSync(join(desk.home, file), content);
  }
  writeFileSync(join(desk.home, 'value.txt'), 'a value');
  await desk.slipway(['secret', 'encrypt', 'github', 'token', '--from-file', join(desk.home, 'value.txt')]);
  desk.push({
    'prompts/release-rules.yaml':
      'apiVersion: slipway/v1\nkind: Prompt\nmetadata: { name: release-rules }\nspec: { content: Two people say yes. }\n',
    'models.yaml':
      'apiVersion: slipway/v1\nkind: LlmProvider\nmetadata: { name: local }\nspec: { type: ollama, model: m, url: "http://127.0.0.1:9/v1", privateNetwork: true }\n',
    'workspaces/handbook.yaml': `apiVersion: slipway/v1\nkind: Workspace\nmetadata: { name: handbook }\nspec: { git: { url: "file://${desk.remote}" } }\n`,
  });
  await desk.up();
  state = desk.state;
  await desk.slipway(['backup', 'now', '--state-dir', state]);
});
afterAll(() => desk[Symbol.asyncDispose]());

/** In a home of its own, so that no example sees what another did. @param until stops it, as Ctrl-C does, once it said this */
function run(line: string, until?: RegExp): Promise<Ran> {
  const home = mkdtempSync(join(desk.home, 'home-'));
  for (const name of ['config', 'remote.git', 'more', 'fetch.yaml', 'compose.yaml', '.config'])
    cpSync(join(desk.home, name), join(home, name), { recursive: true });
  // Another Slipway needs a state of its own; all else is asked of the one that runs.
  const isOwn = /slipway up/.test(line);
  const child = spawn('bash', ['-c', line], {
    cwd: join(home, 'config'),
    env: {
      ...desk.env(),
      PATH: path,
      HOME: home,
      EDITOR: 'sed -i s/spec:/spec:\\ #\\ edited/',
      SLIPWAY_STATE_DIR: isOwn ? join(home, 'own') : state,
      GIT_TERMINAL_PROMPT: '0',
      SLIPWAY_AGE_KEY: DEMO_KEY,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  let stopped = false;
  const hear = (chunk: Buffer): void => {
    said += chunk.toString();
    if (stopped || !until?.test(said)) return;
    stopped = true;
    process.kill(-(child.pid as number), 'SIGINT');
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return new Promise((done) => child.once('close', (code) => done({ code, said })));
}

test.each(examples.map((example) => [example]))('%s', async (example) => {
  const before = BEFORE.find(([pattern]) => pattern.test(example))?.[1];
  const line = isFollowing(example) ? `timeout --signal=INT 5 ${example}` : example;
  const until = isServing(example) ? /following|serving/ : undefined;
  const { code, said } = await run(before === undefined ? line : `${before} && ${line}`, until);
  // What it shows there is for `console.test.ts` to see.
  if (example.startsWith('slipway console')) return expect(said).toContain('The console needs a terminal.');
  expect(said).not.toMatch(/\[(usage|internal)\]|\n {4}at /);
  if (until === undefined) expect(codesOf(example), said).toContain(code);
  else expect(said).toMatch(until);
});

/** Blocks of the README about a repo that is there; those that begin one are a story of their own, in `package.slow.test.ts`. */
const blocks = [...readFileSync(new URL('../../README.md', import.meta.url), 'utf8').matchAll(/```sh\n(.*?)```/gs)]
  .map(([, block = '']) => block)
  .filter((block) => /^slipway/m.test(block) && !/slipway (init|up)|^cd /m.test(block));
/** Lines that cannot work here: nobody answers there, nobody was refused, or nothing ends them. */
const NOT_HERE = /git@git\.example\.com|login https|propose .*https|slipway approve|<request-id>|audit tail/;

test.each(blocks.map((block) => [block.split('\n', 1)[0] ?? '', block]))('README: %s …', async (_, block) => {
  const lines = block.split('\n').filter((line) => !NOT_HERE.test(line));
  const script = [
    'set -e -o pipefail',
    'git remote set-url origin "$HOME/remote.git"',
    ...lines.flatMap((line) => {
      const before = BEFORE.find(([pattern]) => pattern.test(line))?.[1] ?? [];
      // Yes or no: both are an answer.
      return [before, line.includes('can-i') ? `${line.split(/\s+#/, 1)[0]} || [ $? = 1 ]` : line].flat();
    }),
  ].join('\n');
  expect(await run(script)).toMatchObject({ code: 0 });
});

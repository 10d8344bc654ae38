/** The command line as a person meets it: words, formats, exit codes. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import type { Status } from '../../schemas/status.ts';
import { holder } from '../helpers/held.ts';
import { Desk } from '../helpers/slipway.ts';

const planSchema: unknown = JSON.parse(readFileSync(new URL('../../schemas/json/plan.json', import.meta.url), 'utf8'));

describe('without a running Slipway', () => {
  test('init makes a repo that is valid and plans', async () => {
    await using desk = new Desk();
    const made = await desk.slipway(['init', 'demo'], { cwd: desk.home });
    expect(made.code).toBe(0);
    expect(made.err).toContain('slipway up');
    const demo = join(desk.home, 'demo');
    expect(readFileSync(join(demo, 'servers/hello.yaml'), 'utf8')).toContain('$schema=../.slipway/slipway.json');
    expect(existsSync(join(demo, '.slipway/slipway.json'))).toBe(true);
    expect(desk.git(demo, 'status', '--porcelain')).toBe('');
    expect(await desk.slipway(['validate'], { cwd: demo })).toMatchObject({ code: 0, out: '4 resources, no issues' });
    expect((await desk.slipway(['init', 'demo'], { cwd: desk.home })).err).toContain('[exists]');
  });

  test('plan exits 2 with changes, 1 on bad YAML, and its JSON fits the committed schema', async () => {
    await using desk = new Desk();
    desk.push({ 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
    const plan = await desk.slipway(['plan', '-o', 'json']);
    expect(plan.code).toBe(2);
    const validate = new Ajv2020({ strict: false }).compile(planSchema as object);
    expect(validate(JSON.parse(plan.out)), JSON.stringify(validate.errors)).toBe(true);
    desk.write({ 'bad.yaml': 'apiVersion: slipway/v1\nkind: Sever\nmetadata: { name: x }\n' });
    const bad = await desk.slipway(['plan']);
    expect(bad.code).toBe(1);
    expect(bad.err).toContain(
      'bad.yaml:2:7: unknown-kind: There is no kind "Sever". (kind)\n    hint: Did you mean Server?',
    );
    // The commit is still fine: --ref reads it rather than the working tree.
    expect((await desk.slipway(['plan', '--ref', 'main'])).code).toBe(2);
  });

  test('diff compares two commits', async () => {
    await using desk = new Desk();
    desk.push({ 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
    desk.git(desk.config, 'tag', 'v1');
    desk.push({ 'hello.yaml': helloServer('hello', 'Hi') });
    const diff = await desk.slipway(['diff', 'v1', 'main']);
    expect(diff.code).toBe(2);
    expect(diff.out).toContain(
      '+/- Server/hello will be replaced because its spec hash changed (new beside old, no gap)',
    );
    expect(diff.out).toContain('~ spec.env.GREETING.value: "Hello" -> "Hi"');
    expect((await desk.slipway(['diff', 'main', 'main'])).code).toBe(0);
    expect((await desk.slipway(['diff', 'nowhere', 'main'])).err).toContain('[ref-not-found]');
  });

  test('schemas are printed', async () => {
    await using desk = new Desk();
    expect(JSON.parse((await desk.slipway(['schema', 'srv'])).out)).toMatchObject({ title: 'Slipway Server' });
    expect((await desk.slipway(['schema', 'nope'])).code).toBe(64);
  });

  test('wrong usage exits 64 and says what was meant', async () => {
    await using desk = new Desk();
    const typo = await desk.slipway(['pln']);
    expect(typo).toMatchObject({ code: 64, out: '' });
    expect(typo.err).toContain('hint: Did you mean plan?');
    expect((await desk.slipway(['plan', '--nonsense'])).code).toBe(64);
    expect((await desk.slipway(['get', 'servers', '-o', 'xml'])).code).toBe(64);
    expect((await desk.slipway(['call', 'a', 'b', 'not json'])).code).toBe(64);
    expect((await desk.slipway(['help'])).out).toContain('GitOps for MCP');
  });

  test('a command that needs a running Slipway says so', async () => {
    await using desk = new Desk();
    const result = await desk.slipway(['status']);
    expect(result.code).toBe(1);
    expect(result.err).toMatch(/\[not-running\]\nhint: Start one with `slipway up`/);
  });
});

test('operating commands: what runs costs, what others left, why a server fails', { timeout: 120_000 }, async () => {
  await using desk = new Desk();
  const boom = "console.error('no database at 10.0.0.1'); process.exit(3);\n";
  const asked = '  isolation: { egress: none }\n  resources: { memory: 64Mi }\n';
  desk.push({
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello', 'Hello', asked),
    'boom.mjs': boom,
    'boom.yaml': helloServer('boom').replaceAll('hello.mjs', 'boom.mjs'),
  });
  const running = await desk.up();
  await desk.sync();
  const slipway = (...args: string[]) => desk.slipway([...args, '--state-dir', desk.state]);

  const metrics = await (await fetch(`${await running.serving}/metrics`)).text();
  for (const line of [
    /^slipway_ready 0$/,
    /^slipway_server_ready\{server="hello"\} 1$/,
    /^slipway_server_ready\{server="boom"\} 0$/,
    /^slipway_instance_state\{server="hello",instance="slipway-hello-\w+-0",state="running"\} 1$/,
    /^slipway_instance_memory_bytes\{server="hello",instance="slipway-hello-\w+-0"\} \d{8,}$/,
    /^slipway_instance_restarts_total\{server="hello",.*\} 0$/,
    /^slipway_rollouts_total\{result="started"\} 1$/,
    /^slipway_rollouts_total\{result="failed"\} 1$/,
    /^slipway_rollout_duration_seconds_count 2$/,
    /^slipway_sync_total\{result="incomplete"\} [1-9]$/,
  ])
    expect(
      metrics.split('\n').filter((text) => line.test(text)),
      String(line),
    ).toHaveLength(1);

  const described = (await slipway('describe', 'server', 'boom')).out;
  expect(described).toMatch(/Last lines of its log\n(.*\n)* +\S+ stderr no database at 10\.0\.0\.1/);
  const hello = (await slipway('describe', 'server', 'hello')).out;
  expect(hello).toMatch(/Isolated +False +\w+ +Exposed/);
  expect(hello).toContain(
    'Isolation\n  egress: none\n  exposed: without a sandbox, isolation.egress, resources.memory',
  );

  const top = await slipway('top');
  expect(top.out).toMatch(/^INSTANCE +STATE +CPU +MEMORY +LIMIT +PIDS +CALLS\/S +P95 +IN FLIGHT +RESTARTS\n/);
  expect(top.out).toMatch(/\nslipway-hello-\w+-0 +running +\d+\.\d% +\d+Mi +- +\d+ +0\.00 +- +0 +0/);
  const [row] = JSON.parse((await slipway('top', '-o', 'json')).out) as {
    cpu: number;
    stats: { memoryBytes: number };
  }[];
  expect(row?.cpu).toBeGreaterThanOrEqual(0);
  expect(row?.stats.memoryBytes).toBeGreaterThan(10e6);
  const { servers } = JSON.parse((await slipway('status', '-o', 'json')).out) as Status;
  expect(servers.find(({ name }) => name === 'hello')?.instances[0]?.stats?.pids).toBeGreaterThan(1);

  await using other = await holder('stubborn');
  const id = `${other.id}@${other.owner.slice(0, 8)}`;
  expect((await slipway('get', 'orphans')).out).toMatch(
    new RegExp(`\\n${id} +instance +process +tiny +${other.owner} +no `),
  );
  expect(await slipway('prune', id, '--yes')).toMatchObject({ code: 1, out: '' });
  await other.kill();
  expect((await slipway('get', 'orphans', '-o', 'name')).out).toContain(id);
  expect(await slipway('prune', id, '--dry-run')).toMatchObject({ code: 0, out: id });
  // Nobody sits at a terminal here, so nothing is done without being told to.
  expect(await slipway('prune', id)).toMatchObject({ code: 64, out: '' });
  expect(await slipway('prune', id, '--yes')).toMatchObject({ code: 0, out: id });
  expect((await slipway('prune', id, '--yes')).err).toContain('[not-found]');
});

test('reading commands against a running Slipway', { timeout: 120_000 }, async () => {
  await using desk = new Desk();
  const secret = 'correct horse battery staple';
  desk.push({
    'hello.mjs': `${HELLO_PROGRAM.replace('const greeting', "console.error('my token is', process.env.TOKEN);\nconst greeting")}`,
    'hello.yaml': helloServer('hello', 'Hello', '  dependsOn: []\n').replace(
      'env: [',
      'env: [{ name: TOKEN, valueFrom: { secretRef: { name: vault, key: token } } }, ',
    ),
    'vault.yaml':
      'apiVersion: slipway/v1\nkind: Secret\nmetadata: { name: vault }\nspec: { data: { token: { env: VAULT_TOKEN } } }\n',
    'remote.yaml':
      'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: remote }\nspec: { url: "https://mcp.example.com/mcp" }\n',
    'box.yaml':
      'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: box }\nspec: { image: "example/box:1", runtime: nowhere }\n',
  });
  const running = await desk.up([], { VAULT_TOKEN: secret });
  await desk.sync();
  const at = ['--state-dir', desk.state];
  const slipway = (...args: string[]) => desk.slipway([...args, ...at]);

  const servers = (await slipway('get', 'servers')).out.split('\n');
  expect(servers[0]).toMatch(/^NAME +READY +STATE +TOOLS +REASON +AGE$/);
  expect(servers.slice(1).map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
    ['box', 'False'],
    ['hello', 'True'],
    ['remote', 'True'],
  ]);
  expect((await slipway('get', 'srv', '-o', 'name')).out.split('\n')).toEqual([
    'server/box',
    'server/hello',
    'server/remote',
  ]);
  expect(JSON.parse((await slipway('get', 'server', 'remote', '-o', 'json')).out)).toMatchObject({
    kind: 'Server',
    metadata: { name: 'remote' },
  });
  expect((await slipway('get', 'sevrers')).err).toContain('Did you mean servers?');
  expect((await slipway('get', 'server', 'nobody')).code).toBe(1);
  expect((await slipway('get', 'instances')).out).toMatch(/slipway-hello-[0-9a-f]{8}-0 +hello +running/);
  expect((await slipway('get', 'all')).out).toContain('vault');

  const described = (await slipway('describe', 'server', 'box')).out;
  expect(described).toContain('Server/box  (box.yaml:1');
  expect(described).toContain('NoDriver');
  expect((await slipway('describe', 'secret', 'vault')).out).toContain('referred to by Server/hello');

  const hello = (await slipway('describe', 'server', 'hello')).out;
  expect(hello).toContain('Protocol\n  MCP up to 2025-11-25, over stdio\n');
  expect(hello).toMatch(/Gateway\n +UPSTREAM .*BREAKER.*\n +slipway-hello-\S+ +stdio .* closed/);
  expect(hello).toMatch(
    /Instances\n +NAME +RUNS +STATE +PID +RESTARTS +AGE +CPU TIME +MEMORY +PIDS\n +slipway-hello-\w+-0 +node +running +\d+ +0 +\d+s +[\d.]+s +\d+Mi +\d+/,
  );
  expect(hello).not.toContain('Last lines');
  expect(hello).not.toContain('Isolation');

  const logs = (await slipway('logs', 'hello', '--tail', '5')).out;
  expect(logs).toContain('stderr my token is ***');
  const status = await slipway('status');
  expect(status.code).toBe(1);
  expect(status.out).toContain('failed: box');
  expect((await slipway('call', 'hello', 'hello', '{"name":"Ada"}')).out).toBe('Hello, Ada!');
  const unknown = await slipway('call', 'hello', 'goodbye');
  expect([unknown.code, unknown.err]).toEqual([
    64,
    expect.stringMatching(/Unknown tool.*\[usage\]\n.*describe server/),
  ]);
  expect((await slipway('call', 'nobody', 'hello')).code).toBe(1);

  // The plan knows that box was tried and failed, and no output of any command holds the secret.
  const plan = await slipway('plan');
  expect(plan.code).toBe(2);
  expect(plan.out).toContain('held back: an earlier rollout of this version failed');
  const all = await Promise.all([
    slipway('get', 'all', '-o', 'yaml'),
    slipway('status', '-o', 'json'),
    slipway('plan', '-o', 'json'),
  ]);
  const audit = desk.git(desk.remote, 'log', '-p', 'slipway/audit');
  for (const text of [...all.map((result) => result.out), logs, described, running.log, audit])
    expect(text).not.toContain(secret);
});

test('two Slipways cannot share a state directory', async () => {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY });
  await desk.up();
  const second = await desk.slipway(['up', '--repo', desk.remote, '--state-dir', desk.state]);
  expect(second.code).toBe(1);
  expect(second.err).toContain('[state-locked]');
});

test('up --once applies, tells, and leaves nothing running', async () => {
  await using desk = new Desk();
  desk.push({ 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
  const once = ['up', '--once', '--no-record', '--repo', desk.remote, '--state-dir', desk.state];
  expect(await desk.slipway(once)).toMatchObject({ code: 0 });
  desk.push({ 'broken.yaml': helloServer('broken').replace('node, hello.mjs', 'node, nothing.mjs') });
  const failed = await desk.slipway(once);
  expect(failed.code).toBe(1);
  expect(failed.err).toContain('Server/broken');
  expect(desk.git(desk.remote, 'branch', '--list')).not.toContain('slipway/audit');
});

test('commits can be named as git lets people name them', async () => {
  await using desk = new Desk();
  desk.push({ 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
  const id = desk.push({ 'hello.yaml': helloServer('hello', 'Hi') });
  expect((await desk.slipway(['diff', 'HEAD~1', 'HEAD'])).code).toBe(2);
  expect((await desk.slipway(['diff', id.slice(0, 8), 'origin/main'])).code).toBe(0);
  expect((await desk.slipway(['validate', '--ref', 'origin/main'])).code).toBe(0);
});

test('a server that is named by what is no URL is wrong usage', async () => {
  await using desk = new Desk();
  for (const server of ['foo', 'localhost:9877'])
    expect(await desk.slipway(['status', '--server', server])).toMatchObject({ code: 64 });
});

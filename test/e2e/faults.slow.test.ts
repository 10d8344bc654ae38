/** What goes wrong in practice, with the real program: what ran before keeps running, and somebody is told. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';

const BROKEN_PROGRAM = "console.error('cannot find my database');\nprocess.exit(3);\n";
const hello = { 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') };

test('a broken program in the repo: the old one serves, also after a restart, and the log of the new one can be read', async () => {
  await using desk = new Desk();
  desk.push(hello);
  const first = await desk.up();
  desk.push({ 'hello.mjs': BROKEN_PROGRAM }, 'Break the program');
  const failed = await desk.sync();
  expect(failed.code).toBe(1);
  expect(failed.out).toContain('Server/hello failed');
  expect((await desk.call('hello', 'hello', { name: 'Ada' })).out).toBe('Hello, Ada!');
  expect((await desk.slipway(['logs', 'hello', '--state-dir', desk.state])).out).not.toContain('database');
  expect((await desk.slipway(['describe', 'server', 'hello', '--state-dir', desk.state])).out).toContain('RolledBack');

  await first.stop();
  await desk.up();
  expect((await desk.call('hello', 'hello', { name: 'Ada' })).out).toBe('Hello, Ada!');
  desk.push({ 'hello.mjs': HELLO_PROGRAM.replace('${greeting}', 'Finally ${greeting}') }, 'Mend it');
  expect((await desk.sync()).code).toBe(0);
  expect((await desk.call('hello', 'hello', { name: 'Ada' })).out).toBe('Finally Hello, Ada!');
});

test('the log of a server that never started can be read', async () => {
  await using desk = new Desk();
  desk.push({ 'hello.mjs': BROKEN_PROGRAM, 'hello.yaml': helloServer('hello') });
  await desk.up();
  expect((await desk.slipway(['logs', 'hello', '--state-dir', desk.state])).out).toContain(
    'stderr cannot find my database',
  );
});

test('a bad commit does not stop the rollout of a good one', async () => {
  await using desk = new Desk();
  const slow = HELLO_PROGRAM.replace('initialize: ({', 'initialize: async ({').replace(
    'answer.result = methods[method](params);',
    "if (method === 'initialize') await new Promise((resolve) => setTimeout(resolve, 2000));\n    answer.result = await methods[method](params);",
  );
  desk.push({
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello', 'Hello', '  rollout: { strategy: recreate }\n'),
  });
  const running = await desk.up();
  desk.push(
    { 'hello.mjs': slow, 'hello.yaml': helloServer('hello', 'Moin', '  rollout: { strategy: recreate }\n') },
    'A slow one',
  );
  const rollingOut = desk.sync();
  await running.logged('A slow one');
  desk.push({ 'other.yaml': 'kind: Nonsense\n' }, 'A bad one');
  const refused = await desk.sync();
  expect(refused.err).toContain('other.yaml:1');
  expect((await rollingOut).code).toBe(0);
  expect((await desk.call('hello', 'hello', { name: 'Ada' })).out).toBe('Moin, Ada!');
  expect((await desk.status()).conditions.find((entry) => entry.type === 'Stalled')?.reason).toBe('InvalidConfig');
});

test('several people ask for the same sync: all get its result', async () => {
  await using desk = new Desk();
  desk.push(hello);
  await desk.up();
  desk.push({ 'servus.yaml': helloServer('servus', 'Servus') });
  const results = await Promise.all(Array.from({ length: 4 }, () => desk.sync()));
  expect(results.map((result) => result.code)).toEqual([0, 0, 0, 0]);
});

test('a remote that cannot be written keeps the audit in the outbox, and says so', async () => {
  await using desk = new Desk();
  desk.push(hello);
  desk.git(desk.remote, 'config', 'receive.denyCurrentBranch', 'refuse');
  desk.git(desk.remote, 'config', 'transfer.hideRefs', 'refs/heads/slipway');
  const running = await desk.up();
  await running.logged('audit records wait for the remote');
  expect((await desk.status()).outbox.pending).toBeGreaterThan(0);
  desk.git(desk.remote, 'config', '--unset', 'transfer.hideRefs');
  await running.stop();
  expect(desk.git(desk.remote, 'log', '--format=%s', 'slipway/audit')).toMatch(/^applied /m);
});

test('plain values that look like secrets are masked wherever they are shown', async () => {
  await using desk = new Desk();
  desk.push({
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello').replace('env: [', 'env: [{ name: API_TOKEN, value: plain-text-77 }, '),
  });
  await desk.up();
  for (const command of [
    ['get', 'servers', '-o', 'yaml'],
    ['get', 'server', 'hello', '-o', 'json'],
    ['describe', 'server', 'hello'],
  ]) {
    const { out } = await desk.slipway([...command, '--state-dir', desk.state]);
    expect(out).toContain('API_TOKEN');
    expect(out).not.toContain('plain-text-77');
  }
});

test('a directory for sockets that somebody else could use is refused', async () => {
  await using desk = new Desk();
  desk.push(hello);
  const runtime = mkdtempSync(join(tmpdir(), 'slipway-runtime-'));
  const long = join(desk.home, 'a-state-directory-whose-path-is-too-long-for-sockets');
  const up = (): ReturnType<Desk['slipway']> =>
    desk.slipway(['up', '--once', '--repo', desk.remote, '--state-dir', long], { env: { XDG_RUNTIME_DIR: runtime } });
  expect((await up()).code).toBe(0);
  const [made] = desk.files(runtime);
  chmodSync(join(runtime, made ?? ''), 0o777);
  expect((await up()).err).toContain('[state-unwritable]');
  rmSync(runtime, { recursive: true });
});

test('plan compares with the Slipway of its own repo, never with another that happens to run', async () => {
  await using one = new Desk();
  await using two = new Desk();
  one.push(hello);
  two.push({ 'servus.yaml': helloServer('servus'), 'hello.mjs': HELLO_PROGRAM });
  mkdirSync(join(two.home, 'xdg/slipway'), { recursive: true });
  await one.up(['--state-dir', join(two.home, 'xdg/slipway/other')]);
  const plan = await two.slipway(['plan']);
  expect(plan.err).toContain('No Slipway runs');
  expect(plan.out).not.toContain('Server/hello');
});

test('a server that runs and did not change is left alone by a commit about another', async () => {
  await using desk = new Desk();
  const telling = HELLO_PROGRAM.replace(
    '  if (id === undefined)',
    '  console.error(`asked for ${method}`);\n  if (id === undefined)',
  );
  desk.push({ 'hello.mjs': telling, 'hello.yaml': helloServer('hello', 'Hello', '  lifecycle: always\n') });
  await desk.up();
  const asked = async (): Promise<string[]> =>
    (await desk.slipway(['logs', 'hello', '--state-dir', desk.state])).out
      .split('\n')
      .filter((line) => line.includes('asked for'));
  const before = await asked();
  expect(before.length).toBeGreaterThan(1);
  desk.push({ 'servus.yaml': helloServer('servus', 'Servus') });
  expect((await desk.sync()).out).toContain('Server/servus started');
  expect(await asked()).toEqual(before);
});

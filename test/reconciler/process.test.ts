/** Processes of this host: what they see, what they leave behind, and what is written about them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LogFile, readLog } from '../../reconciler/bridge/log-file.ts';
import { processDriver } from '../../reconciler/drivers/process/driver.ts';
import { openJournal } from '../../reconciler/journal.ts';
import { connectHttp } from '../../reconciler/health/http.ts';
import { openState } from '../../reconciler/state.ts';
import { silent } from '../../schemas/log.ts';
import { redactor } from '../../schemas/sensitive.ts';
import { callTool } from '../helpers/mcp.ts';
import { connected, logOf, processRig, untilState } from '../helpers/process-driver.ts';
import { isAlive, marked, program, survivors } from '../helpers/processes.ts';
import { tempDir } from '../helpers/temp.ts';
import { workload } from '../helpers/workload.ts';

const never = (): AbortSignal => new AbortController().signal;

test('a server sees a few standard names, what its spec says and its marks, and nothing else', async () => {
  process.env['SLIPWAY_TEST_LEAK'] = 'credential of the host';
  await using rig = await processRig();
  const env = [
    { name: 'GREETING', value: 'hällo' },
    { name: 'LANG', value: 'de_DE.UTF-8' },
  ];
  const { id } = await rig.driver.ensure(workload({ argv: program('mirror'), env }), 0, never());
  const seen = JSON.parse(await callTool(await connected(rig.driver, id), 'env')) as Record<string, string>;
  expect(seen).toMatchObject({ GREETING: 'hällo', LANG: 'de_DE.UTF-8', PATH: process.env['PATH'] });
  const known = /^(PATH|HOME|LANG|LC_[A-Z]+|TMPDIR|TZ|GREETING|SLIPWAY_OWNER|SLIPWAY_INSTANCE|SLIPWAY_KEEPER)$/;
  expect(Object.keys(seen).filter((name) => !known.test(name))).toEqual([]);
  expect(seen).toMatchObject({ SLIPWAY_OWNER: rig.state.owner, SLIPWAY_INSTANCE: id });
});

test('a server starts in an empty directory of its own, not in ours', async () => {
  await using rig = await processRig();
  const { id } = await rig.driver.ensure(workload({ argv: program('mirror') }), 0, never());
  const cwd = JSON.parse(await callTool(await connected(rig.driver, id), 'cwd')) as { path: string; files: string[] };
  expect(cwd.files).toEqual([]);
  expect(cwd.path.startsWith(rig.state.paths.work)).toBe(true);
});

test('ensuring a server over HTTP twice at once starts one process', async () => {
  await using rig = await processRig();
  const wanted = workload({ argv: program('http'), transport: 'http' });
  const [one, two] = await Promise.all([0, 0].map((index) => rig.driver.ensure(wanted, index, never())));
  expect(two?.endpoint).toEqual(one?.endpoint);
  expect(marked(`SLIPWAY_OWNER=${rig.state.owner}`)).toHaveLength(1);
});

test('a server over HTTP that crashes is started again at the same address', async () => {
  await using rig = await processRig();
  const { id, endpoint } = await rig.driver.ensure(workload({ argv: program('http'), transport: 'http' }), 0, never());
  const dial = async () => {
    for (;;) {
      const connection = await connectHttp(endpoint, 'test', AbortSignal.timeout(5000)).catch(() => undefined);
      if (connection) return connection;
    }
  };
  const first = await callTool(await dial(), 'pid');
  await callTool(await dial(), 'crash').catch(() => {});
  await untilState(rig.driver, id, 'crashed');
  const again = await untilState(rig.driver, id, 'running');
  expect(again).toMatchObject({ endpoint, restarts: 1, lastError: 'it exited with code 7' });
  expect(await callTool(await dial(), 'pid')).not.toBe(first);
});

test.for(['sk-5f3c1a99', 'first-line\nsecond-line', 'with "quotes" and \\'])(
  'a secret (%j) reaches the server, and its log only masked',
  async (value) => {
    using dir = tempDir();
    await using rig = await processRig();
    writeFileSync(dir.at('key'), `${value}\n`);
    const env = [{ name: 'API_KEY', secret: { secret: 'keys', key: 'api', from: { file: dir.at('key') } } }];
    const { id } = await rig.driver.ensure(workload({ argv: program('mirror'), env }), 0, never());
    const seen = JSON.parse(await callTool(await connected(rig.driver, id), 'env')) as Record<string, string>;
    expect(seen['API_KEY']).toBe(value);
    const log = await logOf(rig.driver, id);
    expect(log).toContain('stdout key is ***');
    expect(log).toContain('stderr API_KEY=***');
    for (const line of value.split('\n')) expect(log).not.toContain(line);
  },
);

test('a log is kept within bounds, and is read across its two files', async () => {
  using dir = tempDir();
  using log = new LogFile(dir.at('a.log'));
  log.mask(redactor(['secret-value']));
  for (let line = 0; line < 3000; line++) log.write('stderr', `${line} secret-value ${'x'.repeat(1000)}`);
  expect(readdirSync(dir.path).sort()).toEqual(['a.log', 'a.log.1']);
  for (const name of ['a.log', 'a.log.1']) expect(statSync(dir.at(name)).size).toBeLessThanOrEqual(1024 * 1024);
  const lines = await Array.fromAsync(readLog(dir.at('a.log'), { signal: never() }));
  expect(lines.length).toBeGreaterThan(1000);
  expect(lines.at(-1)).toMatch(/ stderr 2999 \*\*\* x/);
  const numbers = lines.map((line) => Number(line.split(' ')[2]));
  expect(numbers).toEqual(numbers.map((_, index) => 3000 - lines.length + index));
  expect(await Array.fromAsync(readLog(dir.at('a.log'), { tail: 2, signal: never() }))).toEqual(lines.slice(-2));
});

test('whoever follows a log misses no line, however slowly it is read and whether or not it is rotated', async () => {
  using dir = tempDir();
  using log = new LogFile(dir.at('a.log'));
  log.write('stderr', 'line 0');
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const line of readLog(dir.at('a.log'), { follow: true, signal: stop.signal })) {
    seen.push(line.split(' ')[3]?.slice(0, 9) ?? '');
    const next = seen.length;
    if (next === 5) stop.abort();
    else log.write('stderr', `line ${next} ${next === 3 ? 'x'.repeat(1024 * 1024) : ''}`);
  }
  expect(seen).toEqual(['0', '1', '2', '3', '4']);
});

test('what a killed Slipway left behind is ended by the next start, and nothing that is not ours', async () => {
  using dir = tempDir();
  using state = openState(dir.at('state'));
  const [argv0 = '', ...args] = program('stubborn');
  const run = (owner: string) =>
    spawn(argv0, args, { detached: true, stdio: 'ignore', env: { ...process.env, SLIPWAY_OWNER: owner } });
  const [mine, other] = [run(state.owner), run('somebody-else')];
  await Promise.all([once(mine, 'spawn'), once(other, 'spawn')]);
  const [gone, kept] = [mine.pid ?? 0, other.pid ?? 0];
  mkdirSync(dir.at('x'));
  writeFileSync(state.paths.journal, '{"op":"starting","instance":"slipway-x-00000000-0"}\n');
  using journal = openJournal(state.paths.journal);
  await using driver = await processDriver({ state, journal, log: silent, version: 'test' });
  expect(await driver.list(never())).toEqual([]);
  expect([isAlive(gone), isAlive(kept)]).toEqual([false, true]);
  expect(readFileSync(state.paths.journal, 'utf8')).toContain('"op":"removed"');
  other.kill('SIGKILL');
  expect(await survivors([kept])).toEqual([]);
});

test('what a server started and let go ends with its instance, and another version’s does not', async () => {
  await using rig = await processRig();
  const start = (hash: string) => rig.driver.ensure({ ...workload({ argv: program('lets-go') }), hash }, 0, never());
  const [old, fresh] = [await start('11111111'), await start('22222222')];
  const strayOf = async ({ id }: { id: string }) => Number(await callTool(await connected(rig.driver, id), 'stray'));
  const [gone, kept] = [await strayOf(old), await strayOf(fresh)];
  expect([isAlive(gone), isAlive(kept)]).toEqual([true, true]);
  await rig.driver.remove(old.id, never());
  expect([isAlive(gone), isAlive(kept)]).toEqual([false, true]);
  await rig.driver[Symbol.asyncDispose]();
  expect(isAlive(kept)).toBe(false);
});

test('a program that cannot be executed says so', async () => {
  await using rig = await processRig();
  const { id } = await rig.driver.ensure(workload({ argv: ['/nonexistent/program'] }), 0, never());
  await expect(connected(rig.driver, id)).rejects.toMatchObject({
    code: 'start-failed',
    message: '/nonexistent/program could not be started: the program was not found.',
  });
  expect(existsSync('/nonexistent')).toBe(false);
});

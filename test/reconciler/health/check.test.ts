/** One probe, of each sort, against real programs. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { holds, runProbe, type Patient } from '../../../reconciler/health/check.ts';
import type { Check } from '../../../reconciler/workload.ts';
import { memoryDriver } from '../../../reconciler/drivers/memory.ts';
import { connected, processRig } from '../../helpers/process-driver.ts';
import { program } from '../../helpers/processes.ts';
import { workload, type WorkloadOptions } from '../../helpers/workload.ts';

const never = (): AbortSignal => new AbortController().signal;

/** Runs a check against an instance of the program. @returns what was wrong, empty if nothing */
async function ask(check: Check, name = 'well', options: Partial<WorkloadOptions> = {}, timeoutMs = 5000) {
  await using rig = await processRig();
  const instance = await rig.driver.ensure(workload({ argv: program(name), ...options }), 0, never());
  const connection = await connected(rig.driver, instance.id);
  const patient: Patient = { driver: rig.driver, instance, channel: async () => connection };
  try {
    await runProbe({ check, timeoutMs, intervalMs: 1000, failures: 1 }, patient, never());
    return '';
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
}

const call = (tool: string, more: object = {}): Check => ({ type: 'call', tool, arguments: { n: 1 }, ...more });

test.for<[string, Check, string]>([
  ['ping', { type: 'ping' }, ''],
  ['tools', { type: 'tools' }, ''],
  ['a tool that answers', call('status'), ''],
  ['the expected text', call('status', { expect: { text: 'all is well' } }), ''],
  [
    'another text',
    call('status', { expect: { text: 'fire' } }),
    'not-ready: The probe of the tool status did not answer with the expected text.',
  ],
  ['a part of the structured content', call('status', { expect: { structured: { disk: { free: 3 }, ok: true } } }), ''],
  [
    'other structured content',
    call('status', { expect: { structured: { ok: false } } }),
    'not-ready: The probe of the tool status did not answer with the expected structured content.',
  ],
  [
    'structured content where there is none',
    call('plain', { expect: { structured: { ok: true } } }),
    'not-ready: The probe of the tool plain did not answer with the expected structured content.',
  ],
  ['a tool that fails', call('fails'), 'not-ready: The probe of the tool fails answered with an error.'],
  [
    'a tool that is none',
    call('nobody'),
    'not-ready: The probe of the tool nobody was answered with an error: Unknown tool.',
  ],
  [
    'a program that ends well',
    { type: 'exec', argv: [process.execPath, '-e', 'process.exit(process.env.MARK === "1" ? 0 : 9)'] },
    '',
  ],
  [
    'a program that does not',
    { type: 'exec', argv: [process.execPath, '-e', 'console.error("no disk"); process.exit(3)'] },
    `not-ready: The probe ${process.execPath} ended with exit code 3: no disk.`,
  ],
  [
    'a program that is not there',
    { type: 'exec', argv: ['/nonexistent/check'] },
    'not-ready: The program /nonexistent/check could not be started.',
  ],
])('%s', async ([, check, expected]) => {
  expect(await ask(check, 'well', { env: [{ name: 'MARK', value: '1' }] })).toBe(expected);
});

test('a probe that hangs ends after its timeout, and what it started ends too', async () => {
  expect(await ask(call('hangs'), 'well', {}, 100)).toBe(
    'not-ready: The probe of the tool hangs did not answer within 0.1 s.',
  );
  const sleeper = [process.execPath, '-e', 'setInterval(() => {}, 1000)'];
  expect(await ask({ type: 'exec', argv: sleeper }, 'well', {}, 300)).toContain('did not answer within 0.3 s');
});

test('what a program says is masked where it holds a secret', async () => {
  process.env['SLIPWAY_TEST_PROBE'] = 'hunter2-hunter2';
  onTestFinished(() => void delete process.env['SLIPWAY_TEST_PROBE']);
  const secret = { secret: 's', key: 'k', from: { env: 'SLIPWAY_TEST_PROBE' } };
  const argv = [process.execPath, '-e', 'console.log(process.env.API_KEY); process.exit(1)'];
  const said = await ask({ type: 'exec', argv }, 'well', { env: [{ name: 'API_KEY', secret }] });
  expect(said).toContain('exit code 1: ***');
});

test('over HTTP: the status decides, redirects are not followed, and nobody there is a failure', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(String(request.url));
    const status = Number(request.url?.slice(1));
    response.writeHead(status, { Location: '/200' }).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const get = (path: string, status?: number): Check => ({ type: 'http', path, port, ...(status ? { status } : {}) });
  expect(await ask(get('/200'))).toBe('');
  expect(await ask(get('/302'))).toBe('');
  expect(asked).toEqual(['/200', '/302']);
  expect(await ask(get('/503'))).toBe('not-ready: The probe GET /503 answered with status 503.');
  expect(await ask(get('/200', 204))).toBe('not-ready: The probe GET /200 answered with status 200.');
  expect(await ask(get('/404', 404))).toBe('');
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(await ask(get('/200'))).toBe('not-ready: The probe GET /200 could not be reached.');
});

test('a driver that cannot run programs says so, and it is not tried again', async () => {
  await using driver = memoryDriver();
  const instance = await driver.ensure(workload({ argv: ['memory'] }), 0, never());
  const patient: Patient = { driver, instance, channel: () => Promise.reject(new Error('unused')) };
  const probe = { check: { type: 'exec', argv: ['true'] }, timeoutMs: 1000, intervalMs: 1, failures: 3 } as const;
  await expect(runProbe(probe, patient, never())).rejects.toMatchObject({ code: 'invalid-value' });
});

test('structured content is compared in part: maps may hold more, all else is equal', () => {
  expect(holds({ a: 1, b: { c: [1, 2], d: 0 } }, { b: { c: [1, 2] } })).toBe(true);
  expect(holds({ a: [1, 2, 3] }, { a: [1, 2] })).toBe(false);
  expect(holds({ a: null }, { a: {} })).toBe(false);
  expect(holds({}, { constructor: {} })).toBe(false);
  expect(holds('x', 'x')).toBe(true);
});

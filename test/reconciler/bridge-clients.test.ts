import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { StdioInstance } from '../../reconciler/bridge/instance.ts';
import { LogFile } from '../../reconciler/bridge/log-file.ts';
import type { StdioProcess } from '../../reconciler/bridge/stdio.ts';
import type { RpcMessage } from '../../schemas/jsonrpc.ts';

/** A server that tells, when asked, what it was told since it started; `die` ends it, `speak` makes it say something unasked. */
const PROGRAM = `
  const told = [];
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    told.push({ method, params });
    if (method === 'die') process.exit(1);
    if (method === 'speak') console.log(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params }));
    const result = method === 'told' ? { told } : method === 'initialize' ? { capabilities: { logging: {} } } : {};
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
`;

async function start(): Promise<StdioProcess> {
  const child = spawn(process.execPath, ['-e', PROGRAM]);
  const { stdin, stdout, stderr, pid = 0 } = child;
  const ended = once(child, 'close').then(([code]) => `exit ${String(code)}`);
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
  };
  return { stdin, stdout, stderr, pid, ended, stop };
}

interface Watched extends AsyncDisposable {
  readonly instance: StdioInstance;
  readonly logPath: string;
  readonly states: readonly string[];
  /** Resolves when it has gone to sleep. */
  readonly asleep: Promise<void>;
}

function watched(): Watched {
  const folder = mkdtempSync(join(tmpdir(), 'slw-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const logPath = join(folder, 'log');
  const states: string[] = [];
  const { promise: asleep, resolve } = Promise.withResolvers<void>();
  const instance: StdioInstance = new StdioInstance({
    start,
    log: new LogFile(logPath),
    lifecycle: 'onDemand',
    idleTimeoutMs: 10,
    startTimeoutMs: 5_000,
    version: '0',
    onChange: () => {
      states.push(instance.state);
      if (instance.state === 'sleeping') resolve();
    },
  });
  return { instance, logPath, states, asleep, [Symbol.asyncDispose]: () => instance[Symbol.asyncDispose]() };
}

test('a server that crashed is told again what clients want of it, and a subscription keeps it awake', async () => {
  await using mine = watched();
  await using other = watched();
  const connection = mine.instance.open({});
  const uri = 'mem://a';
  await connection.request('logging/setLevel', { level: 'debug' });
  await connection.request('resources/subscribe', { uri });
  await connection.request('resources/subscribe', { uri: 'mem://b' });
  await connection.request('resources/unsubscribe', { uri: 'mem://b' });
  await expect(connection.request('die')).rejects.toThrow();
  const { told } = (await connection.request('told')) as { told: RpcMessage[] };
  const capabilities = expect.objectContaining({ roots: { listChanged: true } });
  expect(told).toEqual([
    { method: 'server/discover', params: expect.anything() },
    { method: 'initialize', params: expect.objectContaining({ capabilities }) },
    { method: 'notifications/initialized' },
    { method: 'logging/setLevel', params: { level: 'debug' } },
    { method: 'resources/subscribe', params: { uri } },
    { method: 'told' },
  ]);
  // One that nobody has subscribed to falls asleep later than this one would have.
  await other.instance.open({}).request('told');
  await other.asleep;
  expect(mine.instance.state).toBe('running');
  await connection.request('resources/unsubscribe', { uri });
  await mine.asleep;
  expect(mine.states).toEqual(['starting', 'running', 'crashed', 'starting', 'running', 'stopping', 'sleeping']);
});

test('what nobody here can take in is told in the log, and the server goes on serving', async () => {
  await using mine = watched();
  const heard: unknown[] = [];
  mine.instance.open({ onNotification: ({ params }) => heard.push(params) });
  const connection = mine.instance.open({
    onNotification: () => {
      throw new TypeError('no such thing was ever said');
    },
  });
  await connection.request('speak', { level: 'info' });
  const { told } = (await connection.request('told')) as { told: RpcMessage[] };
  expect(told).toContainEqual({ method: 'speak', params: { level: 'info' } });
  expect(heard).toEqual([{ level: 'info' }]);
  expect(readFileSync(mine.logPath, 'utf8')).toContain(
    'slipway a message could not be taken in: TypeError: no such thing was ever said',
  );
});

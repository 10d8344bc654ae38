/** What going through the gateway costs, against the same call made directly, in alternation. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { GATEWAY, helloServer, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Desk, Running } from '../helpers/slipway.ts';
import { callOf, load, type Load } from './load.ts';
import { cpuMs, median, peakOf, printRows, rssMb, type Row } from './measure.ts';
import { greet, type Era } from './talk.ts';
import { Wire } from './wire.ts';

const ECHO = fileURLToPath(new URL('echo-http.mjs', import.meta.url));
const ROUND_MS = 2000;
/** Streams held open to see what a session takes. */
const SESSIONS = 2000;
const HUGE_MB = 50;
const MANY = Array.from({ length: 10 }, (_, at) => `many${at}`);

export async function gatewayBench(program: string): Promise<Row[]> {
  await using desk = new Desk();
  const upstreams: ChildProcess[] = [];
  try {
    const direct = await echo(upstreams, '0');
    const many = await echo(upstreams, '19');
    desk.push({
      'gateway.yaml': GATEWAY,
      'hello.mjs': HELLO_PROGRAM,
      'hello.yaml': helloServer('hello'),
      'echo.yaml': remote('echo', direct),
      ...Object.fromEntries(MANY.map((name) => [`${name}.yaml`, remote(name, many)])),
      'few.yaml': project('few', ['hello', 'echo']),
      'many.yaml': project('many', MANY),
    });
    const running = await start(program, desk);
    const base = await running.serving;
    const target = { direct, url: `${base}/projects/few/mcp`, gateway: running.child };
    const rows = [
      ...(await compare('to HTTP', target, 'echo__echo', 0.4)),
      ...(await compare('to stdio', target, 'hello__hello', 0.6)),
      ...(await compare('to HTTP, 2026-07-28', target, 'echo__echo', 0.4, '2026-07-28')),
      await handshakes(target.url),
      await lists(`${base}/projects/many/mcp`),
      await sessions(target),
      // Last: what it takes of memory is given back later, when it would count as less for others.
      ...(await large(target)),
    ];
    printRows('Through the gateway', rows);
    await running.stop();
    return rows;
  } finally {
    for (const upstream of upstreams) upstream.kill();
  }
}

async function echo(started: ChildProcess[], tools: string): Promise<string> {
  const child = spawn(process.execPath, [ECHO], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TOOLS: tools },
  });
  started.push(child);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return chunk.toString().trim();
}

const remote = (name: string, url: string): string => `apiVersion: slipway/v1
kind: Server
metadata: { name: ${name} }
spec: { url: "${url}", privateNetwork: true }
`;

const project = (name: string, servers: readonly string[]): string => `apiVersion: slipway/v1
kind: Project
metadata: { name: ${name} }
spec: { servers: [${servers.join(', ')}] }
`;

async function start(program: string, desk: Desk): Promise<Running> {
  const args = [program, 'up', '--repo', desk.remote, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
  const running = new Running(
    spawn(process.execPath, args, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  await running.serving;
  return running;
}

interface Target {
  readonly direct: string;
  readonly url: string;
  readonly gateway: ChildProcess;
}

/** Direct and through the gateway in turn, so that what disturbs the machine disturbs both. */
async function compare(what: string, target: Target, tool: string, ratio: number, era?: Era): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of era ? [64] : [1, 64]) {
    const through = { url: target.url, connections, params: callOf(tool), ...(era ? { era } : {}) };
    await load({ ...through, ms: 1000 });
    const straight: Load[] = [];
    const passed: Load[] = [];
    let [cpu, calls] = [0, 0];
    for (let round = 0; round < 3; round++) {
      straight.push(await load({ url: target.direct, connections, ms: ROUND_MS, params: callOf('echo') }));
      const before = cpuMs(target.gateway.pid as number);
      const run = await load({ ...through, ms: ROUND_MS });
      cpu += cpuMs(target.gateway.pid as number) - before;
      passed.push(run);
      calls += (run.perSecond * ROUND_MS) / 1000;
    }
    const of = (runs: readonly Load[], pick: (run: Load) => number): number => median(runs.map(pick));
    const added = (pick: (run: Load) => number): number => of(passed, pick) - of(straight, pick);
    const name = `tools/call ${what}, ${connections} connection${connections === 1 ? '' : 's'}`;
    const perSecond = of(passed, (run) => run.perSecond);
    rows.push({ name: `${name}: calls/s`, value: perSecond, unit: '/s' });
    const share = perSecond / of(straight, (run) => run.perSecond);
    if (connections === 1) {
      rows.push({ name: `${name}: of direct`, value: share, unit: '×' });
      rows.push({ name: `${name}: added p50`, value: added((run) => run.p50), unit: 'ms', target: 0.12 });
      rows.push({ name: `${name}: added p99`, value: added((run) => run.p99), unit: 'ms', target: 1 });
    } else rows.push({ name: `${name}: of direct`, value: share, unit: '×', target: ratio, atLeast: true });
    rows.push({ name: `${name}: CPU a call`, value: (cpu / calls) * 1000, unit: 'µs', target: 50 });
  }
  return rows;
}

async function handshakes(url: string): Promise<Row> {
  let count = 0;
  const end = performance.now() + ROUND_MS;
  const worker = async (): Promise<void> => {
    using wire = await Wire.open(new URL(url));
    for (; performance.now() < end; count++) await greet(wire);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  const value = (count / ROUND_MS) * 1000;
  const name = 'handshakes (initialize + initialized), 8 at a time';
  return { name, value, unit: '/s', target: 3000, atLeast: true };
}

async function lists(url: string): Promise<Row> {
  const demand = { url, connections: 16, method: 'tools/list', params: () => ({}) };
  await load({ ...demand, ms: 500 });
  const { perSecond } = await load({ ...demand, ms: ROUND_MS });
  return { name: 'tools/list, 10 servers × 20 tools', value: perSecond, unit: '/s', target: 5000, atLeast: true };
}

async function large({ direct, url, gateway }: Target): Promise<Row[]> {
  const params = (name: string) => callOf(name, { size: 1024 * 1024 });
  const straight = await load({ url: direct, connections: 4, ms: ROUND_MS, params: params('echo') });
  const pid = gateway.pid as number;
  const through = { url, connections: 4, ms: ROUND_MS, params: params('echo__echo') };
  await load({ ...through, ms: 500 });
  const cpu = cpuMs(pid);
  let perSecond = 0;
  const peak = await peakOf(pid, async () => ({ perSecond } = await load(through)));
  const each = (cpuMs(pid) - cpu) / ((perSecond * ROUND_MS) / 1000);
  const huge = callOf('echo__echo', { size: HUGE_MB * 1024 * 1024 });
  const hugePeak = await peakOf(pid, () => load({ url, connections: 1, ms: ROUND_MS, params: huge }));
  return [
    { name: 'results of 1 MB, 4 connections', value: perSecond, unit: '/s' },
    { name: 'results of 1 MB: of direct', value: perSecond / straight.perSecond, unit: '×' },
    { name: 'results of 1 MB: CPU each', value: each, unit: 'ms' },
    { name: 'results of 1 MB: memory at its peak', value: peak, unit: 'MB' },
    { name: `a result of ${HUGE_MB} MB: memory at its peak`, value: hugePeak, unit: 'MB', target: 2 * HUGE_MB },
  ];
}

/** Each with its stream open, so that something is held for it at all. */
async function sessions({ url, gateway }: Target): Promise<Row> {
  const { hostname, port, pathname, host } = new URL(url);
  const ids: string[] = [];
  using wire = await Wire.open(new URL(url));
  for (let at = 0; at < SESSIONS; at++) ids.push(await greet(wire));
  const before = rssMb(gateway.pid as number);
  const sockets = await Promise.all(
    ids.map(async (session) => {
      const socket = connect(Number(port), hostname);
      socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n${session}\r\n`);
      await once(socket, 'data');
      return socket;
    }),
  );
  const grown = rssMb(gateway.pid as number) - before;
  for (const socket of sockets) socket.destroy();
  return { name: 'memory per session with its stream open', value: (grown * 1000) / SESSIONS, unit: 'kB', target: 20 };
}

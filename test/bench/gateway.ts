/** What going through the gateway costs. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GATEWAY, helloServer, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Running, type Desk } from '../helpers/slipway.ts';
import { BenchDesk } from './bench-desk.ts';
import { afterRest, compare, serving } from './calls.ts';
import { callOf, load } from './load.ts';
import { cpuMs, peakOf, printRows, rssMb, type Row } from './measure.ts';
import { greet } from './talk.ts';
import { Wire } from './wire.ts';

const ECHO = fileURLToPath(new URL('echo-http.mjs', import.meta.url));
const TICKS = fileURLToPath(new URL('ticks.ts', import.meta.url));
const FORWARDER = fileURLToPath(new URL('forwarder.mjs', import.meta.url));
const ROUND_MS = 2000;
/** Streams held open to see what a session takes. */
const SESSIONS = 2000;
const HUGE_MB = 50;
const MANY = Array.from({ length: 10 }, (_, at) => `many${at}`);

export async function gatewayBench(program: string): Promise<Row[]> {
  await using desk = new BenchDesk();
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
    const ways = { direct: { url: direct }, gateway: { url: target.url, child: running.child } };
    const toHttp = await serving(upstreams, [FORWARDER, '0', direct]);
    const toStdio = await serving(upstreams, [FORWARDER, '0', '--', process.execPath, join(desk.config, 'hello.mjs')]);
    const rows = [
      ...(await compare('to HTTP', { ...ways, least: toHttp }, 'echo__echo', 0.4)),
      ...(await compare('to stdio', { ...ways, least: toStdio }, 'hello__hello', 0.6)),
      ...(await compare('to HTTP, 2026-07-28', ways, 'echo__echo', 0.4, '2026-07-28')),
      await afterRest(ways, 'echo__echo'),
      ...[[], ['keep']].map(ticks),
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

const echo = async (started: ChildProcess[], tools: string): Promise<string> =>
  (await serving(started, [ECHO], { TOOLS: tools })).url;

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

/** Node's own, of which a call takes a dozen. */
function ticks(how: readonly string[]): Row {
  const value = Number(execFileSync(process.execPath, ['--expose-gc', TICKS, ...how], { encoding: 'utf8' }));
  const kept = how.length > 0 ? 'its shape is kept' : 'left to itself';
  return { name: `a tick of Node after collections, ${kept}`, value, unit: 'ns' };
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
  await load({ ...demand, ms: 3000 });
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

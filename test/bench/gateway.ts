/** What going through the gateway costs, against the same call made directly, in alternation. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { GATEWAY, helloServer, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Desk, Running } from '../helpers/slipway.ts';
import { cpuMs, median, percentile, printRows, type Row } from './measure.ts';
import { headerOf, Wire } from './wire.ts';

const ECHO = fileURLToPath(new URL('echo-http.mjs', import.meta.url));
const ROUND_MS = 2000;

interface Load {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export async function gatewayBench(program: string): Promise<Row[]> {
  await using desk = new Desk();
  const upstream = spawn(process.execPath, [ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(upstream.stdout, 'data')) as [Buffer];
  const direct = chunk.toString().trim();
  try {
    desk.push({
      'gateway.yaml': GATEWAY,
      'hello.mjs': HELLO_PROGRAM,
      'hello.yaml': helloServer('hello'),
      'echo.yaml': remote('echo', direct),
    });
    const running = await start(program, desk);
    const url = `${await running.serving}/mcp`;
    const rows = [
      ...(await compare('to HTTP', direct, url, 'echo__echo', running.child)),
      ...(await compare('to stdio', direct, url, 'hello__hello', running.child)),
      await handshakes(url),
    ];
    printRows('Through the gateway', rows);
    await running.stop();
    return rows;
  } finally {
    upstream.kill();
  }
}

const remote = (name: string, url: string): string => `apiVersion: slipway/v1
kind: Server
metadata: { name: ${name} }
spec: { url: "${url}", privateNetwork: true }
`;

async function start(program: string, desk: Desk): Promise<Running> {
  const args = [program, 'up', '--repo', desk.remote, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
  const running = new Running(
    spawn(process.execPath, args, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  await running.serving;
  return running;
}

/** Direct and through the gateway in turn, so that what disturbs the machine disturbs both. */
async function compare(what: string, direct: string, url: string, tool: string, gateway: ChildProcess): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of [1, 64]) {
    await load(url, tool, connections, 1000);
    const straight: Load[] = [];
    const through: Load[] = [];
    const before = cpuMs(gateway.pid as number);
    let calls = 0;
    for (let round = 0; round < 3; round++) {
      straight.push(await load(direct, 'echo', connections, ROUND_MS));
      const run = await load(url, tool, connections, ROUND_MS);
      through.push(run);
      calls += (run.perSecond * ROUND_MS) / 1000;
    }
    const cpu = ((cpuMs(gateway.pid as number) - before) / calls) * 1000;
    const of = (runs: readonly Load[], pick: (run: Load) => number): number => median(runs.map(pick));
    const name = `tools/call ${what}, ${connections} connection${connections === 1 ? '' : 's'}`;
    rows.push({ name: `${name}: calls/s`, value: of(through, (run) => run.perSecond), unit: '/s' });
    rows.push({
      name: `${name}: of direct`,
      value: of(through, (run) => run.perSecond) / of(straight, (run) => run.perSecond),
      unit: '×',
    });
    if (connections === 1) {
      rows.push({
        name: `${name}: added p50`,
        value: of(through, (run) => run.p50) - of(straight, (run) => run.p50),
        unit: 'ms',
      });
      rows.push({
        name: `${name}: added p99`,
        value: of(through, (run) => run.p99) - of(straight, (run) => run.p99),
        unit: 'ms',
      });
    }
    rows.push({ name: `${name}: CPU a call`, value: cpu, unit: 'µs' });
  }
  return rows;
}

/** A closed loop: each connection sends its next call when the last was answered. */
async function load(url: string, tool: string, connections: number, ms: number): Promise<Load> {
  const session = await initialize(url);
  const times: number[] = [];
  const end = performance.now() + ms;
  const worker = async (_: unknown, index: number): Promise<void> => {
    using wire = await Wire.open(new URL(url));
    for (let n = 0; performance.now() < end; n++) {
      const began = performance.now();
      const message = `${index}-${n}`;
      const params = { name: tool, arguments: { message, name: message } };
      const { body } = await wire.post(text({ id: n, method: 'tools/call', params }), session);
      if (!body.includes(message)) throw new Error(`A wrong answer: ${body.slice(0, 200)}`);
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  return { perSecond: (times.length / ms) * 1000, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

async function handshakes(url: string): Promise<Row> {
  let count = 0;
  const end = performance.now() + ROUND_MS;
  const worker = async (): Promise<void> => {
    using wire = await Wire.open(new URL(url));
    for (; performance.now() < end; count++) await greet(wire);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return {
    name: 'handshakes (initialize + initialized), 8 at a time',
    value: (count / ROUND_MS) * 1000,
    unit: '/s',
    target: 3000,
    atLeast: true,
  };
}

async function initialize(url: string): Promise<string> {
  using wire = await Wire.open(new URL(url));
  return await greet(wire);
}

/** @returns the header lines of a session */
async function greet(wire: Wire): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } };
  const { head } = await wire.post(text({ id: 0, method: 'initialize', params }), '');
  const id = headerOf(head, 'mcp-session-id');
  const session = id === undefined ? '' : `Mcp-Session-Id: ${id}\r\n`;
  await wire.post(text({ method: 'notifications/initialized' }), session);
  return session;
}

const text = (message: object): string => JSON.stringify({ jsonrpc: '2.0', ...message });

/** Other gateways beside Slipway, in one run on one machine: each in turn with a direct call, the way it takes clients. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../reconciler/drivers/process/port.ts';
import { GATEWAY, helloServer, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Running } from '../helpers/slipway.ts';
import { BenchDesk } from './bench-desk.ts';
import { callOf, load, warmUp, type Load } from './load.ts';
import { cpuMs, median, printRows, type Row } from './measure.ts';
import { HERE, PEERS, type Params, type Peer, type Site } from './others.ts';
import { SseWire } from './sse-wire.ts';

const ECHO = join(import.meta.dirname, 'echo-http.mjs');
const ROUND_MS = 2000;
const ROUNDS = 3;
/** For all of them alike. */
const WARM_MS = 8000;
const CONNECTIONS = 16;

export async function peersBench(program: string): Promise<Row[]> {
  install();
  await using desk = new BenchDesk();
  const upstream = spawn(process.execPath, [ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(upstream.stdout, 'data')) as [Buffer];
  const direct = chunk.toString().trim();
  const hello = join(desk.home, 'hello.mjs');
  writeFileSync(hello, HELLO_PROGRAM);
  const site = { desk, direct, program: hello };
  try {
    const own = await slipway(site, program);
    const rows = [...(await own.measure('HTTP')), ...(await own.measure('stdio'))].flatMap(rowsOf);
    for (const peer of PEERS) rows.push(...(await meet(peer, site, own.side(peer.to))).flatMap(rowsOf));
    await own.stop();
    printRows(`Beside others, ${CONNECTIONS} connections`, rows);
    return rows;
  } finally {
    upstream.kill();
  }
}

function install(): void {
  const { dependencies } = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  if (Object.keys(dependencies).every((name) => existsSync(join(HERE, 'node_modules', name)))) return;
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status } = spawnSync('npm', args, { cwd: HERE, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('The peers could not be installed, so there is nothing to compare with.');
}

interface Measured {
  readonly name: string;
  readonly to: 'HTTP' | 'stdio';
  readonly perSecond: number;
  readonly ratio: number;
  readonly cpu: number;
  /** How many calls Slipway did in the same time, beside one of these. */
  readonly beside?: number;
  readonly aim?: number;
}

const rowsOf = ({ name, to, perSecond, ratio, cpu, beside, aim }: Measured): Row[] => [
  { name: `to ${to}: ${name}: calls/s`, value: perSecond, unit: '/s' },
  { name: `to ${to}: ${name}: of direct`, value: ratio, unit: '×' },
  { name: `to ${to}: ${name}: CPU a call`, value: cpu, unit: 'µs' },
  ...(beside === undefined ? [] : [against(name, to, beside, aim)]),
];

function against(name: string, to: Measured['to'], value: number, aim: number | undefined): Row {
  const row = { name: `to ${to}: Slipway in turn with ${name}`, value, unit: '×' };
  return aim === undefined ? row : { ...row, target: aim, atLeast: true };
}

type Through = (ms: number) => Promise<Load>;

/** A program, and how it is called. */
interface Side {
  readonly child: ChildProcess;
  /** What `process.kill` takes: the program, or with a minus the group that it leads. */
  readonly target: number;
  readonly through: Through;
}

interface Own {
  side(to: Measured['to']): Side;
  measure(to: Measured['to']): Promise<Measured[]>;
  stop(): Promise<unknown>;
}

async function slipway({ desk, direct }: Site, program: string): Promise<Own> {
  desk.push({
    'gateway.yaml': GATEWAY,
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello'),
    'echo.yaml': `apiVersion: slipway/v1\nkind: Server\nmetadata: { name: echo }\nspec: { url: "${direct}", privateNetwork: true }\n`,
  });
  const args = [program, 'up', '--repo', desk.remote, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, args, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] });
  const running = new Running(child);
  const url = `${await running.serving}/mcp`;
  const tools = { HTTP: 'echo__echo', stdio: 'hello__hello' };
  const side = (to: Measured['to']): Side => {
    const called = { url, connections: CONNECTIONS, params: callOf(tools[to]) };
    return { child, target: child.pid as number, through: (ms) => load({ ...called, ms }) };
  };
  return {
    side,
    measure: async (to) => [{ name: 'Slipway', to, ...(await inTurn(direct, side(to))) }],
    stop: () => running.stop(),
  };
}

/** One that does not start here, or answers wrongly, is left out and said so. */
async function meet(peer: Peer, site: Site, own: Side): Promise<Measured[]> {
  const port = await freePort();
  const { argv, env } = peer.start(site, port);
  const [program, ...args] = argv;
  const child = spawn(program, args, {
    cwd: site.desk.home,
    env: { ...site.desk.env(), ...env },
    stdio: ['ignore', 'ignore', 'ignore'],
    detached: true,
  });
  const url = `http://localhost:${port}${peer.path}`;
  const { params } = peer;
  const through: Through = (ms) =>
    peer.sse ? loadSse(new URL(url), ms, params) : load({ url, connections: CONNECTIONS, ms, params });
  try {
    await untilItAnswers(() => through(50), child);
    const measured = await inTurn(site.direct, { child, target: -(child.pid as number), through }, own);
    return [{ name: peer.name, to: peer.to, ...measured, ...(peer.aim === undefined ? {} : { aim: peer.aim }) }];
  } catch (error) {
    console.error(`${peer.name} to ${peer.to} was left out: ${String(error).slice(0, 300)}`);
    return [];
  } finally {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  }
}

async function untilItAnswers(attempt: () => Promise<unknown>, child: ChildProcess): Promise<void> {
  for (const end = performance.now() + 30_000; ; await sleep(250)) {
    const late = sleep(5_000).then(() => Promise.reject(new Error('no answer')));
    const failure = await Promise.race([attempt(), late]).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) return;
    if (performance.now() > end || child.exitCode !== null) throw failure;
  }
}

/**
 * Who is not asked stands still: mcp-hub works on for two thirds of a core when its calls are answered. What is put off like that is
 * paid in one's own time, and not in that of the next.
 */
async function inTurn(direct: string, side: Side, beside?: Side): Promise<Omit<Measured, 'name' | 'to'>> {
  const sides = beside ? [side, beside] : [side];
  const [straight, passed, ours]: [number[], number[], number[]] = [[], [], []];
  let [cpu, calls] = [0, 0];
  for (const each of sides) tell(each, 'SIGSTOP');
  try {
    await warmUp(
      WARM_MS,
      sides.map((each) => (ms) => awake(each, ms)),
    );
    for (let round = 0; round < ROUNDS; round++) {
      const own = { url: direct, connections: CONNECTIONS, ms: ROUND_MS, params: callOf('echo') };
      straight.push((await load(own)).perSecond);
      const before = cpuMs(side.child.pid as number);
      const { perSecond } = await awake(side, ROUND_MS);
      cpu += cpuMs(side.child.pid as number) - before;
      calls += (perSecond * ROUND_MS) / 1000;
      passed.push(perSecond);
      if (beside) ours.push((await awake(beside, ROUND_MS)).perSecond);
    }
  } finally {
    for (const each of sides) tell(each, 'SIGCONT');
  }
  const measured = { perSecond: median(passed), ratio: median(passed) / median(straight), cpu: (cpu / calls) * 1000 };
  return beside ? { ...measured, beside: median(ours) / median(passed) } : measured;
}

async function awake(side: Side, ms: number): Promise<Load> {
  tell(side, 'SIGCONT');
  try {
    return await side.through(ms);
  } finally {
    tell(side, 'SIGSTOP');
  }
}

/** Nothing to one that has ended: why it did is the error then, and the other goes on. */
function tell({ child, target }: Side, signal: 'SIGSTOP' | 'SIGCONT'): void {
  if (child.exitCode === null && child.signalCode === null) process.kill(target, signal);
}

/** As {@link load}, for who takes clients over HTTP+SSE only. */
async function loadSse(url: URL, ms: number, params: Params): Promise<Load> {
  const say = (message: object): string => JSON.stringify({ jsonrpc: '2.0', ...message });
  const hello = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'bench', version: '1' } };
  const connect = async (): Promise<SseWire> => {
    const wire = await SseWire.open(url);
    await wire.post(0, say({ id: 0, method: 'initialize', params: hello }));
    await wire.tell(say({ method: 'notifications/initialized' }));
    return wire;
  };
  const wires = await Promise.all(Array.from({ length: CONNECTIONS }, connect));
  let count = 0;
  const end = performance.now() + ms;
  const worker = async (wire: SseWire, index: number): Promise<void> => {
    for (let id = 1; performance.now() < end; id++, count++) {
      const tag = `${index}-${id}`;
      const body = await wire.post(id, say({ id, method: 'tools/call', params: params(tag) }));
      if (!body.includes(tag)) throw new Error(`A wrong answer: ${body.slice(0, 300)}`);
    }
  };
  await Promise.all(wires.map(worker));
  for (const wire of wires) wire[Symbol.dispose]();
  return { perSecond: (count / ms) * 1000, p50: Number.NaN, p99: Number.NaN };
}

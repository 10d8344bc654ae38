/** What knowing who calls, what they may, how much, and that they did, costs: the same call on a bare gateway and on a guarded one. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Limiter } from '../../gateway/limits/limiter.ts';
import { Limits } from '../../gateway/limits/limits.ts';
import { GATEWAY } from '../helpers/configs.ts';
import { Running } from '../helpers/slipway.ts';
import { BenchDesk } from './bench-desk.ts';
import { callOf, load } from './load.ts';
import { cpuMs, median, printRows, type Row } from './measure.ts';

const ECHO = fileURLToPath(new URL('echo-http.mjs', import.meta.url));
/** Many short rounds, each side first in every other: what disturbs the machine lasts longer than one. */
const ROUND_MS = 1000;
const ROUNDS = 16;
/** Until what every call runs through is compiled, on both sides: V8 takes some 100 000 calls for it while all cores are busy. */
const WARM_ROUNDS = 20;
const CONNECTIONS = 64;
const TOKEN = 'bench-token';

export async function accessBench(program: string): Promise<Row[]> {
  const upstream = spawn(process.execPath, [ECHO], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TOOLS: '0' },
  });
  const [chunk] = (await once(upstream.stdout, 'data')) as [Buffer];
  const url = chunk.toString().trim();
  try {
    await using bare = await start(program, bareConfig(url));
    await using guarded = await start(program, guardedConfig(url));
    const rows = [limiterRow(), ...(await compare(bare, guarded))];
    printRows('Access, limits and audit', rows);
    return rows;
  } finally {
    upstream.kill();
  }
}

/** Rate, concurrency, sizes and times at all five levels. */
const EVERYTHING = { rate: { perSecond: 1e6, burst: 1e6 }, concurrency: 1e6, timeoutMs: 6e4, resultBytes: 1e9 };

function limiterRow(): Row {
  const limits = new Limits({
    gateway: EVERYTHING,
    perPrincipal: EVERYTHING,
    projects: { dev: EVERYTHING },
    servers: { echo: EVERYTHING },
    tools: { echo: [{ pattern: 'e*', limits: EVERYTHING }] },
  });
  const limiter = new Limiter();
  const call = (): void => {
    const request = limiter.admit(limits.ofCaller('token:bench', 'dev').counted, 'concurrency');
    const inner = limiter.admit(limits.ofCall('echo', 'echo')?.counted ?? [], 'concurrency');
    inner.release();
    request.release();
  };
  const times = Array.from({ length: 20 }, () => {
    const began = performance.now();
    for (let n = 0; n < 20_000; n++) call();
    return ((performance.now() - began) * 1000) / 20_000;
  });
  // The best: others on the machine can only add to it.
  return { name: 'limits at all five levels: a call', value: Math.min(...times), unit: 'µs', target: 2 };
}

interface Side extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
}

async function start(program: string, files: Readonly<Record<string, string>>): Promise<Side> {
  const desk = new BenchDesk();
  desk.push(files);
  const args = [program, 'up', '--repo', desk.remote, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
  const running = new Running(
    spawn(process.execPath, args, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  const base = await running.serving;
  return {
    url: `${base}/projects/dev/mcp`,
    child: running.child,
    [Symbol.asyncDispose]: async () => {
      await running.stop();
      await desk[Symbol.asyncDispose]();
    },
  };
}

/** In turn, so that what disturbs the machine disturbs both. */
async function compare(bare: Side, guarded: Side): Promise<Row[]> {
  const demand = { connections: CONNECTIONS, params: callOf('echo__echo') };
  const run = async (side: Side, token?: string) => {
    const before = cpuMs(side.child.pid as number);
    const { perSecond } = await load({ ...demand, url: side.url, ms: ROUND_MS, ...(token ? { token } : {}) });
    return { perSecond, cpu: ((cpuMs(side.child.pid as number) - before) / ((perSecond * ROUND_MS) / 1000)) * 1000 };
  };
  for (let n = 0; n < WARM_ROUNDS; n++) {
    await run(bare);
    await run(guarded, TOKEN);
  }
  const [plain, watched, ratios]: [number[], number[], number[]] = [[], [], []];
  const cpu: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const first = round % 2 === 0 ? await run(bare) : undefined;
    const other = await run(guarded, TOKEN);
    const one = first ?? (await run(bare));
    plain.push(one.perSecond);
    watched.push(other.perSecond);
    ratios.push(other.perSecond / one.perSecond);
    cpu[0].push(one.cpu);
    cpu[1].push(other.cpu);
  }
  const what = `tools/call, ${CONNECTIONS} connections`;
  return [
    { name: `${what}, bare: calls/s`, value: median(plain), unit: '/s' },
    { name: `${what}, token + roles + limits + audit: calls/s`, value: median(watched), unit: '/s' },
    { name: `${what}: guarded of bare`, value: median(ratios), unit: '×', target: 0.9, atLeast: true },
    { name: `${what}, bare: CPU a call`, value: median(cpu[0]), unit: 'µs' },
    { name: `${what}, guarded: CPU a call`, value: median(cpu[1]), unit: 'µs' },
  ];
}

const document = (kind: string, name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'slipway/v1', kind, metadata: { name }, spec });

function bareConfig(url: string): Record<string, string> {
  return {
    'gateway.yaml': GATEWAY,
    'echo.yaml': document('Server', 'echo', { url, privateNetwork: true, audit: 'off' }),
    'dev.yaml': document('Project', 'dev', { servers: ['echo'] }),
  };
}

function guardedConfig(url: string): Record<string, string> {
  const limits = {
    rate: { perSecond: 1e6, burst: 1e6 },
    concurrency: 1e6,
    resultSize: '1Gi',
  };
  const rules = [
    { pattern: '*_secret', action: 'deny' },
    { pattern: 'e*', action: 'allow' },
  ];
  return {
    'gateway.yaml': document('Gateway', 'main', {
      limits: { ...limits, timeout: '1m', perPrincipal: { ...limits, timeout: '1m' } },
      floor: [{ pattern: 'drop_*', action: 'deny' }],
      permissions: { rules: [{ pattern: 'rm_*', action: 'deny' }] },
    }),
    'echo.yaml': document('Server', 'echo', {
      url,
      privateNetwork: true,
      limits: { ...limits, tools: [{ pattern: 'e*', ...limits }] },
      permissions: { rules },
    }),
    'dev.yaml': document('Project', 'dev', {
      servers: ['echo'],
      limits: { ...limits, timeout: '1m' },
      permissions: { rules },
    }),
    'budget.yaml': document('Budget', 'all', { per: 'principal', window: 'day', calls: 1e12 }),
    'token.yaml': document('Token', 'bench', {
      sha256: createHash('sha256').update(TOKEN).digest('hex'),
      roles: ['member'],
      projects: ['dev'],
    }),
  };
}

/** What following a repo of 1000 resources costs, and how fast a start is. All with the built program and a real git repo. */
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { gitSource, memoryParseCache, preview } from '../../reconciler/index.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk, Running } from '../helpers/slipway.ts';
import { asIfRunning, type Preview } from '../../reconciler/index.ts';
import { cpuWithChildrenMs, highWaterMb, median, printRows, rssMb, timed, type Row } from './measure.ts';

const RESOURCES = 1000;
const MANY = 10_000;
const signal = new AbortController().signal;

export async function reconcileBench(program: string): Promise<Row[]> {
  await using desk = new Desk();
  desk.push(bigConfig(RESOURCES));
  const rows = [...(await pushToPlan(desk)), await planCommand(desk, program), ...(await ticks(desk, program))];
  printRows(`A repo of ${RESOURCES} resources`, rows);
  const many = await manyResources(program);
  printRows(`A repo of ${MANY} resources`, many);
  const starts = await coldStart(program);
  printRows('A start', starts);
  return [...rows, ...many, ...starts];
}

/** Mostly servers elsewhere, so that what is measured is Slipway and not a thousand processes. */
function bigConfig(resources: number): Record<string, string> {
  const servers = Array.from(
    { length: resources - 2 },
    (_, index) => [`servers/s${index}.yaml`, remoteServer(index)] as const,
  );
  return {
    'gateway.yaml': GATEWAY,
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello'),
    ...Object.fromEntries(servers),
  };
}

const remoteServer = (index: number, description = 'A server elsewhere.'): string => `apiVersion: slipway/v1
kind: Server
metadata:
  name: s${index}
  labels: { team: platform, tier: backend }
spec:
  # What the server is for, in a sentence that people and agents can use to choose it.
  description: ${description}
  url: https://mcp-${index}.example.com/mcp
  transport: http
  timeout: 30s
`;

async function pushToPlan(desk: Desk): Promise<Row[]> {
  await using source = gitSource({ url: desk.remote, mirror: join(desk.home, 'bench.git') });
  const cache = memoryParseCache();
  const nothing = { applied: { commit: '', resources: [], files: [] }, instances: [], failures: {} };
  let last: Preview | undefined;
  const cold = await timed(async () => (last = await preview(source, nothing, cache, signal)));
  const actual = asIfRunning(last?.desired ?? nothing.applied);
  const times: number[] = [];
  for (let round = 0; round < 7; round++) {
    desk.push({ 'servers/s1.yaml': remoteServer(1, `Changed ${round}.`) });
    times.push(await timed(async () => (last = await preview(source, actual, cache, signal))));
    if (last?.plan?.summary.update !== 1) throw new Error('The plan should hold exactly the one change.');
  }
  return [
    { name: 'first plan, nothing cached', value: cold, unit: 'ms' },
    { name: 'push → plan, one file changed', value: median(times), unit: 'ms', target: 200 },
  ];
}

async function planCommand(desk: Desk, program: string): Promise<Row> {
  const state = join(desk.home, 'plan-state');
  const running = await start(program, desk, state);
  const args = ['plan', '--repo', desk.remote, '--ref', 'main', '--state-dir', state];
  await run(program, args, desk); // Warms the mirror.
  const times: number[] = [];
  for (let round = 0; round < 5; round++) times.push(await timed(() => run(program, args, desk)));
  await running.stop();
  return { name: '`slipway plan`, warm mirror', value: median(times), unit: 'ms', target: 1000 };
}

/** CPU of the whole program, its git children included, over many ticks. */
async function ticks(desk: Desk, program: string): Promise<Row[]> {
  const count = 20;
  const state = join(desk.home, 'tick-state');
  const running = await start(program, desk, state, ['--interval', '250ms']);
  const pid = running.child.pid as number;
  const before = cpuWithChildrenMs(pid);
  await new Promise((resolve) => setTimeout(resolve, 250 * count));
  const perTick = (cpuWithChildrenMs(pid) - before) / count;
  const edited = await timed(async () => {
    desk.push(
      Object.fromEntries(
        Array.from({ length: RESOURCES - 2 }, (_, index) => [
          `servers/s${index}.yaml`,
          remoteServer(index, 'All changed.'),
        ]),
      ),
    );
    const { code } = await run(program, ['sync', '--wait', '--state-dir', state], desk);
    if (code !== 0) throw new Error('sync failed');
  });
  await running.stop();
  return [
    { name: 'a tick with nothing new, CPU', value: perTick, unit: 'ms', target: 50 },
    { name: '998 gateway-only changes, push to applied', value: edited, unit: 'ms' },
  ];
}

/** How often it is started, in an empty state directory and again. */
const ROUNDS = 5;
/** Until V8 has given back what only the start needed (ms). */
const IDLE_MS = 15_000;

async function coldStart(program: string): Promise<Row[]> {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
  const first: number[] = [];
  const again: number[] = [];
  let rss = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const state = join(desk.home, `state-${round}`);
    for (const times of [first, again]) {
      let running: Running | undefined;
      times.push(
        await timed(async () => {
          running = await start(program, desk, state);
          await listTools(await running.serving);
        }),
      );
      if (times === again && round === ROUNDS - 1) {
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
        rss = rssMb(running?.child.pid as number);
      }
      await running?.stop();
    }
  }
  return [
    { name: '`up` in an empty state dir → first tools/list', value: median(first), unit: 'ms', target: 400 },
    { name: '`up` again → first tools/list', value: median(again), unit: 'ms', target: 400 },
    { name: 'idle memory', value: rss, unit: 'MB', target: 90 },
  ];
}

async function start(program: string, desk: Desk, state: string, more: readonly string[] = []): Promise<Running> {
  const args = [
    program,
    'up',
    '--repo',
    desk.remote,
    '--state-dir',
    state,
    '--listen',
    '127.0.0.1:0',
    '--interval',
    '1h',
    ...more,
  ];
  const running = new Running(
    spawn(process.execPath, args, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  await running.serving;
  return running;
}

function run(program: string, args: readonly string[], desk: Desk): Promise<{ code: number | null; peakMb: number }> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: desk.home,
    env: desk.env(),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let peakMb = 0;
  const watch = setInterval(() => (peakMb = highWaterMb(child.pid ?? 0) ?? peakMb), 10);
  return new Promise((resolve) =>
    child.once('close', (code) => {
      clearInterval(watch);
      resolve({ code, peakMb });
    }),
  );
}

/** Plans of a change to one of many, and what following them takes. */
async function manyResources(program: string): Promise<Row[]> {
  await using desk = new Desk();
  desk.push(bigConfig(MANY));
  const state = join(desk.home, 'many-state');
  const running = await start(program, desk, state);
  const pid = running.child.pid as number;
  const args = ['plan', '--repo', desk.remote, '--ref', 'main', '--state-dir', state];
  await run(program, args, desk); // Warms the mirror.
  const plans: number[] = [];
  const applied: number[] = [];
  let planning = 0;
  for (let round = 0; round < 5; round++) {
    desk.push({ 'servers/s1.yaml': remoteServer(1, `Changed ${round}.`) });
    plans.push(
      await timed(async () => {
        const { code, peakMb } = await run(program, args, desk);
        if (code !== 2) throw new Error('The plan should hold the one change.');
        planning = Math.max(planning, peakMb);
      }),
    );
    applied.push(await timed(() => run(program, ['sync', '--wait', '--state-dir', state], desk)));
  }
  const peak = highWaterMb(pid) ?? Number.NaN;
  await running.stop();
  return [
    { name: '`slipway plan`, one of them changed', value: median(plans), unit: 'ms', target: 3000 },
    { name: 'push → applied, one of them changed', value: median(applied), unit: 'ms' },
    { name: 'memory of `slipway plan`, at its highest', value: planning, unit: 'MB', target: 400 },
    { name: 'memory of a running Slipway, at its highest', value: peak, unit: 'MB', target: 400 },
  ];
}

/** Initialize and list, with nothing of a client's own start-up in the time. */
async function listTools(url: string): Promise<void> {
  const post = (body: object, session?: string): Promise<Response> =>
    fetch(`${url}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session === undefined ? {} : { 'mcp-session-id': session }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
    });
  const initialized = await post({
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } },
  });
  const listed = await post({ id: 2, method: 'tools/list' }, initialized.headers.get('mcp-session-id') ?? '');
  const { result } = (await listed.json()) as { result: { tools: unknown[] } };
  if (result.tools.length !== 1) throw new Error('The tool is not listed.');
}

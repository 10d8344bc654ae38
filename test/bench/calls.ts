/** What a call costs that goes through the gateway: against the same one made directly, and by way of what checks nothing. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { callOf, load, warmUp, type Load } from './load.ts';
import { cpuMs, median, type Row } from './measure.ts';
import type { Era } from './talk.ts';

const ROUND_MS = 2000;
const ROUNDS = 3;
/** V8 takes some 100 000 calls to compile what they run through while all cores are busy. */
const WARM_MS = 15_000;
/** Until V8 collects what had nothing to do, and some more. */
const REST_MS = 15_000;

/** Something that calls go to. */
export interface Way {
  readonly url: string;
  /** Absent where what it takes is of no interest. */
  readonly child?: ChildProcess;
}

export interface Ways {
  readonly direct: Way;
  readonly gateway: Way;
  /** The yardstick: a forwarder that checks nothing, to the same server. */
  readonly least?: Way;
}

/** A program of the bench that says on stdout where it is. @param started what is to be ended */
export async function serving(
  started: ChildProcess[],
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Way> {
  const all = { ...process.env, ...env };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: all });
  started.push(child);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return { url: chunk.toString().trim(), child };
}

/**
 * One after the other in short rounds, so that what disturbs the machine disturbs all of them.
 * @param share of the calls that are possible directly, at 64 connections: what the gateway is to reach
 */
export async function compare(what: string, ways: Ways, tool: string, share: number, era?: Era): Promise<Row[]> {
  const { direct, gateway, least } = ways;
  const called = { params: callOf(tool), ...(era ? { era } : {}) };
  // It knows nothing of names: tools are called as their server calls them.
  const own = { params: callOf(tool.slice(tool.indexOf('__') + 2)) };
  const running = [{ url: gateway.url, ...called }, ...(least ? [{ url: least.url, ...own }] : [])];
  await warmUp(
    WARM_MS,
    running.map((way) => (ms) => load({ ...way, connections: 64, ms })),
  );
  const rows: Row[] = [];
  for (const connections of era ? [64] : [1, 64]) {
    const [straight, through, forwarded]: [Round[], Round[], Round[]] = [[], [], []];
    for (let at = 0; at <= ROUNDS; at++) {
      straight.push(await round(direct, { connections, params: callOf('echo') }));
      through.push(await round(gateway, { connections, ...called }));
      if (least) forwarded.push(await round(least, { connections, ...own }));
      // One caller alone takes other ways through the code than many, which are compiled in their turn.
      if (at === 0) for (const rounds of [straight, through, forwarded]) rounds.length = 0;
    }
    const name = `tools/call ${what}, ${connections} connection${connections === 1 ? '' : 's'}`;
    rows.push({ name: `${name}: calls/s`, value: median(through.map(({ perSecond }) => perSecond)), unit: '/s' });
    const aims = connections === 1 ? { p50: 0.12, p99: 1, cpu: 50 } : { share, cpu: 50 };
    rows.push(...costs(name, connections, straight, through, aims));
    if (least) rows.push(...costs(`${name}, checking nothing`, connections, straight, forwarded));
  }
  return rows;
}

/** Alone, and the first to call for a while: what V8 gave up meanwhile is compiled again beside these calls. */
export async function afterRest({ direct, gateway }: Ways, tool: string): Promise<Row> {
  await sleep(REST_MS);
  const first = await round(gateway, { connections: 1, params: callOf(tool) });
  const straight = await round(direct, { connections: 1, params: callOf('echo') });
  const name = `tools/call to HTTP, 1 connection, after ${REST_MS / 1000} s without a call: added p99`;
  return { name, value: first.p99 - straight.p99, unit: 'ms' };
}

/** What came of one round; CPU in µs a call. */
type Round = Load & { readonly cpu: number };

async function round({ url, child }: Way, demand: Pick<Parameters<typeof load>[0], 'connections' | 'params' | 'era'>) {
  const used = (): number => (child?.pid === undefined ? 0 : cpuMs(child.pid));
  const before = used();
  const run = await load({ ...demand, url, ms: ROUND_MS });
  return { ...run, cpu: ((used() - before) * 1000) / ((run.perSecond * ROUND_MS) / 1000) };
}

type Aims = Readonly<Partial<Record<'share' | 'p50' | 'p99' | 'cpu', number>>>;

function costs(name: string, connections: number, straight: Round[], passed: Round[], aims: Aims = {}): Row[] {
  const of = (runs: readonly Round[], pick: (run: Round) => number): number => median(runs.map(pick));
  const added = (pick: (run: Round) => number): number => of(passed, pick) - of(straight, pick);
  const row = (label: string, value: number, unit: string, target?: number): Row => ({
    name: `${name}: ${label}`,
    value,
    unit,
    ...(target === undefined ? {} : { target }),
  });
  const share = of(passed, (run) => run.perSecond) / of(straight, (run) => run.perSecond);
  const alone = [
    row(
      'added p50',
      added((run) => run.p50),
      'ms',
      aims.p50,
    ),
    row(
      'added p99',
      added((run) => run.p99),
      'ms',
      aims.p99,
    ),
  ];
  return [
    { ...row('of direct', share, '×', aims.share), atLeast: true },
    ...(connections === 1 ? alone : []),
    row(
      'CPU a call',
      of(passed, (run) => run.cpu),
      'µs',
      aims.cpu,
    ),
  ];
}

/** What it takes to split a large result, and what everybody else waits meanwhile: the gateway's event loop, looked at from within. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { startGateway } from '../../gateway/index.ts';
import { NO_ACCESS } from '../../schemas/access.ts';
import { silent } from '../../schemas/log.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { median, printRows, type Row } from './measure.ts';

const LEDGER = fileURLToPath(new URL('ledger.mjs', import.meta.url));
const CLIENT = new URL('results-client.ts', import.meta.url);
const MB = 2 ** 20;
const ROUNDS = 20;

/** How long stages took (ms), as the audit log is told. */
const stages: number[] = [];

export async function resultsBench(): Promise<Row[]> {
  const ledger = spawn(process.execPath, [LEDGER], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [chunk] = (await once(ledger.stdout, 'data')) as [Buffer];
    await using gateway = await startGateway({
      snapshot: snapshotOf(chunk.toString().trim()),
      sessionKey: new Uint8Array(32),
      log: silent,
      version: 'bench',
      audit: {
        record: ({ kind, durationMs = 0 }) => void (kind === 'stage_execution' && stages.push(durationMs)),
        blocked: false,
      },
    });
    const off = await timed(`${gateway.url}/projects/off/mcp`, 5 * MB);
    const split = await timed(`${gateway.url}/projects/split/mcp`, 5 * MB);
    const small = await timed(`${gateway.url}/projects/off/mcp`, 1024);
    const passed = await timed(`${gateway.url}/projects/split/mcp`, 1024);
    const rows: Row[] = [
      { name: 'section-split of 5 MB of JSON: p50', value: split.stage, unit: 'ms', target: 150 },
      { name: 'the call, section-split: p50', value: split.p50, unit: 'ms' },
      { name: 'the call, as it is: p50', value: off.p50, unit: 'ms' },
      { name: 'the event loop’s longest delay, section-split', value: split.delay, unit: 'ms' },
      { name: 'the event loop’s longest delay, as it is', value: off.delay, unit: 'ms' },
      { name: 'what the agent gets, section-split', value: split.size, unit: 'bytes' },
      { name: 'what the agent gets, as it is', value: off.size, unit: 'bytes' },
      { name: 'a call of 1 KB, a pipeline for more: p50', value: passed.p50, unit: 'ms' },
      { name: 'a call of 1 KB without a pipeline: p50', value: small.p50, unit: 'ms' },
    ];
    printRows('Results through a pipeline', rows);
    return rows;
  } finally {
    ledger.kill();
  }
}

function snapshotOf(address: string): Snapshot {
  const route = (project: string, more: object) => ({ project, servers: ['ledger'], ...more });
  return {
    formatVersion: 1,
    commit: 'bench',
    gateway: {
      listen: '127.0.0.1:0',
      allowedHosts: [],
      allowedOrigins: [],
      maxBodyBytes: MB,
      sessionTtlMs: 3_600_000,
      shutdownTimeoutMs: 1_000,
      providers: [],
    },
    servers: { ledger: { endpoints: [{ id: 'ledger', transport: 'http', address }], timeoutMs: 30_000 } },
    routes: {
      '/projects/off/mcp': route('off', {}),
      '/projects/split/mcp': route('split', { pipeline: 'split' }),
    },
    principals: [],
    users: [],
    groups: [],
    access: { ...NO_ACCESS },
    pipelines: {
      split: {
        appliesTo: ['toolResult'],
        minBytes: 2048,
        stages: [{ type: 'section-split', minSize: 2048, maxSize: 15_360 }],
      },
    },
  };
}

interface Timed {
  readonly p50: number;
  readonly stage: number;
  readonly delay: number;
  readonly size: number;
}

async function timed(url: string, bytes: number): Promise<Timed> {
  // Threads start, modules load, code gets warm.
  const client = new Worker(CLIENT, { workerData: { url, bytes, warm: 5, rounds: ROUNDS } });
  await once(client, 'message');
  stages.length = 0;
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const [{ times, size }] = (await once(client, 'message')) as [{ times: number[]; size: number }];
  delays.disable();
  return { p50: median(times), stage: median(stages), delay: delays.max / 1e6, size };
}

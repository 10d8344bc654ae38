/** Clients that come and never go: ten thousand sessions are opened and left, and all that they took is given back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { helloServer, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Desk, Running } from '../helpers/slipway.ts';
import { printRows, rssMb, type Row } from './measure.ts';
import { greet } from './talk.ts';
import { Wire } from './wire.ts';

const SESSIONS = 10_000;
const STREAMS = 500;
const TTL_S = 20;
/** Until streams, what is kept for those who might come back, and idle processes are surely gone (ms). */
const AFTER = 75_000;

const GATEWAY = `apiVersion: slipway/v1
kind: Gateway
metadata: { name: main }
spec: { sessionTtl: ${TTL_S}s }
`;

interface Footprint {
  /** What the program holds on to, after all garbage is collected (MB). */
  readonly heap: number;
  /** What its process has of the machine: with what V8 keeps of the largest heap that it ever had (MB). */
  readonly rss: number;
  readonly descriptors: number;
  readonly processes: number;
}

export async function leaksBench(program: string): Promise<Row[]> {
  await using desk = new Desk();
  desk.push({
    'gateway.yaml': GATEWAY,
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello', 'Hello', '  idleTimeout: 5s\n  sessions: isolated\n  maxInstances: 5\n'),
  });
  const args = [
    '--inspect=127.0.0.1:0',
    program,
    'up',
    '--repo',
    desk.remote,
    '--state-dir',
    desk.state,
    '--listen',
    '127.0.0.1:0',
  ];
  const running = new Running(
    spawn(process.execPath, args, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  const url = new URL(`${await running.serving}/mcp`);
  const pid = running.child.pid as number;
  const inspector = /ws:\/\/\S+/.exec(running.log)?.[0] ?? '';
  const look = (): Promise<Footprint> => footprint(pid, inspector);
  // Others before, until the heap has its size: what is lost would come with every crowd.
  for (let n = 0; n < 3; n++) for (const socket of await crowd(url, SESSIONS, STREAMS)) socket.destroy();
  await sleep(AFTER);
  const before = await look();
  const open = await crowd(url, SESSIONS, STREAMS);
  const peak = await look();
  for (const socket of open) socket.destroy();
  await sleep(AFTER);
  const after = await look();
  await running.stop();
  const rows: Row[] = [
    { name: `${SESSIONS} sessions: memory that came with them`, value: peak.rss - before.rss, unit: 'MB' },
    { name: 'heap in use that did not go again', value: after.heap - before.heap, unit: 'MB', target: 1 },
    { name: 'memory of the process that did not go again', value: after.rss - before.rss, unit: 'MB', target: 15 },
    { name: 'descriptors that did not go again', value: after.descriptors - before.descriptors, unit: '', target: 0 },
    { name: 'processes that did not go again', value: after.processes - before.processes, unit: '', target: 0 },
  ];
  printRows('After clients that never said goodbye', rows);
  return rows;
}

/** Sessions of which each does something that is remembered for it; some hold their stream open, some call. */
async function crowd(url: URL, sessions: number, streams: number): Promise<Socket[]> {
  using wire = await Wire.open(url);
  const open: Socket[] = [];
  for (let at = 0; at < sessions; at++) {
    const headers = await greet(wire);
    const say = (method: string, params: object): Promise<unknown> =>
      wire.post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }), headers);
    await say('logging/setLevel', { level: 'error' });
    if (at % 1000 === 0) await say('tools/call', { name: 'hello__hello', arguments: { name: 'x' } });
    if (open.length >= streams) continue;
    const socket = connect(Number(url.port), url.hostname);
    socket.on('error', () => {});
    socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nAccept: text/event-stream\r\n${headers}\r\n`);
    await once(socket, 'data');
    open.push(socket);
  }
  return open;
}

async function footprint(pid: number, inspector: string): Promise<Footprint> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return {
    heap: await heapMb(inspector),
    rss: rssMb(pid),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    processes: children.filter((child) => child !== '').length,
  };
}

/** Asks V8 itself (Chrome DevTools Protocol), once it has collected all garbage. */
async function heapMb(inspector: string): Promise<number> {
  const socket = new WebSocket(inspector);
  await once(socket, 'open');
  const ask = async (id: number, method: string): Promise<Record<string, number>> => {
    socket.send(JSON.stringify({ id, method }));
    for (;;) {
      const [event] = (await once(socket, 'message')) as [{ readonly data: string }];
      const answer = JSON.parse(event.data) as { id?: number; result?: Record<string, number> };
      if (answer.id === id) return answer.result ?? {};
    }
  };
  await ask(1, 'HeapProfiler.collectGarbage');
  const { usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await ask(2, 'Runtime.getHeapUsage');
  socket.close();
  return (usedSize + embedderHeapUsedSize + backingStorageSize) / 2 ** 20;
}

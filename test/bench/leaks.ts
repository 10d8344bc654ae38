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
  const args = [program, 'up', '--repo', desk.remote, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
  const running = new Running(
    spawn(process.execPath, args, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  const url = new URL(`${await running.serving}/mcp`);
  const pid = running.child.pid as number;
  // Others before, until the heap has its size: what is lost would come with every crowd.
  for (let n = 0; n < 3; n++) for (const socket of await crowd(url, SESSIONS, STREAMS)) socket.destroy();
  await sleep(AFTER);
  const before = footprint(pid);
  const open = await crowd(url, SESSIONS, STREAMS);
  const peak = footprint(pid);
  for (const socket of open) socket.destroy();
  await sleep(AFTER);
  const after = footprint(pid);
  await running.stop();
  const rows: Row[] = [
    { name: `${SESSIONS} sessions: memory that came with them`, value: peak.rss - before.rss, unit: 'MB' },
    { name: 'memory that did not go again', value: after.rss - before.rss, unit: 'MB', target: 15 },
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

function footprint(pid: number): Footprint {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return {
    rss: rssMb(pid),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    processes: children.filter((child) => child !== '').length,
  };
}

/** How long somebody waits for the command line: the built program, each time from nothing. */
import { spawn, spawnSync } from 'node:child_process';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk, Running } from '../helpers/slipway.ts';
import { median, printRows, type Row } from './measure.ts';

const ROUNDS = 15;

export async function cliBench(program: string): Promise<Row[]> {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
  const up = [program, 'up', '--repo', desk.remote, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
  const running = new Running(
    spawn(process.execPath, up, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  await running.serving;
  const took = (...args: string[]): number => {
    const began = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: desk.config, env: desk.env() });
    if (status !== 0) throw new Error(`${args.join(' ')}: ${String(stderr)}`);
    return performance.now() - began;
  };
  const wall = (...args: string[]): number => median(Array.from({ length: ROUNDS }, () => took(...args)));
  const rows: Row[] = [
    { name: 'bare node, for comparison', value: wall('-e', '0'), unit: 'ms' },
    { name: 'slipway --help', value: wall(program, '--help'), unit: 'ms', target: 120 },
    {
      name: 'slipway get servers, of a running one',
      value: wall(program, 'get', 'servers', '--state-dir', desk.state),
      unit: 'ms',
      target: 200,
    },
    {
      name: 'completion of a name, in a folder',
      value: wall(program, '__complete', 'edit', 'server', 'he'),
      unit: 'ms',
      target: 200,
    },
    {
      name: 'completion of a name, of a running one',
      value: wall(program, '__complete', 'describe', '--state-dir', desk.state, 'server', 'he'),
      unit: 'ms',
      target: 200,
    },
    {
      name: 'slipway create server --help',
      value: wall(program, 'create', 'server', '--help'),
      unit: 'ms',
      target: 250,
    },
    {
      name: 'slipway patch server, in a folder',
      value: wall(program, 'patch', 'server', 'hello', 'replicas=2', '--dry-run'),
      unit: 'ms',
      target: 400,
    },
  ];
  await running.stop();
  printRows('The command line', rows);
  return rows;
}

/** An engine of a test's own, to stop, kill and fill: it shares nothing with the one of the machine. Needs root. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { openEngine, type Engine } from '../../reconciler/drivers/docker/engine.ts';
import { clearAway } from './remains.ts';
import { tempDir } from './temp.ts';

export interface Daemon extends AsyncDisposable {
  /** For `DOCKER_HOST` and the Engine kind. */
  readonly host: string;
  /** Directory of its images and containers, for tests that fill it. */
  readonly data: string;
  /** Opens it anew: for after a restart too. Whoever opens it disposes of it. */
  engine(): Promise<Engine>;
  /** Resolves once it answers. */
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export interface DaemonOptions {
  /** More arguments for dockerd, such as `--live-restore`. */
  readonly args?: readonly string[];
  /** Its data lie in memory and no more than this fits. */
  readonly dataBytes?: number;
}

/** Its containers can use networks that they create; it writes no firewall rules, which belong to the machine's engine. */
export async function testDaemon({ args = [], dataBytes }: DaemonOptions = {}): Promise<Daemon> {
  const dir = tempDir();
  const data = dir.at('data');
  const host = `unix://${dir.at('docker.sock')}`;
  // A default network of its own: with none at all, dockerd would remove that of the machine's engine.
  const bridge = `slw${randomBytes(4).toString('hex')}`;
  run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  run('ip', ['address', 'add', `10.213.${randomInt(256)}.1/24`, 'dev', bridge]);
  mkdirSync(data);
  if (dataBytes !== undefined) run('mount', ['-t', 'tmpfs', '-o', `size=${dataBytes}`, 'tmpfs', data]);
  const argv = [
    `--host=${host}`,
    `--data-root=${data}`,
    `--exec-root=${dir.at('exec')}`,
    `--pidfile=${dir.at('pid')}`,
    `--bridge=${bridge}`,
    '--iptables=false',
    '--ip-forward=false',
    '--userland-proxy=false',
    // Where the machine has a containerd of its own, dockerd would use it.
    `--containerd-namespace=${basename(dir.path)}`,
    `--containerd-plugins-namespace=${basename(dir.path)}-plugins`,
    ...args,
  ];
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = await serve(argv);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  const dispose = async (): Promise<void> => {
    await end('SIGTERM');
    clearAway(dir.path);
    spawnSync('ip', ['link', 'delete', bridge]);
    dir[Symbol.dispose]();
  };
  await start().catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  return {
    host,
    data,
    engine: () => openEngine({ name: 'own', host, runners: {} }),
    start,
    stop: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL');
      // Its containerd dies with it; until someone reaps that, the next dockerd would take it for alive.
      rmSync(dir.at('exec/containerd/containerd.pid'), { force: true });
    },
    [Symbol.asyncDispose]: dispose,
  };
}

async function serve(argv: readonly string[]): Promise<ChildProcess> {
  const child = spawn('dockerd', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`dockerd ended:\n${lines.slice(-20).join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (line.includes('API listen on')) resolve();
    });
  });
  return child;
}

function run(program: string, argv: readonly string[]): void {
  const { status, stderr } = spawnSync(program, argv, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${argv.join(' ')}: ${stderr}`);
}

/** Podman's API on a socket and a storage of its own. Needs root. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { openEngine, type Engine } from '../../reconciler/drivers/docker/engine.ts';
import { tempDir } from './temp.ts';

export interface Podman extends AsyncDisposable {
  /** For `DOCKER_HOST` and the Engine kind. */
  readonly host: string;
  /** Whoever opens it disposes of it. */
  engine(): Promise<Engine>;
}

/** crun of Debian 12 refuses hosts with both kinds of cgroups, so it is runc; limits must not be above this process's own. */
const CONTAINERS = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
events_logger = "file"
cgroup_manager = "cgroupfs"
runtime = "runc"
[network]
network_backend = "netavark"
`;
/** 127.0.0.0/8 is not trusted without TLS, unlike on Docker; short names are looked for nowhere. */
const REGISTRIES = 'unqualified-search-registries = []\n';

/** @param insecure registries without TLS, as `host:port` */
export async function testPodman(insecure: readonly string[] = []): Promise<Podman> {
  const dir = tempDir();
  const socket = dir.at('podman.sock');
  writeFileSync(dir.at('containers.conf'), CONTAINERS);
  const trusted = insecure.map((location) => `[[registry]]\nlocation = "${location}"\ninsecure = true\n`);
  writeFileSync(dir.at('registries.conf'), [REGISTRIES, ...trusted].join('\n'));
  const env = {
    ...process.env,
    CONTAINERS_CONF: dir.at('containers.conf'),
    CONTAINERS_REGISTRIES_CONF: dir.at('registries.conf'),
  };
  const roots = [`--root=${dir.at('data')}`, `--runroot=${dir.at('run')}`];
  const child = spawn('podman', [...roots, 'system', 'service', '--time=0', `unix://${socket}`], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const host = `unix://${socket}`;
  const dispose = async (): Promise<void> => {
    spawnSync('podman', [...roots, 'rm', '--all', '--force', '--time=0'], { env });
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
    for (const path of mountsBelow(dir.path)) spawnSync('umount', ['--lazy', path]);
    dir[Symbol.dispose]();
  };
  await listening(child, socket).catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  return {
    host,
    engine: () => openEngine({ name: 'podman', host, runners: {} }),
    [Symbol.asyncDispose]: dispose,
  };
}

/** It says nothing when it is ready. */
async function listening(child: ChildProcess, path: string): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
  failed.catch(() => {});
  for (;;) {
    if (child.exitCode !== null) throw new Error(`podman ended: ${said}`);
    const socket = connect(path);
    const open = once(socket, 'connect').then(
      () => true,
      () => false,
    );
    const isOpen = await Promise.race([open, failed]);
    socket.destroy();
    if (isOpen) return;
    await delay(20);
  }
}

function mountsBelow(path: string): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return mounts.filter((mount) => mount.startsWith(`${path}/`)).toReversed();
}

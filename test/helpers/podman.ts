/** Podman of a test's own: its API service, its storage and its networks; it shares nothing with the machine's. Needs root. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, test } from 'vitest';
import { ifThere } from '../../reconciler/drivers/docker/answers.ts';
import { openEngine, type Engine } from '../../reconciler/drivers/docker/engine.ts';
import type { EngineSpec } from '../../reconciler/workload.ts';
import { engineHere } from './engine.ts';
import { isRequired } from './required.ts';
import { clearAway } from './remains.ts';
import { tempDir } from './temp.ts';

export interface Podman extends AsyncDisposable {
  /** For `DOCKER_HOST` and the Engine kind. */
  readonly host: string;
  /** For workloads that shall run there. */
  readonly spec: EngineSpec;
  /** Whoever opens it disposes of it. */
  engine(): Promise<Engine>;
  /** Ends the API service. Podman has no daemon: the containers do not notice. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const PROGRAMS = ['podman', 'runc', 'conmon', 'catatonit'];
const TIMEOUT_MS = 120_000;

/** A `describe` for tests that need Podman and images; skipped with the reason where there is none, unless it is required. */
export function describePodman(name: string, body: (docker: Engine) => void): void {
  const missing = PROGRAMS.filter((program) => spawnSync(program, ['--version']).error !== undefined);
  const reason = missing.length > 0 ? `there is no ${missing.join(', ')}` : undefined;
  const why = reason ?? (engineHere instanceof Error ? engineHere.message : undefined);
  if (why === undefined) describe(name, { timeout: TIMEOUT_MS }, () => body(engineHere as Engine));
  else if (!isRequired('podman')) describe.skip(`${name} (skipped: ${why})`, () => test('needs Podman', () => {}));
  else
    describe(name, () =>
      test('Podman answers', () => {
        throw new Error(`SLIPWAY_REQUIRE asks for podman: ${why}`);
      }),
    );
}

/** @param insecure registries without TLS, as `host:port`: 127.0.0.0/8 is not trusted without, unlike on Docker */
export async function testPodman(insecure: readonly string[] = []): Promise<Podman> {
  const dir = tempDir();
  const host = `unix://${dir.at('podman.sock')}`;
  const spec: EngineSpec = { name: 'podman', host, runners: {} };
  mkdirSync(dir.at('networks'));
  writeFileSync(dir.at('containers.conf'), config(dir.path));
  writeFileSync(dir.at('registries.conf'), registries(insecure));
  // crun refuses hosts with both versions of cgroups; systemd may not be what runs this host.
  const options = ['--cgroup-manager=cgroupfs', '--runtime=runc'];
  const paths = ['root', 'runroot', 'tmpdir'].map((name) => `--${name}=${dir.at(name)}`);
  const argv = ['--log-level=info', ...options, ...paths, 'system', 'service', '--time=0', host];
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = await serve(argv, dir.path);
  };
  const stop = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  const dispose = async (): Promise<void> => {
    await stop();
    clearAway(dir.path);
    dir[Symbol.dispose]();
  };
  await start().catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  return { host, spec, engine: () => openEngine(spec), start, stop, [Symbol.asyncDispose]: dispose };
}

/** Hands an image from one engine to another, without a registry. */
export async function copyImage(from: Engine, to: Engine, tag: string): Promise<void> {
  if (await ifThere(to.docker.getImage(tag).inspect())) return;
  const said = await text(await to.docker.loadImage(await from.docker.getImage(tag).get()));
  if (!(await ifThere(to.docker.getImage(tag).inspect()))) throw new Error(`${tag} was not loaded: ${said}`);
}

/** Limits no higher than this host's, which may not be raised; locks in files, since those in memory are the machine's. */
function config(path: string): string {
  return `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
events_logger = "file"
lock_type = "file"
[network]
network_backend = "netavark"
network_config_dir = "${path}/networks"
`;
}

/** Short names are looked for nowhere. */
function registries(insecure: readonly string[]): string {
  const trusted = insecure.map((location) => `[[registry]]\nlocation = "${location}"\ninsecure = true\n`);
  return ['unqualified-search-registries = []\n', ...trusted].join('\n');
}

async function serve(argv: readonly string[], dir: string): Promise<ChildProcess> {
  const env = {
    ...process.env,
    CONTAINERS_CONF: `${dir}/containers.conf`,
    CONTAINERS_REGISTRIES_CONF: `${dir}/registries.conf`,
  };
  const child = spawn('podman', argv, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`podman ended:\n${lines.slice(-20).join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (line.includes('API service listening')) resolve();
    });
  });
  return child;
}

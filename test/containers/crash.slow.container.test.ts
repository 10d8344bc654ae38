/** Whenever Slipway is killed, its containers serve on, and its next start takes them over and leaves nothing behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { connectHttp } from '../../reconciler/health/http.ts';
import { imageServer, resource } from '../helpers/config.ts';
import { describeEngine, sweep } from '../helpers/engine.ts';
import { serverImage } from '../helpers/images.ts';
import { callTool } from '../helpers/mcp.ts';
import { TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/programs/contain-and-die.ts', import.meta.url));
/** More is a start that never got anywhere. */
const MOST_STEPS = 30;

interface Report {
  readonly version: string;
  readonly eaten: string;
  readonly sessions: string;
  readonly adoptedMs: number;
  readonly web: string;
}

describeEngine('killed at any step of a rollout', async (engine) => {
  const image = await serverImage(engine);

  test(
    'its containers serve on, the next start keeps their sessions, converges, and leaves no orphan',
    {
      timeout: 600_000,
    },
    async () => {
      using repo = configRepo(image);
      const adopted: number[] = [];
      let n = 0;
      for (let finished = false; !finished;) {
        expect(++n).toBeLessThan(MOST_STEPS);
        using dir = tempDir();
        const stateDir = dir.at('state');
        try {
          finished = await runAndDie(stateDir, repo.remote, n);
          const owner = readFileSync(`${stateDir}/owner`, 'utf8');
          expect(await answering(engine, owner), `after step ${n}`).toContain('web');
          adopted.push(await startAgain(engine, stateDir, repo.remote, n));
        } finally {
          if (existsSync(`${stateDir}/owner`)) await sweep(engine, readFileSync(`${stateDir}/owner`, 'utf8'));
        }
      }
      // Of the new one: attach, create, start, publish. Of the old one: idle, stop, remove.
      expect(n).toBeGreaterThan(7);
      // From the start of its process to the answer of a server that was running: 2 s on a quiet machine.
      expect(Math.min(...adopted)).toBeLessThan(15_000);
      if (process.env['SHOW']) console.log(`${n - 1} steps; taken over after ${adopted.join(', ')} ms`);
    },
  );
});

/** Two commits: the second replaces `web`, which is on a network and has a secret as a file; `keeper` stays as it is. */
function configRepo(image: string): TestRepo {
  const repo = new TestRepo();
  const secret = resource('Secret', 'key', { data: { key: { env: 'CRASH_KEY' } } });
  const secretFiles = [{ name: 'key', valueFrom: { secretRef: { name: 'key', key: 'key' } } }];
  for (const version of ['v1', 'v2']) {
    const web = imageServer('web', image, ['http', `version=${version}`], { transport: 'http', secretFiles });
    repo.push({ 'a.yaml': web, 'b.yaml': imageServer('keeper', image), 'c.yaml': secret });
    repo.git('tag', version);
  }
  repo.git('push', '--quiet', '--tags', 'origin');
  return repo;
}

function start(stateDir: string, remote: string, n: number) {
  const env = { ...process.env, CRASH_KEY: 'open sesame' };
  return spawn(process.execPath, [PROGRAM, stateDir, remote, String(n)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** @returns true if it finished before it could die */
async function runAndDie(stateDir: string, remote: string, n: number): Promise<boolean> {
  const child = start(stateDir, remote, n);
  const [, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) expect({ n, code, signal }).toEqual({ n, code: null, signal: 'SIGKILL' });
  return code === 0;
}

/** The servers whose containers run, and answer where they can be asked without Slipway. */
async function answering({ docker }: Engine, owner: string): Promise<string[]> {
  const containers = await docker.listContainers({ filters: { label: [`slipway.owner=${owner}`] } });
  const servers: string[] = [];
  for (const { Labels: labels, NetworkSettings } of containers) {
    const [address] = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
    if (address) {
      const endpoint = { id: '', transport: 'http', address: `http://${address}:8080/mcp` } as const;
      const connection = await connectHttp(endpoint, 'test', AbortSignal.timeout(5000)).catch(() => undefined);
      if (!connection || !/^v[12]$/.test(await callTool(connection, 'version'))) continue;
    }
    servers.push(labels['slipway.server'] ?? '');
  }
  return servers;
}

/** @returns how soon a server that ran all the time answered, in ms since the start of the process */
async function startAgain(engine: Engine, stateDir: string, remote: string, n: number): Promise<number> {
  const child = start(stateDir, remote, 0);
  try {
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`the next start ended with ${code}`))),
    ])) as [string];
    const { web, adoptedMs, ...report } = JSON.parse(line) as Report;
    expect(report, `after step ${n}`).toEqual({ version: 'v2', eaten: '1000', sessions: '1' });
    expect(await left(engine, readFileSync(`${stateDir}/owner`, 'utf8')), `after step ${n}`).toEqual({
      servers: ['keeper', 'web'],
      networks: 1,
      secrets: [web],
    });
    return adoptedMs;
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit').catch(() => {});
  }
}

/** All that carries its owner's marks. */
async function left({ docker }: Engine, owner: string) {
  const filters = { label: [`slipway.owner=${owner}`] };
  const containers = await docker.listContainers({ all: true, filters });
  const networks = await docker.listNetworks({ filters });
  const secrets = readdirSync(`/dev/shm/slipway-${owner.slice(0, 8)}`);
  return {
    servers: containers.map(({ Labels }) => Labels['slipway.server']).toSorted(),
    networks: networks.length,
    secrets,
  };
}

/** Containers that are shut in as an instance's would be, for a test to break out of. */
import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { instanceLabels, type Owner } from '../../reconciler/drivers/docker/labels.ts';
import { collectNetworks, ensureNetwork, type Attachment } from '../../reconciler/drivers/docker/networks.ts';
import { containerOptions } from '../../reconciler/drivers/docker/posture.ts';
import { instanceName, type Workload } from '../../reconciler/workload.ts';
import { sweep } from './engine.ts';
import { nodeImage } from './images.ts';

export interface Box {
  readonly id: string;
  readonly network: Attachment;
  /** Runs a program beside the box's own. */
  run(...argv: string[]): Promise<{ readonly code: number; readonly output: string }>;
  /** Runs JavaScript in the box; what it prints. */
  node(script: string): Promise<string>;
  /** How a connection from the box ends: `connected`, an error code, or ETIMEDOUT. */
  connect(host: string, port: number): Promise<string>;
  address(): Promise<string>;
}

export interface Boxes extends AsyncDisposable {
  readonly owner: Owner;
  /** @param program what runs in it; without one it waits */
  start(workload: Workload, options?: { readonly program?: string; readonly secretsDir?: string }): Promise<Box>;
}

/** An owner of a test's own; everything of it is removed at the end. @param dns name servers of its proxies */
export function boxes(engine: Engine, dns?: readonly string[]): Boxes {
  const owner: Owner = { id: randomBytes(16).toString('hex'), home: '/nowhere' };
  return {
    owner,
    async start(workload, { program = 'setInterval(() => {}, 1e9)', secretsDir } = {}) {
      const image = await nodeImage(engine);
      const network = await ensureNetwork(engine, owner, workload, {
        image: async () => image,
        ...(dns ? { dns } : {}),
      });
      const options = containerOptions({
        id: instanceName(workload, 0),
        workload,
        labels: instanceLabels(owner, workload, 0),
        image,
        env: {},
        entrypoint: ['node', '-e', program],
        network,
        ...(secretsDir === undefined ? {} : { secretsDir }),
        podman: engine.info.podman,
      });
      // Tests of other clones may use the same names.
      const container = await engine.docker.createContainer({ ...options, name: `${options.name}-${owner.id}` });
      await container.start();
      return boxOf(engine, container.id, network);
    },
    async [Symbol.asyncDispose]() {
      await sweepContainers(engine, owner);
      await collectNetworks(engine, owner, []);
      await sweep(engine, owner.id);
    },
  };
}

/** What a server in a box answers, which may have just been started. */
export async function bodyOf(url: string): Promise<string> {
  for (;;) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      const { code = '' } = (error as { cause?: { code?: string } }).cause ?? {};
      // The last two where a port is published: then it is the engine that listens.
      if (!['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'].includes(code)) throw error;
      await delay(20); // Nothing tells when it listens.
    }
  }
}

/** Instances only: their proxies are for `collectNetworks` to remove. */
async function sweepContainers({ docker }: Engine, owner: Owner): Promise<void> {
  const filters = { label: [`slipway.owner=${owner.id}`, 'slipway.replica'] };
  const found = await docker.listContainers({ all: true, filters });
  await Promise.all(found.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
}

function boxOf(engine: Engine, id: string, network: Attachment): Box {
  const container = engine.docker.getContainer(id);
  const run: Box['run'] = async (...argv) => {
    const exec = await container.exec({ Cmd: argv, AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({});
    const out = new PassThrough();
    engine.docker.modem.demuxStream(stream, out, out);
    stream.once('end', () => out.end()).once('close', () => out.end());
    const output = (await Array.fromAsync(out)).join('').trim();
    return { code: (await exec.inspect()).ExitCode ?? -1, output };
  };
  const node: Box['node'] = async (script) => (await run('node', '--input-type=module', '-e', script)).output;
  return {
    id,
    network,
    run,
    node,
    connect: (host, port) => node(CONNECT(host, port)),
    async address() {
      const { NetworkSettings } = await container.inspect();
      return Object.values(NetworkSettings.Networks).find(({ IPAddress }) => IPAddress)?.IPAddress ?? '';
    },
  };
}

const CONNECT = (host: string, port: number): string => `
  const socket = (await import('node:net')).connect({ host: '${host}', port: ${port} });
  const settle = (how) => (console.log(how), process.exit(0));
  socket.on('connect', () => settle('connected')).on('error', (error) => settle(error.code));
  setTimeout(() => settle('ETIMEDOUT'), 4000);`;

/**
 * The way out for servers that may connect to a few places only: one proxy per server and list (`egress-proxy.mjs`). The
 * server's container is linked to it under each allowed name, so that the engine's own name service answers those and no
 * others; the proxy itself, which is not, resolves them to where they really are.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Workload } from '../../workload.ts';
import { ifThere, messageOf, statusOf } from './answers.ts';
import { Demux } from './attach.ts';
import type { Engine } from './engine.ts';
import { LABEL, ownFilter, ownLabels, ROLE, type Owner } from './labels.ts';
import { allowList, outwardNetwork, type NetworkSpec } from './network-plan.ts';
import { hardening } from './posture.ts';

const PROGRAM = new URL('./egress-proxy.mjs', import.meta.url);
/** What the proxy is called on a server's network. */
const PROXY_NAME = 'slipway-egress';
const FIRST_PORT = 3128;
const MEMORY = 64 * 2 ** 20;
/** What the program says once it listens everywhere. */
const READY = 'ready\n';
const READY_MS = 20_000;

/** What proxies are made with. */
export interface ProxySource {
  /** Gives an image with Node, which the engine then has. */
  readonly image: () => Promise<string>;
  /** Name servers. Default: the engine's. */
  readonly dns?: readonly string[];
}

interface Egress {
  readonly links?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Makes the proxy of a workload, unless it runs already as it should; nothing where there is no list.
 * @param network the workload's, which exists @param outward makes the network that leads out
 * @throws SlipwayError isolation-unavailable
 */
export async function connectEgress(
  engine: Engine,
  owner: Owner,
  workload: Workload,
  network: NetworkSpec,
  proxy: ProxySource,
  outward: () => Promise<void>,
): Promise<Egress> {
  const allow = allowList(workload);
  if (!allow) return {};
  await outward();
  const { hosts, port } = placesOf(allow);
  const config = { allow, proxyPort: port };
  await ensureProxy(engine, owner, network.name, proxyOptions(owner, workload, network.name, config, proxy.dns), proxy);
  const names = hosts.filter((host) => !isIP(host));
  const url = `http://${PROXY_NAME}:${port}`;
  return {
    links: [PROXY_NAME, ...names].map((name) => `${network.name}:${name}`),
    // An address without a name is reached by asking for it. Names need no asking, and not every program knows how.
    ...(names.length === hosts.length ? {} : { env: proxyVariables(url) }),
  };
}

function placesOf(allow: readonly string[]): { hosts: string[]; port: number } {
  const entries = allow.map((entry) => {
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(entry) ?? [];
    return { host, port: Number(port) };
  });
  const taken = new Set(entries.map(({ port }) => port));
  let port = FIRST_PORT;
  while (taken.has(port)) port++;
  return { hosts: [...new Set(entries.map(({ host }) => host))], port };
}

function proxyVariables(url: string): Record<string, string> {
  const lower = { http_proxy: url, https_proxy: url, no_proxy: 'localhost,127.0.0.1,::1' };
  const upper = Object.fromEntries(Object.entries(lower).map(([name, value]) => [name.toUpperCase(), value]));
  return { ...lower, ...upper, NODE_USE_ENV_PROXY: '1' };
}

async function ensureProxy(
  { docker }: Engine,
  owner: Owner,
  name: string,
  wanted: Dockerode.ContainerCreateOptions,
  { image }: ProxySource,
): Promise<void> {
  const container = docker.getContainer(name);
  let found = await ifThere(container.inspect());
  if (found && found.Config.Labels[LABEL.owner] !== owner.id)
    throw new SlipwayError('isolation-unavailable', `A container ${name} exists and is not of this Slipway.`);
  if (found && !isSound(found, wanted)) {
    await ifThere(docker.getContainer(found.Id).remove({ force: true }));
    found = undefined;
  }
  if (found?.State.Running && name in found.NetworkSettings.Networks) return;
  try {
    if (!found) await unlessThere(docker.createContainer({ ...wanted, Image: await image() }));
    await onceThere(() => unlessThere(docker.getNetwork(name).connect({ Container: name })));
    await unlessThere(container.start());
    await untilListening(container);
  } catch (error) {
    await container.remove({ force: true }).catch(() => {}); // It may have been made from the wrong image.
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('isolation-unavailable', `The egress proxy ${name} did not start: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

/** A server that is started before its proxy listens would be refused. @throws Error with what the program said instead */
async function untilListening(container: Dockerode.Container): Promise<void> {
  const { State } = await container.inspect();
  const since = Math.floor(Date.parse(State.StartedAt) / 1000);
  const logs = (await container.logs({ follow: true, stdout: true, stderr: true, since })) as unknown as Readable;
  const late = setTimeout(() => logs.destroy(new Error('it does not listen')), READY_MS);
  let said = '';
  const add = (chunk: Buffer): void => void (said += chunk.toString());
  const demux = new Demux({ stdout: add, stderr: add });
  try {
    for await (const chunk of logs) {
      demux.push(chunk as Buffer);
      if (said.includes(READY)) return;
    }
  } finally {
    clearTimeout(late);
    logs.destroy();
  }
  throw new Error(`it ended, saying: ${said.trim().split('\n').slice(-3).join(' / ').slice(-500)}`);
}

/** A name is taken a moment before the container of another pass is there. */
async function onceThere(connect: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect();
    } catch (error) {
      if (attempt === 10 || !/no such container/i.test(messageOf(error))) throw error;
      await delay(50 * attempt);
    }
  }
}

/**
 * Whether it is what is wanted, and runs or is about to. Another version of Slipway may have made it; somebody may have
 * stopped it.
 */
function isSound({ Config, State }: ContainerInspectInfo, wanted: Dockerode.ContainerCreateOptions): boolean {
  const same = JSON.stringify(Config.Cmd) === JSON.stringify(wanted.Cmd);
  const told = wanted.Env?.every((entry) => Config.Env.includes(entry)) === true;
  return same && told && (State.Status === 'created' || State.Status === 'running');
}

/** What is there already (made by a pass at the same time), connected or started is as it should be. */
async function unlessThere(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (![304, 403, 409].includes(statusOf(error) ?? 0)) throw error;
  }
}

function proxyOptions(
  owner: Owner,
  workload: Workload,
  name: string,
  config: { readonly allow: readonly string[]; readonly proxyPort: number },
  dns: readonly string[] | undefined,
): Dockerode.ContainerCreateOptions {
  return {
    name,
    Labels: { ...ownLabels(owner), [LABEL.role]: ROLE.egress, [LABEL.server]: workload.name },
    Entrypoint: ['node'],
    Cmd: ['--input-type=module', '-e', readFileSync(PROGRAM, 'utf8')],
    Env: [`SLIPWAY_EGRESS=${JSON.stringify(config)}`],
    User: '65534:65534',
    WorkingDir: '/',
    HostConfig: {
      ...hardening({ memoryBytes: MEMORY }),
      ReadonlyRootfs: true,
      NetworkMode: outwardNetwork(owner).name,
      ...(dns ? { Dns: [...dns] } : {}),
      Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' }, // It listens on 443, and is nobody.
      // While Slipway is away too; what the engine was told to kill is made anew by `keepNetworks`.
      RestartPolicy: { Name: 'unless-stopped' },
      LogConfig: { Type: 'local', Config: { 'max-size': '1m', 'max-file': '2', compress: 'false' } },
    },
  };
}

/** @returns the names of those that run */
export async function runningProxies(engine: Engine, owner: Owner): Promise<string[]> {
  const running = (await proxies(engine, owner)).filter(({ State }) => State === 'running');
  return running.flatMap(({ Names }) => Names.map((name) => name.replace(/^\//, '')));
}

/** Removes the proxies on a network that nobody else is on. @returns the names of what was removed */
export async function removeProxies(engine: Engine, owner: Owner, network: string): Promise<string[]> {
  const info = (await ifThere(engine.docker.getNetwork(network).inspect())) as Dockerode.NetworkInspectInfo | undefined;
  const own = (await proxies(engine, owner)).filter(({ Names }) => Names.includes(`/${network}`));
  const others = Object.keys(info?.Containers ?? {}).filter((id) => !own.some(({ Id }) => Id === id));
  if (others.length > 0) return [];
  for (const { Id } of own) await ifThere(engine.docker.getContainer(Id).remove({ force: true }));
  return own.map(() => network);
}

const proxies = ({ docker }: Engine, owner: Owner): Promise<Dockerode.ContainerInfo[]> =>
  docker.listContainers({ all: true, filters: { label: [...ownFilter(owner), `${LABEL.role}=${ROLE.egress}`] } });

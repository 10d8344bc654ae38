/** The networks of instances: made when needed, removed when nobody needs them. */
import { setTimeout as delay } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import type { NetworkInspectInfo } from 'dockerode';
import { SlipwayError, toSlipwayError } from '../../../schemas/errors.ts';
import type { Workload } from '../../workload.ts';
import { ifThere, messageOf, statusOf } from './answers.ts';
import { connectEgress, removeProxies, runningProxies, type ProxySource } from './egress.ts';
import type { Engine } from './engine.ts';
import { guardHost } from './host-guard.ts';
import { LABEL, ownFilter, type Owner } from './labels.ts';
import { allowList, bridgeName, networkOf, outwardNetwork, type NetworkSpec } from './network-plan.ts';

/** How a container is connected: what {@link ensureNetwork} found or made. */
export interface Attachment {
  /** `none`, `host`, or the name of a network. */
  readonly network: string;
  /** No name is looked up outside. */
  readonly sealedNames: boolean;
  /** `container:name`: names that only this container resolves. */
  readonly links?: readonly string[];
  /** Variables that tell programs of the proxy. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its port is published on the loopback of the engine's host. */
  readonly published: boolean;
  /** In what it is less shut in than its config asks for, and why. */
  readonly exposed: readonly string[];
}

/**
 * Makes the network that a workload's instances belong on, with all that belongs to it. Idempotent: two at once are fine.
 * @param proxy what the proxy is made with, where there is a list of what may be connected to
 * @throws SlipwayError isolation-unavailable when this engine cannot shut it in as its config asks for
 */
export async function ensureNetwork(
  engine: Engine,
  owner: Owner,
  workload: Workload,
  proxy: ProxySource,
): Promise<Attachment> {
  const spec = networkOf(owner, workload);
  const http = workload.run.transport !== 'stdio';
  mustBePossible(engine, workload, spec);
  const closed = { sealedNames: true, published: false, exposed: [] };
  if (spec === 'none') return { ...closed, network: spec };
  if (spec === 'host') return { ...closed, network: spec, sealedNames: false };
  await ensure(engine, owner, spec);
  return {
    network: spec.name,
    sealedNames: spec.internal,
    published: http && engine.info.reach === 'loopback',
    exposed: await exposedBy(engine, spec),
    ...(await connectEgress(engine, owner, workload, spec, proxy, () => ensure(engine, owner, outwardNetwork(owner)))),
  };
}

async function exposedBy(engine: Engine, spec: NetworkSpec): Promise<string[]> {
  const unguarded = spec.hostAddress ? await guardHost(engine, bridgeName(spec.name)) : undefined;
  return [
    ...(unguarded === undefined ? [] : [`it can connect to services of its host: ${unguarded}`]),
    ...(engine.info.podman && !spec.peers
      ? ['it can connect to servers of its project: Podman does not keep them apart']
      : []),
  ];
}

/** What this engine cannot do is said before anything is made. */
function mustBePossible({ name, info }: Engine, workload: Workload, spec: NetworkSpec | 'none' | 'host'): void {
  const refuse = (message: string, hint: string): never => {
    throw new SlipwayError('isolation-unavailable', message, { hint });
  };
  if (info.podman && allowList(workload))
    refuse(
      'On Podman a server cannot be held to a list of what it may connect to: it has no links between containers.',
      'Use isolation: { egress: none } or { egress: all } there, or a Docker engine.',
    );
  if (workload.run.transport === 'stdio') return;
  if (info.reach === 'none')
    refuse(
      `HTTP servers in containers of the engine ${name} cannot be reached from here: it is on another host.`,
      'Use transport: stdio, which works over the engine’s API, or an engine on this host.',
    );
  if (info.reach === 'loopback' && typeof spec === 'object' && spec.internal)
    refuse(
      `The engine ${name} publishes no port of a network without a way out, and there is no other way to its containers.`,
      'Use transport: stdio, or write isolation: { egress: all }.',
    );
}

/** @throws SlipwayError isolation-unavailable */
async function ensure(engine: Engine, owner: Owner, spec: NetworkSpec): Promise<void> {
  const { docker } = engine;
  const look = async (): Promise<NetworkInspectInfo | undefined> =>
    (await ifThere(docker.getNetwork(spec.name).inspect())) as NetworkInspectInfo | undefined;
  const existing = await look();
  if (existing) return check(existing, owner, spec);
  try {
    await docker.createNetwork(createOptions(spec));
  } catch (error) {
    // Somebody else makes it too: its bridge is taken at once, its name can be seen a moment later.
    for (let turn = 0; turn < LOOKS; turn++) {
      const other = await look();
      if (other) return check(other, owner, spec);
      if (![403, 409].includes(statusOf(error) ?? 0)) break;
      await delay(LOOK_MS);
    }
    throw refusal(engine, spec, error);
  }
}

/** How often, and how far apart, a network that another makes is looked for. */
const LOOKS = 20;
const LOOK_MS = 100;

const ICC = 'com.docker.network.bridge.enable_icc';
const BRIDGE = 'com.docker.network.bridge.name';

function createOptions(spec: NetworkSpec): Dockerode.NetworkCreateOptions {
  return {
    Name: spec.name,
    Driver: 'bridge',
    CheckDuplicate: true,
    Internal: spec.internal,
    EnableIPv6: false,
    Labels: { ...spec.labels },
    Options: {
      [BRIDGE]: bridgeName(spec.name),
      [ICC]: String(spec.peers),
      // Where the host need not reach the containers, it has no address that they could reach.
      ...(spec.hostAddress ? {} : { 'com.docker.network.bridge.inhibit_ipv4': 'true' }),
    },
  };
}

/** Whoever else made a network of that name may have left a way out of it. */
function check(found: NetworkInspectInfo, owner: Owner, spec: NetworkSpec): void {
  const ours = found.Labels?.[LABEL.owner] === owner.id;
  const { Options } = createOptions(spec);
  // Podman does not tell all options.
  const same = [ICC, BRIDGE].every((key) => (found.Options?.[key] ?? Options?.[key]) === Options?.[key]);
  if (ours && same && found.Internal === spec.internal) return;
  const why = ours ? 'was changed by hand' : 'is not of this Slipway';
  throw new SlipwayError('isolation-unavailable', `The network ${spec.name} exists and ${why}.`, {
    hint: `Remove it: docker network rm ${spec.name}`,
  });
}

function refusal(engine: Engine, spec: NetworkSpec, error: unknown): unknown {
  if (statusOf(error) === undefined) return error;
  const said = messageOf(error);
  if (!/address pool|available.*(subnet|address)|subnet.*available/i.test(said))
    return new SlipwayError('isolation-unavailable', `The network ${spec.name} could not be made: ${said}.`, {
      cause: error,
    });
  return new SlipwayError(
    'isolation-unavailable',
    `The engine ${engine.name} has no addresses left for another network (${spec.name}).`,
    {
      cause: error,
      hint: 'Remove networks that nobody uses, or widen default-address-pools in the engine’s daemon.json.',
    },
  );
}

/** A server whose proxy does not run, and why. */
export interface ProxyTrouble {
  readonly server: string;
  readonly message: string;
}

/**
 * Looks after what instances have beside them: sets the rule that keeps this host out of reach again, where it was flushed,
 * and makes proxies anew that do not run. Cheap when all is well.
 * @param workloads that run on this engine
 */
export async function keepNetworks(
  engine: Engine,
  owner: Owner,
  workloads: readonly Workload[],
  proxy: ProxySource,
): Promise<ProxyTrouble[]> {
  const specs = workloads.map((workload) => networkOf(owner, workload)).filter((spec) => typeof spec === 'object');
  if (specs[0]) await guardHost(engine, bridgeName(specs[0].name));
  const listed = workloads.filter((workload) => allowList(workload) !== undefined);
  if (listed.length === 0) return [];
  const running = await runningProxies(engine, owner);
  const lacks = (spec: ReturnType<typeof networkOf>): boolean =>
    typeof spec === 'object' && !running.includes(spec.name);
  const trouble: ProxyTrouble[] = [];
  for (const workload of listed.filter((each) => lacks(networkOf(owner, each))))
    await ensureNetwork(engine, owner, workload, proxy).catch((error: unknown) =>
      trouble.push({ server: workload.name, message: toSlipwayError(error).message }),
    );
  return trouble;
}

/**
 * Removes our networks that no wanted workload belongs on and no container is connected to, and the proxies on them.
 * @returns the names of what was removed
 */
export async function collectNetworks(engine: Engine, owner: Owner, wanted: readonly Workload[]): Promise<string[]> {
  const { docker } = engine;
  const specs = wanted.map((workload) => networkOf(owner, workload)).filter((spec) => typeof spec === 'object');
  const names = new Set(specs.map(({ name }) => name));
  const listed = await docker.listNetworks({ filters: { label: ownFilter(owner) } });
  const unwanted = listed.map(({ Name: name }) => name).filter((name) => !names.has(name));
  const outward = outwardNetwork(owner).name;
  const removed: string[] = [];
  for (const name of unwanted) {
    removed.push(...(await removeProxies(engine, owner, name)));
    if (name !== outward && (await removeIfEmpty(engine, name))) removed.push(name);
  }
  // Last, when the last proxy has left it.
  if (unwanted.includes(outward) && (await removeIfEmpty(engine, outward))) removed.push(outward);
  return removed;
}

async function removeIfEmpty(engine: Engine, name: string): Promise<boolean> {
  try {
    await engine.docker.getNetwork(name).remove();
    return true;
  } catch (error) {
    // Gone already, or in use (403; 500 of Podman): then a later pass finds it.
    if ([403, 404, 409].includes(statusOf(error) ?? 0) || /being used/.test(messageOf(error))) return false;
    throw error;
  }
}

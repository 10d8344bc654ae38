/** What there is to lock: what servers list now, and what exactly runs. */
import { untilAborted } from '../async.ts';
import { toSlipwayError } from '../../schemas/errors.ts';
import type { Grant } from '../../schemas/access.ts';
import type { Offered } from '../../schemas/lock/offer.ts';
import type { Tool } from '../../schemas/snapshot.ts';
import type { Workload } from '../workload.ts';
import { listInstances, type World } from '../world.ts';

/** What a gateway knows of servers' tools. */
export interface Lists {
  /** What a server lists, as far as anybody asked. */
  tools(server: string): readonly Tool[] | undefined;
  /** The same, asked anew. */
  relist(server: string): Promise<readonly Tool[] | undefined>;
}

/** A server that hangs must not hang whoever asks for all of them. */
const PATIENCE_MS = 15_000;

/** Of all servers that the caller may see; tools only of those that it may edit. By name. */
export async function offers(
  world: World,
  lists: Lists | undefined,
  grant: Grant,
  signal: AbortSignal,
): Promise<Offered[]> {
  const { origins } = world.compiled.draft;
  const names = Object.keys(origins).filter((name) => grant.may('view', 'servers', name));
  const instances = Map.groupBy(await listInstances(world, signal), ({ address }) => address);
  const workloads = new Map(world.compiled.workloads.map((workload) => [workload.name, workload]));
  const patient = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const found = names.sort().map(async (server): Promise<Offered> => {
    if (!grant.may('edit', 'servers', server)) return { server, why: 'that needs a role that may edit it' };
    const workload = workloads.get(server);
    const isAwake = !workload || (instances.get(workload.address) ?? []).some(({ state }) => state === 'running');
    const [tools, artifact] = await Promise.all([
      toolsOf(world, lists, { server, workload, isAwake }, patient),
      workload && artifactOf(world, workload, patient),
    ]);
    return { server, ...tools, ...(artifact ? { artifact } : {}) };
  });
  return Promise.all(found);
}

interface Asked {
  readonly server: string;
  readonly workload: Workload | undefined;
  /** Nobody is woken to be asked: what it listed last is as good. */
  readonly isAwake: boolean;
}

async function toolsOf(
  world: World,
  lists: Lists | undefined,
  { server, workload, isAwake }: Asked,
  signal: AbortSignal,
): Promise<Pick<Offered, 'tools' | 'why'>> {
  // Another version may still serve: its tools are not those of the commit.
  const known = workload && readinessOf(world, workload);
  if (workload && !known) return { why: 'the version that the config asks for was not ready yet' };
  const now = isAwake && lists ? untilAborted(lists.relist(server), signal).catch(() => undefined) : undefined;
  const tools = (await now) ?? lists?.tools(server) ?? known?.tools;
  return tools ? { tools } : { why: 'it did not tell' };
}

function readinessOf({ served, applied }: World, { address, hash }: Workload) {
  return [served.get(address)?.readiness, applied.readiness[address]].find((one) => one?.hash === hash);
}

/** An engine that is down says nothing of what it runs: what was accepted must not be lost by that. */
async function artifactOf(world: World, workload: Workload, signal: AbortSignal): Promise<Offered['artifact']> {
  try {
    const asked = world.drivers.get(workload.driver)?.artifact?.(workload, signal);
    return asked && (await untilAborted(asked, signal));
  } catch (error) {
    world.log('debug', `what runs for ${workload.name} cannot be told: ${toSlipwayError(error).message}`);
    return 'unknown';
  }
}

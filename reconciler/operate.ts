/** What operators ask of the drivers. Nothing here is part of a pass. */
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import type { Level } from '../schemas/log.ts';
import type { OrphanRow, PruneRequest, PruneResult, Stats, Usage } from '../schemas/operate.ts';
import { untilAborted } from './async.ts';
import type { Driver } from './drivers/driver.ts';
import { listInstances, type World } from './world.ts';

/** An engine that hangs must not hang whoever looks. */
const PATIENCE_MS = 10_000;

/** What every instance uses, as far as its driver can measure it. */
export async function usageOf(world: World, signal: AbortSignal): Promise<Usage> {
  const [instances, stats] = await Promise.all([listInstances(world, signal), statsOf(world, signal)]);
  return {
    at: performance.now(),
    instances: instances.map(({ id, address, state, restarts }) => {
      const found = stats.get(id);
      return { id, address, state, restarts, ...(found ? { stats: found } : {}) };
    }),
  };
}

/** By instance. */
export async function statsOf(world: World, signal: AbortSignal): Promise<ReadonlyMap<string, Stats>> {
  const all = await ofEach(world, signal, 'debug', async (driver, patient) => (await driver.stats?.(patient)) ?? []);
  return new Map(all.map(({ id, ...stats }) => [id, stats]));
}

/** What other Slipways left, oldest first. */
export async function orphansOf(world: World, signal: AbortSignal): Promise<OrphanRow[]> {
  const all = await ofEach(world, signal, 'warn', async (driver, patient) =>
    ((await driver.orphans?.(patient)) ?? []).map((orphan) => ({ driver: driver.name, ...orphan })),
  );
  return all.sort((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt));
}

/** What a driver cannot tell now (its engine is away, say) does not keep back what the others can. */
async function ofEach<T>(
  { drivers, log }: World,
  signal: AbortSignal,
  level: Level,
  ask: (driver: Driver, signal: AbortSignal) => Promise<T[]>,
): Promise<T[]> {
  const patient = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const lists = await Promise.all(
    [...drivers.values()].map(async (driver) => {
      try {
        return await untilAborted(ask(driver, patient), patient);
      } catch (error) {
        log(level, `the driver ${driver.name} could not be asked: ${toSlipwayError(error).message}`);
        return [];
      }
    }),
  );
  return lists.flat();
}

/** @throws SlipwayError not-found where an id names no orphan */
export async function prune(world: World, wish: PruneRequest, signal: AbortSignal): Promise<PruneResult> {
  const { chosen, kept } = choose(await orphansOf(world, signal), wish);
  if (wish.dryRun) return { removed: chosen.map(({ id }) => id), kept };
  const byDriver = Map.groupBy(chosen, ({ driver }) => driver);
  const results = await Promise.all(
    [...byDriver].map(async ([name, orphans]): Promise<PruneResult> => {
      const ids = orphans.map(({ id }) => id);
      try {
        const removed = (await world.drivers.get(name)?.prune?.(ids, signal)) ?? [];
        const left = ids.filter((id) => !removed.includes(id));
        return { removed, kept: left.map((id) => ({ id, reason: 'it could not be removed' })) };
      } catch (error) {
        const reason = toSlipwayError(error).message;
        return { removed: [], kept: ids.map((id) => ({ id, reason })) };
      }
    }),
  );
  return {
    removed: results.flatMap(({ removed }) => removed),
    kept: [...kept, ...results.flatMap((result) => result.kept)],
  };
}

/** Another Slipway's good instances are not ours to judge: what may be alive is removed only where its owner is named. */
function choose(
  orphans: readonly OrphanRow[],
  { ids, owner }: PruneRequest,
): { chosen: OrphanRow[]; kept: PruneResult['kept'] } {
  const unknown = ids.filter((id) => !orphans.some((orphan) => orphan.id === id));
  if (unknown.length > 0)
    throw new SlipwayError('not-found', `There is no orphan ${unknown.join(', ')}.`, {
      hint: 'See `slipway get orphans`.',
    });
  const named = orphans.filter(
    (orphan) => (ids.length === 0 || ids.includes(orphan.id)) && (owner === undefined || orphan.owner === owner),
  );
  const chosen = named.filter((orphan) => orphan.dead || orphan.owner === owner);
  const kept = named
    .filter((orphan) => !chosen.includes(orphan))
    .map(({ id, owner: whose }) => ({ id, reason: `its Slipway may be alive; to remove it, say --owner ${whose}` }));
  return { chosen, kept };
}

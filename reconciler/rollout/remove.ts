/** How instances that are no longer wanted come to their end: when no call runs on them any more, or its time is up. */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { pause, untilAborted } from '../async.ts';
import type { Driver } from '../drivers/driver.ts';
import type { Traffic } from '../publish.ts';

type Drivers = ReadonlyMap<string, Driver>;

/** Waits for the calls on these instances, no longer than `ms`, then removes them. They must not be published any more. */
export async function drainAndRemove(
  drivers: Drivers,
  ids: readonly string[],
  { traffic, ms, signal }: { traffic: Traffic; ms: number; signal: AbortSignal },
): Promise<void> {
  if (ids.length === 0) return;
  const idle = [...drivers.values()].flatMap((driver) => ids.map((id) => driver.idle?.(id, signal)));
  await within(ms, Promise.all([traffic.idle(ids), ...idle]), signal);
  await removeAll(drivers, ids);
}

/**
 * Not aborted by anything: an instance that is half removed is worse than a pass that ends a moment later. Every driver
 * is asked, because the workload may have moved to another; that one does not know an instance is no error.
 * @throws SlipwayError remove-failed, after each was tried
 */
export async function removeAll(drivers: Drivers, ids: readonly string[]): Promise<void> {
  const { signal } = new AbortController();
  const removals = [...drivers.values()].flatMap((driver) => ids.map((id) => driver.remove(id, signal)));
  const failed = (await Promise.allSettled(removals)).find((removal) => removal.status === 'rejected');
  if (failed)
    throw new SlipwayError('remove-failed', `Not removed: ${toSlipwayError(failed.reason).message}`, {
      cause: failed.reason,
    });
}

/** Waits for `promise`, but no longer than `ms`. */
async function within(ms: number, promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  try {
    await untilAborted(Promise.race([promise, pause(ms, done.signal)]), signal);
  } finally {
    done.abort();
  }
}

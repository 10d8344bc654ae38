/** What the source says now, if it would be applied. */
import { preview } from './preview.ts';
import { readFloor } from './trust/floor.ts';
import { observe, type World } from './world.ts';

/**
 * A bad commit must not stop the rollout of a good one: only what can be applied may interrupt.
 * @returns its id; undefined where it would be refused or blocked
 */
export async function nextAcceptable(world: World, signal: AbortSignal): Promise<string | undefined> {
  try {
    const [floor, actual] = await Promise.all([readFloor(world.floor), observe(world, signal)]);
    const { revision, issues, plan } = await preview(world.source, actual, world.cache, signal, { floor });
    return issues.length === 0 && plan?.guards.length === 0 ? revision.id : undefined;
  } catch {
    return undefined; // It cannot be had, or is not trusted, so the pass for it will say why, after the one that runs.
  }
}

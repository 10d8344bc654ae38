/** Whether what the source says now would be applied if it were asked for. */
import { preview } from './preview.ts';
import { readFloor } from './trust/floor.ts';
import { observe, type World } from './world.ts';

/** A bad commit must not stop the rollout of a good one: only what can be applied may interrupt. */
export async function isAcceptable(world: World, signal: AbortSignal): Promise<boolean> {
  try {
    const [floor, actual] = await Promise.all([readFloor(world.floor), observe(world, signal)]);
    const { issues, plan } = await preview(world.source, actual, world.cache, signal, { floor });
    return issues.length === 0 && plan?.guards.length === 0;
  } catch {
    return false; // It cannot be had, or is not trusted, so the pass for it will say why, after the one that runs.
  }
}

/** Removes what no wanted workload needs any more: networks, images, secrets in memory. */
import { instanceNames, type Workload } from '../../workload.ts';
import type { Engines } from './engines.ts';
import type { Images } from './images.ts';
import type { Owner } from './labels.ts';
import { collectNetworks } from './networks.ts';
import { sweepSecretFiles } from './secret-files.ts';

export interface Collection {
  readonly engines: Engines;
  readonly owner: Owner;
  readonly images: Images;
  /** Ids of the instances that are there, wanted or not. */
  readonly there: () => readonly string[];
}

/** @param wanted of all drivers @returns what was removed */
export async function collect(
  { engines, owner, images, there }: Collection,
  wanted: readonly Workload[],
  signal: AbortSignal,
): Promise<string[]> {
  const removed: string[] = [];
  const ours = wanted.filter((workload) => workload.driver === 'docker');
  for (const engine of await engines.opened()) {
    const here = ours.filter((workload) => (workload.engine?.name ?? 'default') === engine.name);
    removed.push(...(await collectNetworks(engine, owner, here)));
    removed.push(...(await images.collect(engine, here, signal)));
  }
  // Where an engine is away, nobody knows what still runs there and reads its secrets.
  if (await engines.complete()) await sweepSecretFiles(owner, [...there(), ...ours.flatMap(instanceNames)]);
  return removed;
}

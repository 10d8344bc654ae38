/** Who waits for whom. Pure. */
import type { Workload } from '../workload.ts';

type Waiting = Pick<Workload, 'address' | 'dependsOn'>;

/**
 * The addresses that each of the workloads waits for. One commit has no circles, but what is good comes from several: a
 * version that stayed behind may wait for one that waits for it. What closes such a circle is not waited for.
 */
export function dependenciesOf(workloads: readonly Waiting[]): ReadonlyMap<string, readonly string[]> {
  const byAddress = new Map(workloads.map((workload) => [workload.address, workload]));
  const result = new Map<string, readonly string[]>();
  const walk = ({ address, dependsOn }: Waiting, trail: ReadonlySet<string>): void => {
    if (result.has(address)) return;
    const path = new Set([...trail, address]);
    const wanted = dependsOn.filter((one) => byAddress.has(one) && !path.has(one));
    for (const one of wanted) walk(byAddress.get(one) as Waiting, path);
    result.set(address, wanted);
  };
  for (const workload of workloads) walk(workload, new Set());
  return result;
}

/** The other way round: the addresses that wait for each. */
export function dependentsOf(workloads: readonly Waiting[]): ReadonlyMap<string, readonly string[]> {
  const pairs = [...dependenciesOf(workloads)].flatMap(([address, wanted]) => wanted.map((one) => ({ one, address })));
  return new Map(
    [...Map.groupBy(pairs, ({ one }) => one)].map(([one, list]) => [one, list.map(({ address }) => address)]),
  );
}

/** What stories about rollouts have in common. */
import type { Workload } from '../../../reconciler/workload.ts';
import type { Rig } from '../../helpers/rig.ts';

/** The version that serves, as `memoryServer` was given it. */
export function goodVersion(rig: Rig, name = 'tiny'): string | undefined {
  const workload = rig.reconciler.world.applied.good[`Server/${name}`];
  return workload && versionOf(workload);
}

export function versionOf({ run: { program } }: Workload): string | undefined {
  return program.type === 'command' ? program.argv[1] : undefined;
}

export function trialsOf(rig: Rig): string[] {
  return Object.keys(rig.reconciler.world.applied.trials);
}

/** The instances of a server, by id. */
export async function instancesOf(rig: Rig, name = 'tiny'): Promise<string[]> {
  const instances = await rig.memory.list(new AbortController().signal);
  return instances.filter(({ address }) => address === `Server/${name}`).map(({ id }) => id);
}

/** More failed calls than any version on trial may have. */
export async function failCalls(rig: Rig, name = 'tiny'): Promise<void> {
  for (let count = 0; count < 44; count++) await rig.call(name, 'nope').catch(() => {});
}

/** Waits until the signal ends it, as an engine does that is slow. */
export function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
}

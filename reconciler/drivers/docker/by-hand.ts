/** What somebody else did to a container of ours, as the engine's events tell it. Pure. */
import type { ContainerInspectInfo } from 'dockerode';
import type { Workload } from '../../workload.ts';
import { hardening } from './posture.ts';

export const REMOVED = 'its container was removed by hand';

/** What an event means for a container that we did not touch ourselves. */
const MEANING: Readonly<Record<string, string>> = {
  stop: 'it was stopped by hand',
  destroy: REMOVED,
  pause: 'it was paused by hand',
};

export function meaningOf(action: string): string | undefined {
  return MEANING[action];
}

/** What `docker update` can change. @returns how they differ from what was asked for */
export function changedLimits({ run }: Workload, { HostConfig: now }: ContainerInspectInfo): string[] {
  const wanted = hardening({ ...run.resources, ...(run.isolation ? { isolation: run.isolation } : {}) });
  const pairs = [
    ['memory limit', now.Memory, wanted.Memory],
    ['CPU limit', now.NanoCpus, wanted.NanoCpus],
    ['limit of processes', now.PidsLimit, wanted.PidsLimit],
  ] as const;
  const limits = pairs.filter(([, is, should]) => (is ?? 0) !== (should ?? 0));
  const { Name: restart = 'no' } = now.RestartPolicy ?? {};
  return [
    ...limits.map(([what, is]) => `its ${what} was changed by hand to ${is}`),
    ...(['', 'no'].includes(restart) ? [] : [`its restart policy was changed by hand to ${restart}`]),
  ];
}

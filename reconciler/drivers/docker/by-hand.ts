/** What somebody else did to a container of ours, as the engine's events tell it. Pure. */
import type { ContainerInspectInfo } from 'dockerode';
import type { Workload } from '../../workload.ts';
import { hardening } from './posture.ts';

/** What an event means for a container that we did not touch ourselves. */
const MEANING: Readonly<Record<string, string>> = {
  stop: 'it was stopped by hand',
  destroy: 'its container was removed by hand',
  pause: 'it was paused by hand',
};

export function meaningOf(action: string): string | undefined {
  return MEANING[action];
}

/** Limits that `docker update` can change. @returns how they differ from what was asked for */
export function changedLimits({ run }: Workload, { HostConfig: now }: ContainerInspectInfo): string[] {
  const wanted = hardening({ ...run.resources, ...(run.isolation ? { isolation: run.isolation } : {}) });
  const pairs = [
    ['memory limit', now.Memory, wanted.Memory],
    ['CPU limit', now.NanoCpus, wanted.NanoCpus],
    ['limit of processes', now.PidsLimit, wanted.PidsLimit],
  ] as const;
  return pairs
    .filter(([, is, should]) => is !== should)
    .map(([what, is]) => `its ${what} was changed by hand to ${is}`);
}

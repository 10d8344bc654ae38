/** What an engine tells of itself, and what follows: how its containers are reached, and what it cannot keep them from. */
import type { ContainerInspectInfo } from 'dockerode';
import type { Workload } from '../../workload.ts';
import { containerPort } from './posture.ts';

/**
 * `address`: at the container's own address. `loopback`: only at a port published on 127.0.0.1, because the containers live
 * in a virtual machine or in a user's network. `none`: the engine is on another host.
 */
export type Reach = 'address' | 'loopback' | 'none';

/** Of `GET /info`; what is absent is as it should be. */
export interface SystemInfo {
  readonly OperatingSystem?: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly MemoryLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly PidsLimit?: boolean;
}

export function reachOf(host: string, info: SystemInfo, platform: NodeJS.Platform = process.platform): Reach {
  const { protocol, hostname } = new URL(host);
  if (protocol === 'tcp:' && /^(localhost|127\.[0-9.]+|\[::1\])$/.test(hostname)) return 'loopback';
  if (protocol !== 'unix:') return 'none';
  const rootless = (info.SecurityOptions ?? []).some((option) => option.includes('name=rootless'));
  const virtual = platform !== 'linux' || info.OperatingSystem === 'Docker Desktop';
  return rootless || virtual ? 'loopback' : 'address';
}

/** Limits that a kernel or a rootless engine lacks are left out without an error: so they are told. */
export function weaknessesOf(info: SystemInfo): string[] {
  const filtered = (info.SecurityOptions ?? []).some((option) => option.startsWith('name=seccomp'));
  return [
    ...(info.MemoryLimit === false ? ['its memory is not limited: its engine cannot do that'] : []),
    ...(info.CpuCfsQuota === false ? ['its processor time is not limited: its engine cannot do that'] : []),
    ...(info.PidsLimit === false ? ['its processes are not limited: its engine cannot do that'] : []),
    ...(filtered ? [] : ['its system calls are not filtered: its engine has no seccomp']),
  ];
}

/** The URL of an HTTP instance; nothing while its container does not run. */
export function endpointOf(workload: Workload, info: ContainerInspectInfo): string | undefined {
  if (!info.State.Running) return undefined;
  const port = containerPort(workload);
  const path = workload.run.http?.path ?? '/mcp';
  if (info.HostConfig.NetworkMode === 'host') return `http://127.0.0.1:${port}${path}`;
  const published = info.NetworkSettings.Ports?.[`${port}/tcp`]?.[0]?.HostPort;
  if (published) return `http://127.0.0.1:${published}${path}`;
  const addresses = Object.values(info.NetworkSettings.Networks ?? {}).map(({ IPAddress }) => IPAddress);
  const address = addresses.find(Boolean);
  return address && `http://${address}:${port}${path}`;
}

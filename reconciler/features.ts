/** What a workload has of its host beyond what is safe, and whether that is allowed. Pure; knows no kind and no driver. */
import type { Feature } from '../schemas/kinds/policy.ts';
import type { Workload } from './workload.ts';

/** Servers, by patterns of their names, and the features they may have. */
export interface Allowance {
  readonly servers: readonly string[];
  readonly features: readonly Feature[];
}

export interface Use {
  readonly feature: Feature;
  /** The field that asks for it: `spec.isolation.mounts[0]`. */
  readonly path: string;
  /** What it is, for people. */
  readonly what: string;
}

/** Where the sockets of container engines are. A `*` stands for one folder. */
const SOCKETS = [
  '/run/docker.sock',
  '/run/podman/podman.sock',
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/run/user/*/docker.sock',
  '/run/user/*/podman/podman.sock',
];
/** `/var/run` is `/run`: a link on the systems of today, a folder on older ones. */
const ENGINE_SOCKETS = [...SOCKETS, ...SOCKETS.map((path) => `/var${path}`)];

/** All that the workload has and that must be allowed. */
export function featuresOf({ run: { isolation }, engine }: Pick<Workload, 'run' | 'engine'>): Use[] {
  if (!isolation) return [];
  const { privileged, hostNetwork, hostPid, devices = [], capabilities = [], mounts = [] } = isolation;
  const use = (feature: Feature, field: string, what: string): Use => ({
    feature,
    path: `spec.isolation.${field}`,
    what,
  });
  return [
    ...(privileged ? [use('privileged', 'privileged', 'all rights on the host')] : []),
    ...(hostNetwork ? [use('hostNetwork', 'hostNetwork', 'the host’s network')] : []),
    ...(hostPid ? [use('hostPid', 'hostPid', 'the host’s processes')] : []),
    ...devices.map((device, at) => use('devices', `devices[${at}]`, `the device ${device}`)),
    ...capabilities.map((name, at) => use('capabilities', `capabilities[${at}]`, `the capability ${name}`)),
    ...mounts.map(({ host }, at) =>
      holdsEngineSocket(host, engine?.host)
        ? use('engineSocket', `mounts[${at}]`, `${host}, and with it the container engine and all that it runs`)
        : use('mounts', `mounts[${at}]`, `${host} of the host`),
    ),
  ];
}

export function isAllowed(server: string, feature: Feature, allowances: readonly Allowance[]): boolean {
  return allowances.some(
    ({ servers, features }) => features.includes(feature) && servers.some((pattern) => matches(pattern, server)),
  );
}

function matches(pattern: string, name: string): boolean {
  const source = pattern.replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}

/** Whoever can speak to an engine is root on its host: its socket, and every folder that it can be reached through. */
function holdsEngineSocket(path: string, engineHost: string | undefined): boolean {
  const mounted = partsOf(path);
  if (/^(docker|podman|containerd|crio)\.sock$/.test(mounted.at(-1) ?? '')) return true;
  const own = engineHost?.startsWith('unix://') ? [engineHost.slice('unix://'.length)] : [];
  return [...ENGINE_SOCKETS, ...own].map(partsOf).some((socket) => isAtOrAbove(mounted, socket));
}

/** The names in a path: with a slash more or less it is the same path. */
const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '');

function isAtOrAbove(folder: readonly string[], path: readonly string[]): boolean {
  return folder.length <= path.length && folder.every((part, at) => path[at] === '*' || path[at] === part);
}

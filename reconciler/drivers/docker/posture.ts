/**
 * How a container is shut in. Pure. What a workload's `isolation` leaves out is as tight as an engine can make it; every
 * loosening is one that was written down, and {@link exposures} tells it back.
 */
import type Dockerode from 'dockerode';
import type { Isolation, Workload } from '../../workload.ts';
import type { Attachment } from './networks.ts';

export interface ContainerRequest {
  readonly id: string;
  readonly workload: Workload;
  readonly labels: Readonly<Record<string, string>>;
  /** Id or reference of an image that the engine has. */
  readonly image: string;
  /** With secrets; takes precedence over what is given to every container. */
  readonly env: Readonly<Record<string, string>>;
  /** Absent: the image's own. */
  readonly entrypoint?: readonly string[];
  readonly args?: readonly string[];
  readonly network: Attachment;
  /** Directory of the engine's host that becomes `/run/secrets`. */
  readonly secretsDir?: string;
  /** Folders that the image declares as volumes. */
  readonly volumes?: readonly string[];
  readonly podman?: boolean;
}

const MiB = 2 ** 20;
/** nobody: owns no file of an image, and is nobody of the host either. */
const NOBODY = '65534:65534';
const DEFAULT_MEMORY = 512 * MiB;
const DEFAULT_CPU = 0.5;
const DEFAULT_PIDS = 128;
const DEFAULT_TMP = 64 * MiB;
/** /dev/shm cannot be made read-only; a browser that needs more lists it in `writable`. */
const SHM = 16 * MiB;
const ULIMITS = [
  { Name: 'core', Soft: 0, Hard: 0 }, // A core dump would bring secrets to disk.
  { Name: 'nofile', Soft: 16_384, Hard: 16_384 },
];
const DEFAULT_PORT = 8080;
const SECRETS_PATH = '/run/secrets';

/** The port that an HTTP server listens on in its container; it is told as PORT. */
export function containerPort({ run }: Workload): number {
  return run.http?.port ?? DEFAULT_PORT;
}

export function containerOptions(request: ContainerRequest): Dockerode.ContainerCreateOptions {
  const { id, workload, network, podman = false } = request;
  const { run } = workload;
  const isolation = run.isolation ?? {};
  const stdio = run.transport === 'stdio';
  const user = userOf(isolation);
  return {
    name: id,
    Image: request.image,
    Labels: { ...request.labels },
    Env: envOf(request),
    ...(request.entrypoint ? { Entrypoint: [...request.entrypoint] } : {}),
    ...(request.args ? { Cmd: [...request.args] } : {}),
    ...(user === undefined ? {} : { User: user }),
    // One client that goes away must not end the server: StdinOnce would close its stdin.
    ...(stdio ? { OpenStdin: true, StdinOnce: false } : {}),
    AttachStdin: stdio,
    AttachStdout: stdio,
    AttachStderr: stdio,
    Tty: false,
    ...ports(workload, network),
    HostConfig: {
      ...hardening({ ...run.resources, isolation, podman }),
      ...files(request),
      NetworkMode: network.network,
      ...(network.sealedNames ? SEALED_NAMES : {}),
      ...published(workload, network),
      RestartPolicy: { Name: 'no' }, // Slipway restarts, with back-off and a reason.
      LogConfig: logs(podman),
    },
    ...(network.links ? { NetworkingConfig: linked(network) } : {}),
  };
}

/**
 * Lookups of names that the engine does not know itself end in the container: a name can carry data out. Engines before 26
 * ask the host's resolver even from internal networks (CVE-2024-29018). No search domains either: they tell of the host. And
 * no long wait for an answer that does not come.
 */
const SEALED_NAMES = { Dns: ['127.0.0.1'], DnsSearch: ['.'], DnsOptions: ['timeout:1', 'attempts:1'] };

/** @returns undefined for the image's own user. A uid alone would come with group root. */
function userOf({ user = NOBODY }: Isolation): string | undefined {
  if (user === 'image') return undefined;
  return user.includes(':') ? user : `${user}:${user}`;
}

interface Limits {
  readonly memoryBytes?: number;
  readonly cpu?: number;
  readonly isolation?: Isolation;
  readonly podman?: boolean;
}

/** Rights and limits, of servers and of what Slipway itself runs beside them. */
export function hardening(limits: Limits): Dockerode.HostConfig {
  const { memoryBytes = DEFAULT_MEMORY, cpu = DEFAULT_CPU, isolation = {}, podman = false } = limits;
  const { privileged = false, capabilities = [], devices = [], hostPid = false, pids = DEFAULT_PIDS } = isolation;
  return {
    Privileged: privileged,
    CapDrop: ['ALL'],
    CapAdd: [...capabilities],
    SecurityOpt: ['no-new-privileges'], // A setuid program in an image must not give rights back.
    ...(devices.length > 0 ? { Devices: devices.map(device) } : {}),
    ...(hostPid ? { PidMode: 'host' } : {}),
    IpcMode: 'private',
    Init: !hostPid, // Reaps orphans and hands signals on: most programs do neither as process 1.
    Memory: memoryBytes,
    MemorySwap: memoryBytes, // The same: no swap, which would only make a leak slow.
    NanoCpus: Math.round(cpu * 1e9),
    PidsLimit: pids,
    // Podman has its own in containers.conf, all of which one of ours would replace by more than it may set.
    ...(podman ? {} : { Ulimits: ULIMITS }),
    ShmSize: SHM,
  };
}

const device = (path: string) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rw' });

function files({ workload, secretsDir, volumes = [], podman = false }: ContainerRequest): Dockerode.HostConfig {
  const isolation = workload.run.isolation ?? {};
  const { readOnlyRoot = true, writable = [], mounts = [] } = isolation;
  const secrets = secretsDir === undefined ? [] : [{ host: secretsDir, path: SECRETS_PATH, readOnly: true }];
  return {
    ReadonlyRootfs: readOnlyRoot,
    Tmpfs: Object.fromEntries(
      // A volume would be room on the host's disk, without a limit.
      [...volumes.filter((path) => !mounts.some((mount) => mount.path === path)), '/tmp', ...writable].map((path) => [
        path,
        tmpfs(isolation, podman),
      ]),
    ),
    // As mounts, not binds: an engine makes what is missing of a bind, as a directory of root's.
    Mounts: [...mounts, ...secrets].map(({ host, path, readOnly }) => ({
      Type: 'bind',
      Source: host,
      Target: path,
      ReadOnly: readOnly,
      BindOptions: { Propagation: 'rprivate' },
    })),
  };
}

/**
 * noexec, as engines do by default: what a server was made to download is not run by name. Programs that unpack themselves
 * before they run need readOnlyRoot: false and a TMPDIR on it.
 */
function tmpfs(isolation: Isolation, podman: boolean): string {
  const [uid, gid] = userOf(isolation)?.split(':') ?? [];
  // runc gives it the mode of the image's own folder, whatever is asked for: so it must belong to the user. Podman, which
  // does not know these options, keeps the mode.
  const owned = podman || uid === undefined ? '' : `,uid=${uid},gid=${gid}`;
  return `rw,noexec,nosuid,nodev,size=${isolation.tmpBytes ?? DEFAULT_TMP},mode=1777${owned}`;
}

function envOf({ env, workload, network }: ContainerRequest): string[] {
  const { transport, isolation } = workload.run;
  const given = {
    // nobody has no home, and a read-only root no place for one.
    ...(isolation?.user === 'image' ? {} : { HOME: '/tmp' }),
    ...(transport === 'stdio' ? {} : { PORT: String(containerPort(workload)), HOST: '0.0.0.0' }),
    ...network.env,
    ...env,
  };
  return Object.entries(given).map(([name, value]) => `${name}=${value}`);
}

/** What a container printed is kept for a reconnect, and for `logs`, in two files of 16 MiB. */
function logs(podman: boolean): Dockerode.HostConfig['LogConfig'] {
  if (podman) return { Type: 'k8s-file', Config: { 'max-size': '16m' } };
  // Not `local`: engines of today lose the ends of lines over 16 KiB there, and with them the messages around.
  return { Type: 'json-file', Config: { 'max-size': '16m', 'max-file': '2' } };
}

const portKey = (workload: Workload): string => `${containerPort(workload)}/tcp`;

function ports(workload: Workload, { published: wanted }: Attachment): Dockerode.ContainerCreateOptions {
  return wanted ? { ExposedPorts: { [portKey(workload)]: {} } } : {};
}

/** On loopback only: a port on all addresses would be a server without a gateway. */
function published(workload: Workload, { published: wanted }: Attachment): Dockerode.HostConfig {
  return wanted ? { PortBindings: { [portKey(workload)]: [{ HostIp: '127.0.0.1', HostPort: '' }] } } : {};
}

const linked = ({ network, links }: Attachment) => ({
  EndpointsConfig: { [network]: { Links: [...(links ?? [])] } },
});

/** In what a workload is less shut in than it could be, because its config says so. */
export function exposures({ run }: Workload): string[] {
  const isolation = run.isolation ?? {};
  const { egress, user, writable = [], capabilities = [], devices = [], mounts = [] } = isolation;
  const said: (string | false | undefined)[] = [
    isolation.privileged && 'it has all rights on the host (privileged)',
    isolation.hostNetwork && 'it uses the host’s own network (hostNetwork)',
    isolation.hostPid && 'it sees the host’s processes (hostPid)',
    ...capabilities.map((name) => `it keeps the capability ${name}`),
    ...devices.map((path) => `it may use the device ${path}`),
    ...mounts.map(({ host, readOnly }) => `it can ${readOnly ? 'read' : 'change'} ${host} of the host`),
    user === 'image' && 'it runs as the user of its image',
    user !== undefined && /^0(:|$)/.test(user) && 'it runs as root in its container',
    isolation.readOnlyRoot === false && 'it can change its root file system',
    ...writable.map((path) => `it can write to ${path}, in memory`),
    egress === 'all' && 'it may connect to everything but this host',
    typeof egress === 'object' && `it may connect to ${egress.allow.join(', ')}`,
  ];
  return said.filter((entry) => typeof entry === 'string');
}

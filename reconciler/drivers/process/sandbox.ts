/**
 * The sandbox of a process, made by bubblewrap: a root file system of its own with nothing in it but the system's
 * programs, the server's own package or working directory and Node; namespaces of its own; no capabilities; nobody's uid
 * where Slipway is root. What is decided and the argv are pure; only {@link sandboxMaker} looks at the host.
 */
import { execFile } from 'node:child_process';
import { lstatSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SlipwayError } from '../../../schemas/errors.ts';
import { SECRETS_DIR } from '../../secrets/files.ts';
import type { Isolation, RunSpec } from '../../workload.ts';
import { findProgram } from './environment.ts';

/** Who sandboxed processes are where Slipway is root; elsewhere they keep Slipway's own uid. */
export const NOBODY = 65_534;

const DEFAULT_PIDS = 128;
const DEFAULT_TMP_BYTES = 64 * 1024 * 1024;
const OPEN_FILES = 4096;

/** The system's programs and libraries. Links among them (`/bin` → `usr/bin`) stay links. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/nix/store'];

/** What programs need of /etc to resolve names, check certificates and load libraries. No keys, no settings of services. */
const ETC =
  'alternatives crypto-policies gai.conf group host.conf hosts ld.so.cache ld.so.conf ld.so.conf.d localtime mime.types nsswitch.conf passwd pki/ca-trust pki/tls/certs pki/tls/openssl.cnf protocols resolv.conf services ssl/certs ssl/openssl.cnf'
    .split(' ')
    .map((name) => `/etc/${name}`);

/** What this host has for making sandboxes. */
export interface Sandbox {
  readonly bwrap: string;
  readonly prlimit: string;
  /** Where Slipway is root: how it becomes nobody. */
  readonly asNobody?: { readonly setpriv: string; readonly unshare: string };
  /** Of {@link SYSTEM}, those that exist: path → target of the link, or undefined for a directory. */
  readonly system: Readonly<Record<string, string | undefined>>;
}

/** Whether a process is shut in, and in what it is less so than was asked for. */
export interface Verdict {
  readonly sandboxed: boolean;
  /** Undefined where nothing was asked for. */
  readonly exposed?: readonly string[];
}

/**
 * @param host the sandboxes of this host, or why it has none
 * @throws SlipwayError isolation-unavailable: what was asked for cannot be had, and less would be unsafe
 */
export function judge(run: RunSpec, host: Sandbox | string): Verdict {
  const { isolation, resources } = run;
  const { sandbox = 'off', ...rest } = isolation ?? {};
  const limits = Object.keys(resources ?? {}).map((name) => `resources.${name.replace('Bytes', '')}`);
  if (sandbox === 'off') {
    const unenforced = [...Object.keys(rest).map((name) => `isolation.${name.replace('Bytes', '')}`), ...limits];
    if (unenforced.length === 0) return { sandboxed: false };
    return { sandboxed: false, exposed: [`without a sandbox, ${unenforced.join(', ')} cannot be enforced`] };
  }
  const impossible = impossibleFor(run);
  if (impossible) throw unavailable(impossible.why, impossible.hint);
  const reason = typeof host === 'string' ? host : needsTheHost(run);
  if (reason !== undefined) {
    if (sandbox === 'strict') throw unavailable(`${reason} isolation.sandbox: strict asks for a sandbox.`, INSTALL);
    return { sandboxed: false, exposed: [`it runs without a sandbox: ${reason}`] };
  }
  return {
    sandboxed: true,
    exposed: [
      ...(hasNetwork(rest) ? ['its network is that of this host, with what listens on its loopback'] : []),
      ...(limits.length > 0 ? [`${limits.join(', ')} cannot be enforced for a process`] : []),
    ],
  };
}

const INSTALL = 'Install bubblewrap and util-linux, run it in a container, or loosen isolation.sandbox.';
const CONTAINER_ONLY = ['user', 'readOnlyRoot', 'capabilities', 'devices', 'privileged', 'hostPid'] as const;

const hasNetwork = ({ egress, hostNetwork }: Isolation): boolean => egress === 'all' || hostNetwork === true;

/** What no sandbox can give, on any host: refused, because more or less than that would run without anybody noticing. */
function impossibleFor({ isolation = {}, transport }: RunSpec): { why: string; hint: string } | undefined {
  const field = CONTAINER_ONLY.find((name) => isolation[name] !== undefined);
  if (field) return { why: `isolation.${field} is for containers.`, hint: 'Remove it, or run the server in one.' };
  if (typeof isolation.egress === 'object')
    return {
      why: 'A list of hosts cannot be enforced for a process.',
      hint: 'Use isolation.egress: none or all, or run it in a container.',
    };
  // Its port would be in a network of its own, where nobody can reach it.
  if (transport !== 'stdio' && !hasNetwork(isolation))
    return {
      why: `A sandboxed process with transport ${transport} needs the network of this host.`,
      hint: 'Use stdio, allow isolation.egress: all, or run it in a container.',
    };
  return undefined;
}

function needsTheHost({ program }: RunSpec): string | undefined {
  if (program.type !== 'package' || program.ecosystem !== 'pypi') return undefined;
  return 'uvx installs the package when it starts, with the network and the cache of this user.';
}

function unavailable(why: string, hint: string): SlipwayError {
  return new SlipwayError('isolation-unavailable', why, { hint });
}

export interface Cage {
  readonly isolation: Isolation;
  /** The working directory: the one place on disk that it may write to. */
  readonly work: string;
  /** What it may read besides the system: its package, its program. */
  readonly reads: readonly string[];
  /** Its secret files, which it has as {@link SECRETS_DIR}. */
  readonly secrets?: string | undefined;
}

/** The argv that runs `argv` in the sandbox. Never binds `/`: whatever is not named here does not exist in there. */
export function sandboxArgv(
  host: Sandbox,
  { isolation, work, reads, secrets }: Cage,
  argv: readonly string[],
): string[] {
  const { tmpBytes = DEFAULT_TMP_BYTES, writable = [], mounts = [], pids = DEFAULT_PIDS } = isolation;
  const at = (flag: string, from: string, to = from): string[] => ['--dir', dirname(to), flag, from, to];
  const memory = (path: string): string[] => ['--perms', '1777', '--size', String(tmpBytes), '--tmpfs', path];
  const options = [
    Object.entries(host.system).flatMap(([path, target]) =>
      target === undefined ? at('--ro-bind', path) : ['--symlink', target, path],
    ),
    ETC.flatMap((path) => at('--ro-bind-try', path)),
    // Empty, so that no socket of the host's services is there: with the engine's, the sandbox would be worth nothing.
    ['--dir', '/run', '--dir', '/var'],
    ['--proc', '/proc', '--dev', '/dev', ...memory('/dev/shm'), '--remount-ro', '/dev'],
    ['/tmp', ...writable].flatMap(memory),
    reads.flatMap((path) => at('--ro-bind', path)),
    at('--bind', work),
    secrets === undefined ? [] : at('--ro-bind', secrets, SECRETS_DIR),
    mounts.flatMap((mount) => at(mount.readOnly ? '--ro-bind' : '--bind', mount.host, mount.path)),
    // The rest of the root is memory that nothing would limit.
    ['--remount-ro', '/'],
    ['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    hasNetwork(isolation) ? [] : ['--unshare-net'],
    // Dies with Slipway, whatever kills that; cannot type into a terminal of ours.
    ['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
  ];
  // No core dumps: they would hold secrets. Memory is not limited: what can be (RLIMIT_AS) counts what Node only reserves.
  const limits = [`--nproc=${pids}`, `--nofile=${OPEN_FILES}`, '--core=0'];
  return [host.bwrap, ...options.flat(), ...become(host, work), host.prlimit, ...limits, '--', ...argv];
}

/**
 * As root, a user namespace alone would leave the processes root's in the eyes of the kernel: files, abstract sockets and
 * limits look at that. So they become nobody first, and get a user namespace, in which their number is counted, after.
 */
function become({ asNobody }: Sandbox, work: string): string[] {
  if (!asNobody) return ['--unshare-user', '--chdir', work, '--'];
  const { setpriv, unshare } = asNobody;
  const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--inh-caps=-all'];
  const map = [`--map-user=${NOBODY}`, `--map-group=${NOBODY}`, `--wd=${work}`];
  const kept = ['--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID'];
  return [...kept, '--', setpriv, ...ids, '--', unshare, '--user', ...map, '--'];
}

/** True if the path is in the sandbox anyway: of the system, or below a mount. */
export function isInside({ system }: Sandbox, { mounts = [] }: Isolation, path: string): boolean {
  return [...Object.keys(system), ...mounts.map((mount) => mount.path)].some((folder) => path.startsWith(`${folder}/`));
}

/**
 * Looks for what sandboxes need, and tries one. What is there is remembered; what is missing is looked for again.
 * @param scratch a directory of our own
 * @returns why there can be none, otherwise
 */
export function sandboxMaker(scratch: string): () => Promise<Sandbox | string> {
  let found: Sandbox | undefined;
  return async () => {
    const host = found ?? lookAround();
    if (typeof host === 'string' || found) return host;
    const work = mkdtempSync(join(scratch, '.sandbox-'));
    try {
      if (host.asNobody) await chown(work, NOBODY, NOBODY);
      const [program = '', ...args] = sandboxArgv(host, { isolation: {}, work, reads: [] }, ['true']);
      await promisify(execFile)(program, args, { timeout: 10_000, env: { PATH: process.env['PATH'] } });
      found = host;
      return host;
    } catch (error) {
      const said = String((error as { stderr?: unknown }).stderr ?? '').split('\n')[0];
      return `this host does not allow a sandbox: ${said || 'bwrap failed'}.`;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  };
}

function lookAround(): Sandbox | string {
  if (process.platform !== 'linux') return 'sandboxes need Linux.';
  const isRoot = process.getuid?.() === 0;
  const wanted = ['bwrap', 'prlimit', ...(isRoot ? ['setpriv', 'unshare'] : [])];
  const tools = Object.fromEntries(wanted.map((tool) => [tool, findProgram(tool)]));
  const missing = wanted.filter((tool) => tools[tool] === undefined);
  if (missing.length > 0) return `${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} not installed.`;
  const { bwrap = '', prlimit = '', setpriv = '', unshare = '' } = tools;
  const asNobody = isRoot ? { asNobody: { setpriv, unshare } } : {};
  return { bwrap, prlimit, ...asNobody, system: systemOf() };
}

function systemOf(): Record<string, string | undefined> {
  const entries = SYSTEM.flatMap((path): [string, string | undefined][] => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found) return [];
    return [[path, found.isSymbolicLink() ? readlinkSync(path) : undefined]];
  });
  return Object.fromEntries(entries);
}

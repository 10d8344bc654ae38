/** A workload is something that must run, in no driver's language. Its spec hash is its identity. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { SecretUse } from '../schemas/upstream-auth.ts';

export type { SecretUse } from '../schemas/upstream-auth.ts';

/** Where a secret's value comes from; the value itself is read by a driver at `ensure`. */
export type SecretSource = SecretUse['from'];

export interface EnvEntry {
  readonly name: string;
  readonly value?: string;
  readonly secret?: SecretUse;
}

/** A secret given as a file below `/run/secrets`. */
export interface SecretFile {
  readonly name: string;
  readonly secret: SecretUse;
}

export type Program =
  | {
      readonly type: 'package';
      readonly ecosystem: 'npm' | 'pypi';
      readonly name: string;
      readonly version: string;
      readonly bin?: string;
      readonly args: readonly string[];
    }
  | { readonly type: 'command'; readonly argv: readonly string[] }
  | {
      readonly type: 'image';
      readonly image: string;
      /** Absent: the image's own. */
      readonly entrypoint?: readonly string[];
      readonly args?: readonly string[];
    };

/** `npm:left-pad@1.0.0` */
export const packageText = ({ ecosystem, name, version }: Extract<Program, { type: 'package' }>): string =>
  `${ecosystem}:${name}@${version}`;

/** A file of the config repo: `path` relative to the working directory, `id` the hash of its content. */
export interface WorkloadFile {
  readonly path: string;
  readonly id: string;
  readonly executable: boolean;
}

/** What a server may connect to. `allow` holds `host:port`. */
export type Egress = 'none' | 'all' | { readonly allow: readonly string[] };

/**
 * How far an instance is shut in, as far as it was written down. What is absent is as tight as the driver can make it: the
 * driver's defaults are no part of the spec hash, so that a new Slipway does not restart everybody's servers.
 */
export interface Isolation {
  readonly sandbox?: 'off' | 'auto' | 'strict';
  readonly egress?: Egress;
  /** `uid`, `uid:gid`, or `image` for the image's own user. */
  readonly user?: string;
  readonly readOnlyRoot?: boolean;
  readonly tmpBytes?: number;
  readonly writable?: readonly string[];
  readonly pids?: number;
  readonly capabilities?: readonly string[];
  readonly devices?: readonly string[];
  readonly mounts?: readonly { readonly host: string; readonly path: string; readonly readOnly: boolean }[];
  readonly privileged?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostPid?: boolean;
}

/** All that a change of makes a new instance necessary. */
export interface RunSpec {
  readonly program: Program;
  readonly transport: 'stdio' | 'http' | 'sse';
  readonly http?: { readonly port?: number; readonly path: string };
  readonly env: readonly EnvEntry[];
  readonly files: readonly WorkloadFile[];
  readonly resources?: { readonly memoryBytes?: number; readonly cpu?: number };
  readonly secretFiles?: readonly SecretFile[];
  readonly isolation?: Isolation;
  /** Name of the engine it was placed on. */
  readonly engine?: string;
  /** Project whose network it is on, where it may be on one. */
  readonly network?: string;
}

/** A container engine as its Engine resource describes it. */
export interface EngineSpec {
  readonly name: string;
  /** `unix:///…`, `tcp://…` or `ssh://…`; absent: the environment's. */
  readonly host?: string;
  /** Paths on this host. */
  readonly tls?: { readonly ca?: string; readonly cert: string; readonly key: string };
  /** Base images for packages. */
  readonly runners: { readonly npm?: string; readonly pypi?: string };
}

/** How an image is fetched. No part of the spec hash: the same image is the same image, wherever it came from. */
export interface Pull {
  readonly policy: 'always' | 'ifNotPresent' | 'never';
  readonly credentials?: { readonly username: SecretUse; readonly password: SecretUse };
}

export interface Workload {
  /** Of the resource it comes from: `Server/github`. */
  readonly address: string;
  readonly name: string;
  readonly driver: string;
  /** The commit that it was compiled from. */
  readonly commit: string;
  /** The first project, by name, that lists its server: instances of different projects share no network. */
  readonly project: string;
  /** Absent: the local one. */
  readonly engine?: EngineSpec;
  readonly pull?: Pull;
  /** {@link specHash} of `run` and `driver`. */
  readonly hash: string;
  readonly run: RunSpec;
  readonly replicas: number;
  readonly lifecycle: 'onDemand' | 'always';
  readonly idleTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly dependsOn: readonly string[];
  /** Those of a group return together. */
  readonly group?: string;
  /** What is done about instances that changed without a commit: healed, told about, neither. */
  readonly drift: 'off' | 'detect' | 'enforce';
  readonly probes?: Probes;
  readonly rollout: Rollout;
  /** What the lock file accepts of its package, and whether another is not run at all (`toolDrift: block`). */
  readonly accepted?: { readonly integrity: string; readonly isHeld: boolean };
}

/** What is asked of an instance to find out whether it is well. */
export type Check =
  | { readonly type: 'ping' }
  | { readonly type: 'tools' }
  | {
      readonly type: 'call';
      readonly tool: string;
      readonly arguments: Readonly<Record<string, unknown>>;
      readonly expect?: { readonly text?: string; readonly structured?: Readonly<Record<string, unknown>> };
    }
  | { readonly type: 'http'; readonly path: string; readonly port?: number; readonly status?: number }
  | { readonly type: 'exec'; readonly argv: readonly string[] };

export interface Probe {
  readonly check: Check;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How many failures in a row count. */
  readonly failures: number;
}

export interface Probes {
  readonly startup?: Probe;
  readonly readiness?: Probe;
  readonly liveness?: Probe;
}

export interface Canary {
  /** `weight` in percent of the sessions. */
  readonly steps: readonly { readonly weight: number; readonly pauseMs: number }[];
  /** 0 … 1. */
  readonly maxErrorRate: number;
  readonly minCalls: number;
}

export interface Rollout {
  readonly strategy: 'rollingUpdate' | 'recreate';
  /** How many instances more, and how many fewer, than `replicas` there may be meanwhile; never both 0. */
  readonly surge: number;
  readonly unavailable: number;
  /** How long an instance may take to become ready. */
  readonly timeoutMs: number;
  readonly drainMs: number;
  /** How long a new version is watched after it took over; 0: not at all. */
  readonly monitorMs: number;
  readonly canary?: Canary;
}

/**
 * SHA-256, in hex, of the run spec and the driver's name in canonical JSON (RFC 8785). A changed formula would restart everybody's servers:
 * a golden test pins it.
 */
export function specHash(run: RunSpec, driver: string): string {
  return createHash('sha256')
    .update(canonicalize({ ...run, driver }) ?? '')
    .digest('hex');
}

/** `slipway-<server>-<hash8>-<n>`: old and new stand side by side. */
export function instanceName(workload: Pick<Workload, 'name' | 'hash'>, index: number): string {
  return `slipway-${workload.name}-${workload.hash.slice(0, 8)}-${index}`;
}

/** The encrypted values that an instance is given, or its image is fetched with. */
export function sealedOf({ run, pull }: Workload): { secret: string; key: string; id: string }[] {
  const { username, password } = pull?.credentials ?? {};
  const uses = [...run.env, ...(run.secretFiles ?? [])].map(({ secret }) => secret);
  return [...uses, username, password].flatMap((use) =>
    use && 'sealed' in use.from ? [{ secret: use.secret, key: use.key, id: use.from.sealed }] : [],
  );
}

/** The names of all instances that a workload asks for. */
export function instanceNames(workload: Workload): string[] {
  return Array.from({ length: workload.replicas }, (_, index) => instanceName(workload, index));
}

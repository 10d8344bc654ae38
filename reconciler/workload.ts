/** A workload is something that must run, in no driver's language. Its spec hash is its identity. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** Where a secret's value comes from; the value itself is read by a driver at `ensure`. */
export type SecretSource = { readonly env: string } | { readonly file: string };

export interface EnvEntry {
  readonly name: string;
  readonly value?: string;
  readonly secret?: { readonly secret: string; readonly key: string; readonly from: SecretSource };
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
  | { readonly type: 'image'; readonly image: string };

/** A file of the config repo: `path` relative to the working directory, `id` the hash of its content. */
export interface WorkloadFile {
  readonly path: string;
  readonly id: string;
  readonly executable: boolean;
}

/** All that a change of makes a new instance necessary. */
export interface RunSpec {
  readonly program: Program;
  readonly transport: 'stdio' | 'http' | 'sse';
  readonly http?: { readonly port?: number; readonly path: string };
  readonly env: readonly EnvEntry[];
  readonly files: readonly WorkloadFile[];
  readonly resources?: { readonly memoryBytes?: number; readonly cpu?: number };
}

export interface Workload {
  /** Of the resource it comes from: `Server/github`. */
  readonly address: string;
  readonly name: string;
  readonly driver: string;
  /** {@link specHash} of `run` and `driver`. */
  readonly hash: string;
  readonly run: RunSpec;
  readonly replicas: number;
  readonly lifecycle: 'onDemand' | 'always';
  readonly idleTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly dependsOn: readonly string[];
  readonly probe?: { readonly tool: string; readonly arguments: Readonly<Record<string, unknown>> };
  readonly rollout: {
    readonly strategy: 'startFirst' | 'stopFirst';
    readonly timeoutMs: number;
    readonly drainMs: number;
  };
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

/** The names of all instances that a workload asks for. */
export function instanceNames(workload: Workload): string[] {
  return Array.from({ length: workload.replicas }, (_, index) => instanceName(workload, index));
}

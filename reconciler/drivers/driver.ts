/** What every driver does. Impure and idempotent; knows no kinds. `test/contract/driver.ts` holds what it promises. */
import type { Artifact } from '../../schemas/lock/lock.ts';
import type { Connect } from '../../schemas/peer.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import type { InstanceStatus } from '../../schemas/status.ts';
import type { Workload } from '../workload.ts';

/** What `lastError` begins with where a limit of memory ended an instance. */
export const OUT_OF_MEMORY = 'it used more memory than its limit';

/** One running copy of a workload, as the driver observes it. */
export interface Instance {
  /** `slipway-<server>-<hash8>-<n>`. */
  readonly id: string;
  readonly address: string;
  readonly hash: string;
  readonly index: number;
  readonly state: InstanceStatus['state'];
  readonly endpoint: Endpoint;
  readonly pid?: number;
  readonly restarts: number;
  readonly startedAt?: string;
  /** Why it ended last; begins with {@link OUT_OF_MEMORY} if that was it. */
  readonly lastError?: string;
  /** How it differs from what was asked for although its spec hash is the same: somebody changed it by hand. */
  readonly drift?: readonly string[];
  /** In what it is less shut in than it could be, and why: no sandbox on this host, say. */
  readonly exposed?: readonly string[];
}

/** What an instance uses right now. */
export interface InstanceStats {
  readonly id: string;
  /** CPU seconds since it was started. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes?: number;
  /** Processes and threads. */
  readonly pids: number;
}

/** Something with Slipway's marks that belongs to another Slipway. */
export interface Orphan {
  readonly id: string;
  readonly kind: 'instance' | 'network' | 'image';
  /** Owner id of the Slipway that made it. */
  readonly owner: string;
  readonly server?: string;
  readonly createdAt: string;
  /** Whether that Slipway is gone for good, as far as can be told from here. */
  readonly dead: boolean;
}

export interface ExecResult {
  readonly code: number;
  /** Standard output and error, cut to a few kilobytes. */
  readonly output: string;
}

export interface LogOptions {
  /** Which instance; the first by default. */
  readonly index?: number;
  /** By name, where versions stand side by side. */
  readonly instance?: string;
  /** Lines from the end. */
  readonly tail?: number;
  readonly follow?: boolean;
  readonly signal: AbortSignal;
}

export interface Driver extends AsyncDisposable {
  readonly name: string;
  /** All that carries our owner id, and nothing else. */
  list(signal: AbortSignal): Promise<Instance[]>;
  /**
   * Observe → ensure → sync: afterwards instance number `index` of the workload exists. That it exists already is not
   * an error. It need not be ready yet.
   */
  ensure(workload: Workload, index: number, signal: AbortSignal): Promise<Instance>;
  /** Stops the instance and forgets it. That it does not exist is not an error. */
  remove(id: string, signal: AbortSignal): Promise<void>;
  /** Resolves when no call runs on the instance. A driver that cannot tell leaves it out. */
  idle?(id: string, signal: AbortSignal): Promise<void>;
  /** Opens a connection inside this process, where the driver holds the instance's stdio. */
  connect?: Connect;
  /** Ends a running instance and starts it again. @param reason why, for its log */
  restart?(id: string, reason: string, signal: AbortSignal): Promise<void>;
  /** Runs a program beside the instance's own, in its environment. */
  exec?(id: string, argv: readonly string[], signal: AbortSignal): Promise<ExecResult>;
  /** Of all running instances. */
  stats?(signal: AbortSignal): Promise<InstanceStats[]>;
  /** What other Slipways left on the same host or engine. */
  orphans?(signal: AbortSignal): Promise<Orphan[]>;
  /** Removes orphans by their ids. Never touches what carries our own owner id. @returns what was removed */
  prune?(ids: readonly string[], signal: AbortSignal): Promise<string[]>;
  /** Removes what no wanted workload needs any more (images, networks), as the driver's policy says. */
  collect?(wanted: readonly Workload[], signal: AbortSignal): Promise<string[]>;
  /** Called on every change of an instance's state. `outside`: what is there was changed by somebody else. */
  watch?(listener: (id: string, outside: boolean) => void): Disposable;
  /** What exactly runs for a workload; undefined where that has no name: a command. @throws where it cannot be told just now */
  artifact?(workload: Workload, signal: AbortSignal): Promise<Artifact | undefined>;
  /** Hides the secrets that the instance was given in what it said: errors end up in status, logs and git. */
  mask?(id: string, text: string): string;
  /** What an instance of the workload printed, or, if none runs, the last one that did; undefined if that is not known. */
  logs?(address: string, options: LogOptions): AsyncIterable<string> | undefined;
}

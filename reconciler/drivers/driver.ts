/** What every driver does. Impure and idempotent; knows no kinds. `test/contract/driver.ts` holds what it promises. */
import type { Connect } from '../../schemas/peer.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import type { InstanceStatus } from '../../schemas/status.ts';
import type { Workload } from '../workload.ts';

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
  readonly lastError?: string;
}

export interface LogOptions {
  /** Which instance; the first by default. */
  readonly index?: number;
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
  /** Called on every change of an instance's state. */
  watch?(listener: (id: string) => void): Disposable;
  /** Hides the secrets that the instance was given in what it said: errors end up in status, logs and git. */
  mask?(id: string, text: string): string;
  /** What an instance of the workload printed, or, if none runs, the last one that did; undefined if that is not known. */
  logs?(address: string, options: LogOptions): AsyncIterable<string> | undefined;
}

/** What the process driver asks of an instance, whatever its transport. */
import type { LogFile } from '../../bridge/log-file.ts';
import type { Connection, ConnectionHandlers } from '../../../schemas/peer.ts';
import type { Workload } from '../../workload.ts';
import type { Instance } from '../driver.ts';

export interface Running extends AsyncDisposable {
  observe(): Instance;
  /** Takes over what can change without a restart. */
  adjust(workload: Workload): void;
  /** Resolves when no call runs, as far as it can be told. */
  idle(): Promise<void>;
  /** Hides the secrets that it was given. */
  mask(text: string): string;
  open?(handlers: ConnectionHandlers): Connection;
}

export interface RunningContext {
  readonly id: string;
  readonly index: number;
  readonly workload: Workload;
  readonly log: LogFile;
  readonly version: string;
  readonly onChange: () => void;
}

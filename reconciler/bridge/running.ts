/** What a driver asks of an instance that it holds, whatever its transport and whatever runs it. */
import type { Connection, ConnectionHandlers, ConnectOptions } from '../../schemas/peer.ts';
import type { Instance } from '../drivers/driver.ts';
import type { Workload } from '../workload.ts';
import type { LogFile } from './log-file.ts';

export interface Running extends AsyncDisposable {
  observe(): Instance;
  /** Takes over what can change without a restart. */
  adjust(workload: Workload): void;
  /** Resolves when no call runs, as far as it can be told. */
  idle(): Promise<void>;
  /** Hides the secrets that it was given. */
  mask(text: string): string;
  open?(handlers: ConnectionHandlers, options?: ConnectOptions): Connection;
  /** Ends it as if it had crashed, so that it comes back; `reason` is what is told of it. */
  restart(reason: string): Promise<void>;
  /** What kept it from running may be over: if it waits for its next start, it is started now. */
  retry(): void;
  /** Lets go of it without ending it, where it can live without us. */
  release(): Promise<void>;
}

export interface RunningContext {
  readonly id: string;
  readonly index: number;
  readonly workload: Workload;
  readonly log: LogFile;
  readonly version: string;
  /** As in {@link Instance}. */
  readonly exposed?: readonly string[] | undefined;
  readonly onChange: () => void;
  /** It runs already, from before: take it over at once. */
  readonly adopted?: boolean;
}

/** The list of drivers. A new driver is a folder beside this file and a line here. */
import type { Log } from '../../schemas/log.ts';
import type { Connect } from '../../schemas/peer.ts';
import type { Journal } from '../journal.ts';
import type { StateDir } from '../state.ts';
import { dockerDriver } from './docker/driver.ts';
import type { Driver } from './driver.ts';
import { processDriver } from './process/driver.ts';

export interface DriverOptions {
  readonly state: StateDir;
  readonly journal: Journal;
  readonly log: Log;
  /** Of Slipway. */
  readonly version: string;
}

export interface Drivers extends AsyncDisposable {
  readonly all: readonly Driver[];
  /** Opens a connection to an instance of whichever driver holds it. */
  readonly connect: Connect;
}

export async function openDrivers(options: DriverOptions): Promise<Drivers> {
  await using opening = new AsyncDisposableStack();
  const all = [opening.use(await processDriver(options)), opening.use(dockerDriver(options))];
  const stack = opening.move();
  return {
    all,
    connect(id, handlers, how) {
      for (const driver of all) {
        const connection = driver.connect?.(id, handlers, how);
        if (connection) return connection;
      }
      return undefined;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

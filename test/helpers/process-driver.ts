/** The process driver on a state directory of its own. */
import type { Driver, Instance, LogOptions } from '../../reconciler/drivers/driver.ts';
import { processDriver } from '../../reconciler/drivers/process/driver.ts';
import { openJournal } from '../../reconciler/journal.ts';
import { openState, type StateDir } from '../../reconciler/state.ts';
import { silent, type Log } from '../../schemas/log.ts';
import type { Connection, ConnectionHandlers } from '../../schemas/peer.ts';
import { initialize } from './mcp.ts';
import { tempDir } from './temp.ts';

export interface ProcessDriverRig extends AsyncDisposable {
  readonly driver: Driver;
  readonly state: StateDir;
}

export async function processRig(log: Log = silent): Promise<ProcessDriverRig> {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(tempDir());
  const state = stack.use(openState(dir.at('state')));
  const journal = stack.use(openJournal(state.paths.journal));
  const driver = stack.use(await processDriver({ state, journal, log, version: 'test' }));
  return { driver, state, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const never = (): AbortSignal => new AbortController().signal;

/** A connection to an instance that has shaken hands. */
export async function connected(driver: Driver, id: string, handlers: ConnectionHandlers = {}): Promise<Connection> {
  const connection = driver.connect?.(id, handlers);
  if (!connection) throw new Error(`no connection to ${id}`);
  await initialize(connection);
  return connection;
}

/** Resolves once the instance is observed in that state. */
export async function untilState(driver: Driver, id: string, wanted: Instance['state']): Promise<Instance> {
  const { promise, resolve } = Promise.withResolvers<Instance>();
  const look = async (): Promise<void> => {
    const found = (await driver.list(never())).find((instance) => instance.id === id);
    if (found?.state === wanted) resolve(found);
  };
  using watch = driver.watch?.(() => void look());
  void watch;
  await look();
  return await promise; // Awaited here: the watch ends with this function.
}

/** Resolves with the first line of the instance's log that holds the text. */
export async function logged(driver: Driver, id: string, text: string): Promise<string> {
  using stop = new DisposableStack();
  const done = stop.adopt(new AbortController(), (controller) => controller.abort());
  for await (const line of await linesOf(driver, id, { follow: true, signal: done.signal }))
    if (line.includes(text)) return line;
  throw new Error(`the log ended without ${text}`);
}

/** The whole log so far. */
export async function logOf(driver: Driver, id: string): Promise<string> {
  return (await Array.fromAsync(await linesOf(driver, id, { signal: never() }))).join('\n');
}

async function linesOf(driver: Driver, id: string, options: LogOptions): Promise<AsyncIterable<string>> {
  const instance = (await driver.list(never())).find((entry) => entry.id === id);
  const lines = instance && driver.logs?.(instance.address, { ...options, index: instance.index });
  if (!lines) throw new Error(`there is no log of ${id}`);
  return lines;
}

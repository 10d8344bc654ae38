/** Runs workloads as processes of this host: stdio ones through the bridge, HTTP ones on a loopback port. */
import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LogFile, readLog } from '../../bridge/log-file.ts';
import type { Start } from '../../bridge/stdio.ts';
import type { Log } from '../../../schemas/log.ts';
import { redactor } from '../../../schemas/sensitive.ts';
import type { Journal, JournalEntry } from '../../journal.ts';
import { openEnv } from '../../secrets/secrets.ts';
import type { StateDir } from '../../state.ts';
import { instanceName, type Workload } from '../../workload.ts';
import type { Driver, Instance } from '../driver.ts';
import { startChild } from './child.ts';
import { INSTANCE_VARIABLE, OWNER_VARIABLE, scrubbedEnv } from './environment.ts';
import { HttpProcess } from './http-process.ts';
import { removeHalfInstalled, type Installs } from './npm.ts';
import { prepare, type Prepared } from './prepare.ts';
import { reapLeftovers } from './reap.ts';
import type { Running } from './running.ts';
import { StdioProcessInstance } from './stdio-process.ts';

export interface ProcessDriverOptions {
  readonly state: StateDir;
  readonly journal: Journal;
  readonly log: Log;
  readonly version: string;
}

/** Reaps what an earlier run left behind, then is ready for work. */
export async function processDriver(options: ProcessDriverOptions): Promise<Driver> {
  const { state, journal, log } = options;
  await reapLeftovers(journal, state.owner, log);
  removeHalfInstalled(state.paths.packages);
  const instances = new Map<string, Running>();
  const listeners = new Set<(id: string) => void>();
  const changed = (id: string): void => listeners.forEach((listener) => listener(id));
  const installs: Installs = new Map();
  const logPath = (id: string): string => join(state.paths.logs, `${id}.log`);
  const lastLogPath = (address: string): string => join(state.paths.logs, `${address.replaceAll('/', '-')}.last.log`);

  // A pass that was interrupted may still be at it when the next one asks for the same instance.
  const busy = new Map<string, Promise<unknown>>();
  const alone = async <T>(id: string, work: (id: string) => Promise<T>): Promise<T> => {
    while (busy.has(id)) await busy.get(id)?.catch(() => {});
    const running = work(id).finally(() => busy.delete(id));
    busy.set(id, running);
    return running;
  };

  return {
    name: 'process',
    list: async () => [...instances.values()].map((instance) => instance.observe()),

    ensure: (workload, index, signal) =>
      alone(instanceName(workload, index), async (id): Promise<Instance> => {
        const existing = instances.get(id);
        if (existing) {
          existing.adjust(workload);
          return existing.observe();
        }
        const work = join(state.paths.work, id);
        const prepared = await prepare(workload.run, { ...state.paths, work, installs }, log, signal);
        signal.throwIfAborted();
        journal.append({
          op: 'create',
          instance: id,
          driver: 'process',
          address: workload.address,
          hash: workload.hash,
        });
        const file = new LogFile(logPath(id));
        const context = { id, index, workload, log: file, version: options.version, onChange: () => changed(id) };
        const start = starter(id, workload, prepared, file, options);
        const instance =
          workload.run.transport === 'stdio'
            ? await StdioProcessInstance.create({
                ...context,
                start: () => start({}),
                socket: socketPath(state.paths.sockets, id),
              })
            : await HttpProcess.create({ ...context, start });
        instances.set(id, instance);
        changed(id);
        return instance.observe();
      }),

    remove: (wanted) =>
      alone(wanted, async (id) => {
        const instance = instances.get(id);
        if (!instance) return;
        await instance[Symbol.asyncDispose]();
        instances.delete(id);
        note(journal, { op: 'removed', instance: id }, log);
        keepLog(logPath(id), lastLogPath(instance.observe().address));
        rmSync(join(state.paths.work, id), { recursive: true, force: true });
        changed(id);
      }),

    idle: async (id) => instances.get(id)?.idle(),
    connect: (id, handlers) => instances.get(id)?.open?.(handlers),
    watch(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    mask: (id, text) => instances.get(id)?.mask(text) ?? text,
    logs(address, logOptions) {
      const own = [...instances.values()]
        .map((instance) => instance.observe())
        .filter((instance) => instance.address === address);
      const { index } = logOptions;
      const chosen = own.find((instance) => index === undefined || instance.index === index);
      if (chosen) return readLog(logPath(chosen.id), logOptions);
      const last = lastLogPath(address);
      return index === undefined && existsSync(last) ? readLog(last, logOptions) : undefined;
    },

    async [Symbol.asyncDispose]() {
      await Promise.allSettled(busy.values());
      await Promise.all([...instances.values()].map((instance) => instance[Symbol.asyncDispose]()));
      for (const id of instances.keys()) note(journal, { op: 'removed', instance: id }, log);
      instances.clear();
    },
  };
}

/** A log outlives its instance until the next one of the workload is removed: it may tell why a rollout failed. */
function keepLog(path: string, last: string): void {
  if (existsSync(path)) renameSync(path, last);
  rmSync(`${path}.1`, { force: true });
}

/** Named after the instance where a socket's path (107 bytes, 103 on macOS) has room for that, else after its hash. */
function socketPath(dir: string, id: string): string {
  const path = join(dir, `${id}.sock`);
  if (Buffer.byteLength(path) <= 100) return path;
  return join(dir, `${createHash('sha256').update(id).digest('hex').slice(0, 16)}.sock`);
}

/** Starts one run of the instance. Secrets are opened here and nowhere before; the journal frames every process. */
function starter(
  id: string,
  workload: Workload,
  prepared: Prepared,
  file: LogFile,
  { state, journal, log }: ProcessDriverOptions,
) {
  return async (extra: Readonly<Record<string, string>>): ReturnType<Start> => {
    const { variables, secrets } = await openEnv(workload.run.env);
    file.mask(redactor(secrets));
    const marks = { [OWNER_VARIABLE]: state.owner, [INSTANCE_VARIABLE]: id };
    journal.append({ op: 'starting', instance: id });
    const child = await startChild({ ...prepared, env: { ...scrubbedEnv(), ...extra, ...variables, ...marks } });
    try {
      journal.append({ op: 'started', instance: id, process: child.identity });
    } catch (error) {
      await child.stop(); // What could not be noted would be nobody's after a crash.
      throw error;
    }
    const ended = child.ended.then((why) => {
      note(journal, { op: 'ended', instance: id }, log);
      return why;
    });
    return { ...child, ended };
  };
}

/** For entries that only spare the next start some work: a full disk must not turn the end of a process into a failure. */
function note(journal: Journal, entry: JournalEntry, log: Log): void {
  try {
    journal.append(entry);
  } catch (error) {
    log('error', (error as Error).message, { op: entry.op, instance: entry.instance });
  }
}

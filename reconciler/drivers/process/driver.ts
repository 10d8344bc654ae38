/** Runs workloads as processes of this host: stdio ones through the bridge, HTTP ones on a loopback port. */
import { join } from 'node:path';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import { redactor } from '../../../schemas/sensitive.ts';
import { HeldInstances } from '../../bridge/held.ts';
import { HttpRunning, type HttpProcess } from '../../bridge/http-running.ts';
import { LogFile } from '../../bridge/log-file.ts';
import { StdioRunning } from '../../bridge/stdio-running.ts';
import type { StdioProcess } from '../../bridge/stdio.ts';
import type { Journal, JournalEntry } from '../../journal.ts';
import type { StateDir } from '../../state.ts';
import { instanceName, type Workload } from '../../workload.ts';
import type { Driver, Instance } from '../driver.ts';
import { startChild, type Command } from './child.ts';
import { INSTANCE_VARIABLE, KEEPER_VARIABLE, OWNER_VARIABLE, scrubbedEnv } from './environment.ts';
import { runBeside } from './exec.ts';
import { keeperMark } from './marked.ts';
import { removeHalfInstalled, type Installs } from './npm.ts';
import { checkAccepted, npmArtifact } from './npm-artifact.ts';
import { freePort } from './port.ts';
import { prepare, type Prepared } from './prepare.ts';
import { orphansBeside, pruneBeside, reapLeftovers, reapStrays } from './reap.ts';
import { sandboxMaker } from './sandbox.ts';
import { ProcessSecrets, removeOthers } from './secrets.ts';
import { processStats } from './stats.ts';

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
  const secrets = new ProcessSecrets(state);
  await secrets.sweep();
  const held = new HeldInstances(state);
  const installs: Installs = new Map();
  const sandbox = sandboxMaker(state.paths.work);
  const beside = new Map<string, (argv: readonly string[]) => Promise<Command>>();

  return {
    name: 'process',
    ...held.asDriver(),
    list: async () => held.values().map((instance) => instance.observe()),

    ensure(workload, index, signal) {
      const id = instanceName(workload, index);
      return held.alone(id, async (): Promise<Instance> => {
        const existing = held.get(id);
        if (existing) {
          existing.adjust(workload);
          return existing.observe();
        }
        const work = join(state.paths.work, id);
        const places = { ...state.paths, work, installs, sandbox, secrets: await secrets.files(id, workload.run) };
        const prepared = await prepare(workload.run, places, log, signal);
        await checkAccepted(workload, state.paths.packages, log);
        signal.throwIfAborted();
        journal.append({
          op: 'create',
          instance: id,
          driver: 'process',
          address: workload.address,
          hash: workload.hash,
        });
        const file = new LogFile(held.logPath(id));
        const { exposed } = prepared;
        const onChange = (): void => held.changed(id);
        const context = { id, index, workload, log: file, version: options.version, exposed, onChange };
        const start = starter({ id, workload, prepared, file, secrets }, options);
        const instance =
          workload.run.transport === 'stdio'
            ? await StdioRunning.create({ ...context, start: () => start({}), socket: held.socketPath(id), many: true })
            : await HttpRunning.create({ ...context, start: await listening(workload, start) });
        beside.set(id, async (argv) => {
          const way = prepared.beside(argv);
          return {
            ...way,
            cwd: prepared.cwd,
            env: await environmentOf({ id, workload, secrets }, state.owner, way.env),
          };
        });
        held.add(id, instance);
        return instance.observe();
      });
    },

    remove: (id) =>
      held.alone(id, async () => {
        const instance = held.get(id);
        if (!instance) return;
        await instance[Symbol.asyncDispose]();
        await reapStrays(state.owner, [id], log);
        note(journal, { op: 'removed', instance: id }, log);
        await secrets.remove(id);
        beside.delete(id);
        held.forget(id);
      }),

    // Without /proc, nobody tells.
    ...(process.platform === 'linux' ? { stats: async () => processStats(leadersOf(held)) } : {}),
    orphans: async () => orphansBeside(state.owner),
    async prune(ids) {
      const gone = await pruneBeside(state.owner, ids);
      await removeOthers(gone);
      return gone;
    },

    artifact: async ({ run: { program } }) => npmArtifact(program, state.paths.packages),

    async exec(id, argv, signal) {
      const command = await beside.get(id)?.(argv);
      if (!command) throw new SlipwayError('not-ready', 'The instance does not run.');
      return runBeside(command, signal);
    },

    async [Symbol.asyncDispose]() {
      const ids = held.values().map((instance) => instance.observe().id);
      await held.close('end');
      await reapStrays(state.owner, ids, log);
      for (const instance of ids) note(journal, { op: 'removed', instance }, log);
      await secrets.sweep();
    },
  };
}

function leadersOf(held: HeldInstances): ReadonlyMap<string, number> {
  const running = held.values().map((instance) => instance.observe());
  return new Map(running.flatMap(({ id, pid }) => (pid === undefined ? [] : [[id, pid] as const])));
}

/** The port is chosen once, so that the endpoint stays the same when the process is restarted. */
async function listening(
  { run: { http } }: Workload,
  start: (extra: Readonly<Record<string, string>>) => Promise<StdioProcess>,
): Promise<() => Promise<HttpProcess>> {
  const port = http?.port ?? (await freePort());
  return async () => {
    await freePort(port);
    const child = await start({ PORT: String(port), HOST: '127.0.0.1' });
    child.stdin.end();
    return { ...child, url: `http://127.0.0.1:${port}${http?.path ?? '/mcp'}` };
  };
}

/** Starts one run of the instance. Secrets are opened here and nowhere before; the journal frames every process. */
function starter(run: Run & { readonly prepared: Prepared }, { state, journal, log }: ProcessDriverOptions) {
  const { id, prepared } = run;
  return async (extra: Readonly<Record<string, string>>): Promise<StdioProcess> => {
    const env = await environmentOf(run, state.owner, { ...prepared.env, ...extra });
    journal.append({ op: 'starting', instance: id });
    const child = await startChild({ ...prepared, env });
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

interface Run {
  readonly id: string;
  readonly workload: Workload;
  readonly secrets: ProcessSecrets;
  /** The log that is to hide the secrets. */
  readonly file?: LogFile;
}

/** @param extra what its way of running needs; where a sandbox has its secret files, say */
async function environmentOf(
  { id, workload: { run }, secrets, file }: Run,
  owner: string,
  extra: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const given = await secrets.give(id, run);
  file?.mask(redactor(given.secrets));
  const marks = { [OWNER_VARIABLE]: owner, [INSTANCE_VARIABLE]: id, [KEEPER_VARIABLE]: keeperMark() };
  return { ...scrubbedEnv(), ...given.places, ...extra, ...given.variables, ...marks };
}

/** For entries that only spare the next start some work: a full disk must not turn the end of a process into a failure. */
function note(journal: Journal, entry: JournalEntry, log: Log): void {
  try {
    journal.append(entry);
  } catch (error) {
    log('error', (error as Error).message, { op: entry.op, instance: entry.instance });
  }
}

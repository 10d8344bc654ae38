/**
 * Runs workloads as containers of Docker or Podman. The containers live on when Slipway ends, however it ends, and are
 * taken over by its next start; what is ours is told by labels, so nothing needs to be written down before it is made.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../schemas/log.ts';
import { HeldInstances } from '../../bridge/held.ts';
import { HttpRunning } from '../../bridge/http-running.ts';
import { LogFile } from '../../bridge/log-file.ts';
import type { Running } from '../../bridge/running.ts';
import { StdioRunning } from '../../bridge/stdio-running.ts';
import type { StateDir } from '../../state.ts';
import { instanceName, type Workload } from '../../workload.ts';
import type { Driver, Instance } from '../driver.ts';
import { Agreements } from './agreements.ts';
import { ifThere } from './answers.ts';
import type { Engine } from './engine.ts';
import { Engines } from './engines.ts';
import { Inventory, type Found } from './inventory.ts';
import type { Owner } from './labels.ts';
import { Maker } from './maker.ts';
import { startRun, type ContainerRun } from './run.ts';

export interface DockerDriverOptions {
  readonly state: StateDir;
  readonly log: Log;
  readonly version: string;
}

/** Where an instance's container is. */
interface Place {
  readonly engine: Engine;
  /** Its id; another one after it was removed behind our back. */
  container: string | undefined;
}

/** How long a pass waits for engines that were used before: one that is down must not keep others waiting. */
const REOPEN_MS = 3000;

export function dockerDriver(options: DockerDriverOptions): Driver {
  const { state, log } = options;
  const owner: Owner = { id: state.owner, home: state.root };
  const held = new HeldInstances(state);
  const places = new Map<string, Place>();
  const agreements = new Agreements(join(state.paths.containers, 'sessions'));
  const inventory = new Inventory({
    owner,
    log,
    onEvent: () => {},
    onListed: () => strays().forEach(({ id }) => held.changed(id, true)),
  });
  const engines = new Engines({
    path: join(state.paths.containers, 'engines.json'),
    log,
    onOpen: (engine) => inventory.follow(engine),
  });
  const maker = new Maker({ owner, log, state });
  const reopened = engines.reopen();
  /** What an earlier Slipway left, and nobody has taken over yet. */
  const strays = (): Found[] => inventory.all().filter(({ id }) => !held.has(id));

  async function take(workload: Workload, index: number, signal: AbortSignal): Promise<Instance> {
    const id = instanceName(workload, index);
    const engine = await engines.get(workload.engine);
    signal.throwIfAborted();
    const found = inventory.find(id);
    const place: Place = { engine, container: found?.containerId };
    const file = new LogFile(held.logPath(id));
    const create = (within?: AbortSignal): Promise<string> =>
      maker.create({ engine, workload, index, id, log: file }, within);
    // Made now rather than with the first call: a missing image must fail the rollout.
    place.container ??= await create(signal);
    places.set(id, place);
    const start = async (): Promise<ContainerRun> => {
      const run = await startRun({ engine, instance: id, container: place.container, create, agreements });
      place.container = run.info.Id;
      file.mask(await maker.masker(workload, run.info));
      return run;
    };
    const context = {
      id,
      index,
      workload,
      log: file,
      version: options.version,
      onChange: () => held.changed(id),
      ...(found?.running ? { adopted: true } : {}),
    };
    const instance: Running =
      workload.run.transport === 'stdio'
        ? await StdioRunning.create({ ...context, start, socket: held.socketPath(id) })
        : await HttpRunning.create({
            ...context,
            start: () => start().then((run) => maker.listening(engine, workload, run)),
          });
    held.add(id, instance);
    return instance.observe();
  }

  return {
    ...held.asDriver(),
    name: 'docker',

    async list() {
      await Promise.race([reopened, delay(REOPEN_MS, undefined, { ref: false })]);
      const own = held.values().map((instance) => instance.observe());
      return [...own, ...strays().map((found) => observed(found, held.socketPath(found.id)))];
    },

    ensure(workload, index, signal) {
      const id = instanceName(workload, index);
      return held.alone(id, async () => {
        signal.throwIfAborted();
        const existing = held.get(id);
        existing?.adjust(workload);
        return existing ? existing.observe() : take(workload, index, signal);
      });
    },

    remove: (id) =>
      held.alone(id, async () => {
        const found = inventory.find(id);
        const place = places.get(id) ?? (found && { engine: found.engine, container: found.containerId });
        if (!place) return;
        await held.get(id)?.[Symbol.asyncDispose]();
        const container = place.container && place.engine.docker.getContainer(place.container);
        if (container) await ifThere(container.remove({ force: true, v: true }));
        agreements.forget(id);
        places.delete(id);
        inventory.forget(id);
        held.forget(id);
      }),

    async [Symbol.asyncDispose]() {
      await held.close('release');
      inventory[Symbol.dispose]();
      await engines[Symbol.asyncDispose]();
    },
  };
}

function observed(found: Found, socket: string): Instance {
  const { id, address, hash, index, running } = found;
  return {
    id,
    address,
    hash,
    index,
    state: running ? 'running' : 'sleeping',
    endpoint: { id, transport: 'stdio', address: `unix:${socket}` },
    restarts: 0,
  };
}

/**
 * Runs workloads as containers of Docker or Podman. The containers live on when Slipway ends, however it ends, and are
 * taken over by its next start; what is ours is told by labels, so nothing needs to be written down before it is made.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SlipwayError, toSlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import { untilAborted } from '../../async.ts';
import { HeldInstances } from '../../bridge/held.ts';
import { HttpRunning } from '../../bridge/http-running.ts';
import { LogFile } from '../../bridge/log-file.ts';
import type { Running } from '../../bridge/running.ts';
import { StdioRunning } from '../../bridge/stdio-running.ts';
import type { StateDir } from '../../state.ts';
import { instanceName, type Workload } from '../../workload.ts';
import type { Driver, Instance } from '../driver.ts';
import { Agreements } from './agreements.ts';
import { ifThere, reached, removeContainer } from './answers.ts';
import { changedLimits, meaningOf, REMOVED } from './by-hand.ts';
import { collect } from './collect.ts';
import type { Engine } from './engine.ts';
import { Engines } from './engines.ts';
import { Inventory, type EngineEvent, type Found } from './inventory.ts';
import type { Owner } from './labels.ts';
import { Maker } from './maker.ts';
import { execIn, statsOfAll } from './operate.ts';
import { orphansOn, pruneOn } from './orphans.ts';
import { Place } from './place.ts';
import { startRun, type ContainerRun } from './run.ts';
import { removeSecretFiles } from './secret-files.ts';

export interface DockerDriverOptions {
  readonly state: StateDir;
  readonly log: Log;
  /** Of Slipway. */
  readonly version: string;
}

/** How long a pass waits for engines that were used before: one that is down must not keep others waiting. */
const REOPEN_MS = 3000;

export function dockerDriver(options: DockerDriverOptions): Driver {
  return new DockerDriver(options).asDriver();
}

class DockerDriver {
  readonly #options: DockerDriverOptions;
  readonly #owner: Owner;
  readonly #held: HeldInstances;
  readonly #places = new Map<string, Place>();
  readonly #agreements: Agreements;
  readonly #inventory: Inventory;
  readonly #engines: Engines;
  readonly #maker: Maker;
  readonly #reopened: Promise<void>;

  constructor(options: DockerDriverOptions) {
    const { state, log } = options;
    const owner: Owner = { id: state.owner, home: state.root };
    this.#options = options;
    this.#owner = owner;
    this.#held = new HeldInstances(state);
    this.#agreements = new Agreements(join(state.paths.containers, 'sessions'));
    this.#inventory = new Inventory({
      owner,
      log,
      onEvent: (event) => void this.#heard(event).catch(() => {}), // The next listing tells.
      // What could not be started because its engine was away need not wait any longer.
      onBack: (engine) =>
        this.#places.forEach((place, id) => void (place.engine === engine && this.#held.get(id)?.retry())),
      onListed: (engine) => void this.#upkeep(engine),
    });
    this.#engines = new Engines({
      path: join(state.paths.containers, 'engines.json'),
      log,
      onOpen: (engine) => this.#inventory.follow(engine),
    });
    this.#maker = new Maker({ owner, log, state, moved: () => this.#somebodyElse('') });
    this.#reopened = this.#engines.reopen();
  }

  asDriver(): Driver {
    return {
      ...this.#held.asDriver(),
      name: 'docker',
      list: () => this.#list(),
      ensure: (workload, index, signal) => this.#ensure(workload, index, signal),
      remove: (id) => this.#held.alone(id, () => this.#remove(id)),
      stats: async () => {
        const running = [...this.#places].filter(([id]) => this.#held.get(id)?.observe().state === 'running');
        return statsOfAll(running.map(([id, place]) => [id, place.running]));
      },
      exec: (id, argv, signal) => {
        const place = this.#placeOf(id);
        const started = (exec: string): void => void (place.exec = exec);
        return execIn(place.engine, place.running, argv, { last: place.exec, started, signal });
      },
      orphans: async () => {
        const engines = await this.#anyEngine();
        return (await Promise.all(engines.map((engine) => orphansOn(engine, this.#owner)))).flat();
      },
      prune: async (ids) =>
        (await Promise.all((await this.#anyEngine()).map((one) => pruneOn(one, this.#owner, ids)))).flat(),
      artifact: async (wanted) => this.#maker.images.artifact(await this.#engines.get(wanted.engine), wanted),
      collect: async (wanted, signal) => {
        const there = () => [...this.#inventory.all().map(({ id }) => id), ...this.#places.keys()];
        const { images } = this.#maker;
        return collect({ engines: this.#engines, owner: this.#owner, images, there }, wanted, signal);
      },
      [Symbol.asyncDispose]: async () => {
        for (const place of this.#places.values()) place.gone.abort(new SlipwayError('shutting-down'));
        await this.#held.close('release');
        this.#inventory[Symbol.dispose]();
        this.#maker[Symbol.dispose]();
        await this.#engines[Symbol.asyncDispose]();
      },
    };
  }

  async #list(): Promise<Instance[]> {
    await Promise.race([this.#reopened, delay(REOPEN_MS, undefined, { ref: false })]);
    const own = this.#held.values().map((instance) => this.#observed(instance));
    return [...own, ...this.#strays().map((found) => this.#strange(found))];
  }

  #observed(running: Running): Instance {
    const instance = running.observe();
    const place = this.#places.get(instance.id);
    if (!place) return instance;
    const { engine, workload, image } = place;
    return place.observe(instance, image === undefined ? undefined : this.#maker.images.moved(engine, workload, image));
  }

  /** What an earlier Slipway left, and nobody has taken over yet. */
  #strays(): Found[] {
    return this.#inventory.all().filter(({ id }) => !this.#held.has(id));
  }

  #strange({ id, address, hash, index, running }: Found): Instance {
    const endpoint = { id, transport: 'stdio', address: `unix:${this.#held.socketPath(id)}` } as const;
    return { id, address, hash, index, state: running ? 'running' : 'sleeping', endpoint, restarts: 0 };
  }

  #ensure(workload: Workload, index: number, signal: AbortSignal): Promise<Instance> {
    const id = instanceName(workload, index);
    const ensured = this.#held.alone(id, async () => {
      signal.throwIfAborted();
      const existing = this.#held.get(id);
      if (!existing) return this.#take(id, workload, index, signal);
      this.#placeOf(id).workload = workload;
      existing.adjust(workload);
      return this.#observed(existing);
    });
    return untilAborted(ensured, signal); // Whatever the engine does meanwhile.
  }

  /** Makes the instance, or takes over the container that an earlier Slipway made for it. */
  async #take(id: string, workload: Workload, index: number, signal: AbortSignal): Promise<Instance> {
    const engine = await this.#engines.get(workload.engine);
    signal.throwIfAborted();
    const found = this.#inventory.find(id);
    const log = new LogFile(this.#held.logPath(id));
    const place = new Place(engine, workload, log);
    place.container = found?.containerId;
    const create = (within: AbortSignal) =>
      reached(engine, this.#maker.create({ engine, workload, index, id, log }, within));
    // Made now rather than with the first call: an image that is missing must fail the rollout.
    if (place.container === undefined) place.container = await create(signal);
    const attachment = await reached(engine, this.#maker.attach(engine, workload, signal));
    place.network = attachment?.network;
    place.exposed = this.#maker.exposed(engine, workload, attachment);
    this.#places.set(id, place);
    const start = (): Promise<ContainerRun> => this.#start(id, place, () => create(place.gone.signal));
    const running = await this.#bridge(id, place, index, start, found?.running ?? false);
    this.#held.add(id, running);
    return this.#observed(running);
  }

  async #bridge(
    id: string,
    { workload, log }: Place,
    index: number,
    start: () => Promise<ContainerRun>,
    adopted: boolean,
  ) {
    const onChange = (): void => this.#held.changed(id);
    const context = { id, index, workload, log, adopted, onChange, version: this.#options.version };
    if (workload.run.transport === 'stdio')
      return StdioRunning.create({ ...context, start, socket: this.#held.socketPath(id) });
    return HttpRunning.create({
      ...context,
      start: async () => this.#maker.listening(workload, await start()),
    });
  }

  async #start(id: string, place: Place, create: () => Promise<string>): Promise<ContainerRun> {
    place.afterHands();
    const { engine, container, workload, log } = place;
    const onStop = (): void => void (place.ours = true);
    const anew = (): Promise<string> => place.afterHands(container && REMOVED) ?? create();
    const context = { engine, instance: id, container, create: anew, onStop, agreements: this.#agreements };
    const run = await reached(engine, startRun(context));
    try {
      log.mask(await this.#maker.masker(engine, id, workload, run.info));
    } catch (error) {
      run.detach();
      throw error;
    }
    place.ours = false;
    place.runs(run);
    // Podman changes nothing by hand, and tells limits in other words.
    if (!engine.info.podman) place.limits = changedLimits(workload, run.info);
    return run;
  }

  async #remove(id: string): Promise<void> {
    const found = this.#inventory.find(id);
    const place = this.#places.get(id);
    const engine = place?.engine ?? found?.engine;
    if (!engine) return;
    if (place) place.ours = true;
    place?.gone.abort(new SlipwayError('upstream-unavailable', 'The instance was removed.'));
    const running = this.#held.get(id);
    try {
      await running?.[Symbol.asyncDispose]();
      const container = place?.container ?? found?.containerId;
      if (container !== undefined) await removeContainer(engine, container);
      await removeSecretFiles(this.#owner, id);
      this.#agreements.forget(id);
      this.#inventory.forget(id);
    } catch (error) {
      // What could not be removed must not be taken for alive: it is a stray now, for the next pass.
      await running?.release().catch(() => {});
      throw error;
    } finally {
      this.#places.delete(id);
      this.#held.forget(id);
    }
  }

  #placeOf(id: string): Place {
    const place = this.#places.get(id);
    if (!place) throw new SlipwayError('upstream-unavailable', `There is no instance ${id}.`);
    return place;
  }

  /** What somebody did to a container of ours. A stopped, paused or removed one is simply brought back, if it may be. */
  async #heard({ action, containerId, instance }: EngineEvent): Promise<void> {
    const place = instance === undefined ? undefined : this.#places.get(instance);
    if (!place || place.ours || place.container !== containerId) return;
    const { engine, workload, byHand } = place;
    const container = engine.docker.getContainer(containerId);
    const meaning = meaningOf(action);
    if (meaning !== undefined && workload.drift === 'enforce') {
      if (action === 'pause') await container.unpause().catch(() => {}); // Somebody else was faster.
      return;
    }
    if (meaning === REMOVED) byHand.clear(); // Whatever came before, that says it all.
    if (meaning !== undefined) byHand.add(meaning);
    if (action === 'unpause') byHand.clear();
    const info = action === 'update' ? await ifThere(container.inspect()) : undefined;
    if (info) place.limits = changedLimits(workload, info);
    if (byHand.size > 0 || info) this.#somebodyElse(instance ?? '');
  }

  #somebodyElse(id: string): void {
    this.#held.changed(id, true);
  }

  /** After each listing, once a minute at least: what needs a look from time to time. */
  async #upkeep(engine: Engine): Promise<void> {
    for (const { id } of this.#strays()) this.#somebodyElse(id);
    const places = [...this.#places].filter(([, place]) => place.engine === engine);
    for (const [id, place] of places) if (place.compare(this.#inventory.find(id))) this.#somebodyElse(id);
    const workloads = places.map(([, { workload }]) => workload);
    const warn = (error: unknown): void =>
      this.#options.log('warn', `upkeep of ${engine.name}: ${toSlipwayError(error).message}`);
    const troubles = (await this.#maker.keepNetworks(engine, workloads).catch(warn)) ?? [];
    for (const [id, place] of places) {
      const trouble = troubles.find(({ server }) => server === place.workload.name)?.message;
      if (trouble === place.trouble) continue;
      if (trouble !== undefined) this.#options.log('error', trouble, { server: place.workload.name });
      place.trouble = trouble;
      this.#held.changed(id);
    }
    // Not while it is being removed: its secrets would stay behind.
    const renew = (id: string, place: Place) =>
      this.#held.alone(id, async () => this.#places.get(id) === place && (await this.#maker.renewSecrets(id, place)));
    await Promise.all(places.map(([id, place]) => renew(id, place).catch(warn)));
  }

  /** Those in use; where none is, the local one, if there is one. */
  async #anyEngine(): Promise<Engine[]> {
    const opened = await this.#engines.opened();
    return opened.length > 0 ? opened : [await this.#engines.get()];
  }
}

/** One workload on its way from what serves it to what is wanted: which instances serve, and how new ones join and old ones leave. */
import { ERRORS, SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { Readiness } from '../applied.ts';
import type { Driver, Instance } from '../drivers/driver.ts';
import { waitReady } from '../health/ready.ts';
import { isAltered } from '../plan.ts';
import type { Served, Traffic } from '../publish.ts';
import { instanceNames, type Workload } from '../workload.ts';
import type { ApplyContext } from './context.ts';
import { saying } from './last-words.ts';
import { drainAndRemove, removeAll } from './remove.ts';
import { compareSurfaces, type SurfaceChange } from './surface.ts';
import { nextStep, type Goal } from './waves.ts';

interface Started {
  readonly instance: Instance;
  readonly readiness: Readiness;
}

export class Move {
  readonly workload: Workload;
  readonly #driver: Driver;
  readonly #context: ApplyContext;
  readonly #signal: AbortSignal;
  readonly #before: Served | undefined;
  readonly #present: ReadonlySet<string>;
  /** Of the wanted version, and serving. */
  readonly fresh: Instance[];
  /** Of any other, and serving. */
  readonly old: Instance[];
  /** Of the wanted version, but changed by hand. */
  readonly #altered: readonly Instance[];
  /** They exist, but neither serve nor are wanted: an interrupted rollout left them. Calls may still run on them. */
  readonly #leftovers: Instance[];
  #readiness: Readiness | undefined;
  #canary: number | undefined;
  /** How many instances were started. */
  started = 0;
  /** True if something that gets no more calls could not be removed: what serves is no worse for that. */
  unfinished = false;
  /** How the tools of the new version differ from those of the one before. */
  surface: SurfaceChange | undefined;

  static async begin(workload: Workload, context: ApplyContext, signal: AbortSignal): Promise<Move> {
    const driver = driverOf(workload, context.drivers);
    const present = (await context.list()).filter((instance) => instance.address === workload.address);
    return new Move(workload, driver, context, signal, present);
  }

  private constructor(
    workload: Workload,
    driver: Driver,
    context: ApplyContext,
    signal: AbortSignal,
    present: readonly Instance[],
  ) {
    this.workload = workload;
    this.#driver = driver;
    this.#context = context;
    this.#signal = signal;
    this.#before = context.served.get(workload.address);
    const names = new Set(instanceNames(workload));
    this.#altered = present.filter((instance) => names.has(instance.id) && isAltered(instance));
    const intact = present.filter((instance) => !this.#altered.includes(instance));
    this.#present = new Set(intact.map(({ id }) => id));
    const serving = new Set(this.#before?.endpoints.map(({ id }) => id));
    this.fresh = intact.filter(({ id }) => names.has(id) && serving.has(id));
    // In the order in which they leave: what is down, what an earlier canary left, and last the version that serves.
    const worth = ({ state, hash }: Instance): number =>
      state === 'crashed' ? 0 : hash === this.#before?.readiness.hash ? 2 : 1;
    this.old = present.filter(({ id }) => !names.has(id) && serving.has(id)).sort((a, b) => worth(a) - worth(b));
    this.#leftovers = present.filter(({ id }) => !names.has(id) && !serving.has(id));
  }

  /** Whether another version serves; one in a canary is not yet what serves. */
  get replaces(): boolean {
    return this.old.length > 0 && this.#before?.readiness.hash !== this.workload.hash;
  }

  /** A canary that went bad gets no more sessions, however long it takes to make what it replaced whole again. */
  async withdrawCanary(): Promise<boolean> {
    if (!this.#before?.canary || this.fresh.length === 0) return false;
    await this.#leave(this.old.splice(0), await this.#serve());
    return true;
  }

  /**
   * Takes instances that were changed by hand out of service and ends them: what takes their place has the same name, so
   * it cannot stand beside them. Others of the workload go on serving meanwhile.
   */
  async withdrawAltered(): Promise<boolean> {
    if (this.#altered.length === 0) return false;
    const left = this.fresh.length + this.old.length;
    if (left === 0) this.#context.served.delete(this.workload.address);
    await this.#drain(this.#altered, left > 0 ? await this.#serve() : await this.#context.publish());
    return true;
  }

  /** What exists already may have to take over settings that need no new instance, and may have moved. */
  async adjust(): Promise<void> {
    for (const [index, instance] of this.fresh.entries())
      this.fresh[index] = await this.#driver.ensure(this.workload, instance.index, this.#signal);
    const before = this.#before?.endpoints ?? [];
    const moved = this.fresh.some(
      ({ id, endpoint }) => before.find((each) => each.id === id)?.address !== endpoint.address,
    );
    if (moved) await this.#serve();
  }

  /** Stops all that is not wanted, before anything new is started. */
  async stopOthers(): Promise<void> {
    if (this.old.length + this.#leftovers.length === 0) return;
    this.#context.served.delete(this.workload.address);
    await this.#leave(this.old.splice(0), await this.#context.publish());
    await this.removeLeftovers();
  }

  /** In waves, each published before the next. @param weight percent of the sessions that the new version gets meanwhile */
  async reach(goal: Goal, weight?: number): Promise<void> {
    this.#canary = weight;
    // What was started by an earlier pass may take over now: what it showed then was not kept.
    const [serving] = this.fresh;
    if (serving && this.#before?.readiness.hash !== this.workload.hash) this.#learn(await this.#ready(serving));
    for (;;) {
      const step = nextStep({ fresh: this.fresh.length, old: this.old.length }, goal);
      if (!step) break;
      // What joins is published with what leaves: nobody's calls go to the new version and back to the old one.
      if ('create' in step) await this.#create(step.create);
      else await this.#leave(this.old.splice(0, step.remove), await this.#serve());
    }
    const served = this.#context.served.get(this.workload.address);
    const joined = this.fresh.some(({ id }) => !served?.endpoints.some((endpoint) => endpoint.id === id));
    if (joined || served?.canary?.weight !== weight) await this.#serve();
  }

  async removeLeftovers(): Promise<void> {
    if (this.#leftovers.length === 0) return;
    await this.#leave(this.#leftovers.splice(0), await this.#context.publish());
  }

  async #create(count: number): Promise<void> {
    const { workload } = this;
    const serving = new Set(this.fresh.map(({ id }) => id));
    const missing = instanceNames(workload).flatMap((name, index) => (serving.has(name) ? [] : [{ name, index }]));
    const wave = missing.slice(0, count);
    const ids = wave.flatMap(({ name }) => (this.#present.has(name) ? [] : [name]));
    // All are waited for: what is still on its way could not be removed.
    const made = await Promise.allSettled(wave.map(({ index }) => this.#start(index)));
    const failed = made.find((each) => each.status === 'rejected');
    const well = made.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (!failed) return this.#join(well, ids.length);
    const names = wave.map(({ name }) => name);
    const told = await saying(failed.reason, this.#driver, workload, names);
    this.#signal.throwIfAborted();
    // Of the good version, some are better than none; a new one has to come whole.
    const kept = this.#isGood && this.old.length === 0 ? well : [];
    const keptIds = new Set(kept.map(({ instance }) => instance.id));
    if (kept.length > 0) {
      this.#join(kept, kept.length);
      await this.#serve();
    }
    await removeAll(
      this.#context.drivers,
      ids.filter((id) => !keptIds.has(id)),
    );
    throw told;
  }

  async #start(index: number): Promise<Started> {
    const instance = await this.#driver.ensure(this.workload, index, this.#signal);
    return { instance, readiness: await this.#ready(instance) };
  }

  #join(started: readonly Started[], count: number): void {
    const [first] = started;
    if (first) this.#learn(first.readiness);
    this.fresh.push(...started.map(({ instance }) => instance));
    this.fresh.sort((a, b) => a.index - b.index);
    this.started += count;
  }

  get #isGood(): boolean {
    const { address, hash } = this.workload;
    return this.#context.base.workloads.some((good) => good.address === address && good.hash === hash);
  }

  async #ready(instance: Instance): Promise<Readiness> {
    const { workload } = this;
    const { known, version } = this.#context;
    const before = known[workload.address];
    // A version that was ready before need not be woken to prove it again: its first call starts it.
    if (workload.lifecycle === 'onDemand' && before?.hash === workload.hash) return before;
    return waitReady({ driver: this.#driver, instance, workload, version }, this.#signal);
  }

  #learn(readiness: Readiness): void {
    const before = this.#before?.readiness;
    const { surface: known, ...shown } = readiness;
    const isNew = before !== undefined && before.hash !== readiness.hash;
    if (isNew) this.surface = compareSurfaces(before.tools, readiness.tools);
    const surface = isNew ? this.surface : known;
    this.#readiness = { ...shown, ...(surface ? { surface } : {}) };
  }

  /** Clients are shown the tools of the old version until none of it is left. */
  #serve(): Promise<Traffic> {
    const { address } = this.workload;
    const readiness = this.old.length > 0 ? this.#before?.readiness : (this.#readiness ?? this.#before?.readiness);
    if (!readiness) return this.#context.publish();
    const endpoints = [...this.fresh, ...this.old].map(({ endpoint }) => endpoint);
    const canary =
      this.#canary === undefined || this.old.length === 0
        ? undefined
        : { endpoints: this.fresh.map(({ id }) => id), weight: this.#canary };
    this.#context.served.set(address, { endpoints, readiness, ...(canary ? { canary } : {}) });
    return this.#context.publish();
  }

  /**
   * As {@link #drain}. What cannot be removed now is left to the next pass, unless the new version has to have its place:
   * its port, say.
   * @throws SlipwayError remove-failed in that case
   */
  async #leave(instances: readonly Instance[], traffic: Traffic): Promise<void> {
    try {
      await this.#drain(instances, traffic);
    } catch (error) {
      this.#signal.throwIfAborted();
      const { message, code } = toSlipwayError(error);
      if (!hasRoom(this.workload) && this.fresh.length < this.workload.replicas)
        throw new SlipwayError('remove-failed', `${message} There is no room for a new instance beside an old one.`, {
          hint: 'It is tried again with growing pauses; the log says why the old instance cannot be removed.',
          cause: error,
        });
      this.#context.log('warn', `${this.workload.address}: ${message}`, { code });
      this.unfinished = true;
    }
  }

  #drain(instances: readonly Instance[], traffic: Traffic): Promise<void> {
    return drainAndRemove(
      this.#context.drivers,
      instances.map(({ id }) => id),
      { traffic, ms: this.workload.rollout.drainMs, signal: this.#signal },
    );
  }
}

/** Whether old and new may stand side by side. */
export function hasRoom({ rollout: { strategy, surge } }: Workload): boolean {
  return strategy !== 'recreate' && surge > 0;
}

function driverOf(workload: Workload, drivers: ReadonlyMap<string, Driver>): Driver {
  const driver = drivers.get(workload.driver);
  if (driver) return driver;
  const known = [...drivers.keys()].join(', ');
  throw new SlipwayError('no-driver', `There is no driver named ${workload.driver}; there is ${known}.`, {
    hint: ERRORS['no-driver'].hint,
  });
}

/**
 * Asks instances again and again whether they are well. One that is not ready gets no calls while another is; one that is
 * not alive is restarted. A sleeping instance is left asleep.
 */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { Log } from '../../schemas/log.ts';
import type { Channel } from '../../schemas/peer.ts';
import { coalesce, limiter, pause } from '../async.ts';
import type { Driver, Instance } from '../drivers/driver.ts';
import type { Probe, Probes } from '../workload.ts';
import { runProbe, type Patient } from './check.ts';
import { ProbeSession } from './session.ts';

/** How many probes run at the same time: a slow instance must not keep others waiting, nor all of them load the host. */
const CONCURRENCY = 8;

export interface Target {
  readonly id: string;
  readonly driver: Driver;
  readonly probes: Probes;
}

export interface ProberOptions {
  readonly version: string;
  readonly log: Log;
  /** Called when an instance became ready, is so no longer, or was restarted. */
  readonly onChange: () => void;
  /** 0 … 1, for jitter. */
  readonly random?: () => number;
}

/** What probes found out about an instance. */
export interface Health {
  /** Why it gets no calls. */
  readonly unready?: string;
  /** Why it was restarted last. */
  readonly restarted?: string;
}

export class Prober implements AsyncDisposable {
  readonly #options: ProberOptions;
  readonly #patients = new Map<string, Rounds>();
  readonly #limit = limiter(CONCURRENCY);
  readonly #lists = new Map<Driver, () => Promise<Instance[]>>();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** From now on, these are asked and no others. What is known of those that stay is kept. */
  watch(targets: readonly Target[]): void {
    const wanted = new Map(targets.map((target) => [target.id, target]));
    for (const [id, patient] of this.#patients) {
      const target = wanted.get(id);
      if (target && sameProbes(target.probes, patient.target.probes)) continue;
      void patient[Symbol.asyncDispose]();
      this.#patients.delete(id);
    }
    for (const target of targets) {
      if (this.#patients.has(target.id)) continue;
      const observe = (): Promise<Instance | undefined> => this.#observe(target);
      this.#patients.set(target.id, new Rounds(target, { ...this.#options, limit: this.#limit, observe }));
    }
  }

  healthOf(id: string): Health {
    return this.#patients.get(id)?.health ?? {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#patients.values()].map((patient) => patient[Symbol.asyncDispose]()));
    this.#patients.clear();
  }

  /** Probes that come at the same time share one look at what runs. */
  async #observe({ id, driver }: Target): Promise<Instance | undefined> {
    let list = this.#lists.get(driver);
    if (!list) this.#lists.set(driver, (list = coalesce(() => driver.list(new AbortController().signal))));
    return (await list()).find((instance) => instance.id === id);
  }
}

interface RoundsOptions extends ProberOptions {
  readonly limit: ReturnType<typeof limiter>;
  readonly observe: () => Promise<Instance | undefined>;
}

class Rounds implements AsyncDisposable {
  readonly target: Target;
  readonly #options: RoundsOptions;
  readonly #session: ProbeSession;
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[];
  health: Health = {};
  /** The run of the instance that was asked last. */
  #run: { readonly startedAt: string | undefined; readonly since: number; up: boolean } | undefined;

  constructor(target: Target, options: RoundsOptions) {
    this.target = target;
    this.#options = options;
    this.#session = new ProbeSession(target.driver, options.version);
    const { readiness, liveness } = target.probes;
    this.#loops = [
      ...(readiness ? [this.#every(readiness, (why) => this.#readiness(why))] : []),
      ...(liveness ? [this.#every(liveness, (why) => this.#liveness(why))] : []),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SlipwayError('cancelled'));
    await Promise.all(this.#loops);
    this.#session[Symbol.dispose]();
  }

  /**
   * Spread over the interval from the first time on, so that many instances are not asked in step.
   * @param tell called with why it failed as often as counts, and with nothing whenever it passed
   */
  async #every(probe: Probe, tell: (why: string | undefined) => Promise<void> | void): Promise<void> {
    const { signal } = this.#stop;
    const { random = Math.random } = this.#options;
    let failures = 0;
    try {
      await pause(probe.intervalMs * random(), signal);
      for (;;) {
        const result = await this.#options.limit(() => this.#ask(probe, signal));
        signal.throwIfAborted();
        failures = result === 'asleep' || result === 'well' ? 0 : failures + 1;
        if (result === 'well') await tell(undefined);
        else if (failures >= probe.failures && result !== 'asleep') {
          await tell(result.why);
          failures = 0;
        }
        await pause(probe.intervalMs * (0.9 + 0.2 * random()), signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#options.log('error', `probes of ${this.target.id} ended`, { cause: String(error) });
    }
  }

  /** An instance that does not run is not asked: it must not be woken, and what crashed comes back by itself. */
  async #ask(probe: Probe, signal: AbortSignal): Promise<'well' | 'asleep' | { readonly why: string }> {
    const before = await this.#observe();
    // Its next call starts it anew; kept from calls, it would sleep for ever.
    if (before?.state === 'sleeping') this.#readiness(undefined);
    if (before?.state !== 'running') return 'asleep';
    const { driver, probes } = this.target;
    const channel = (limit: AbortSignal): Promise<Channel> => this.#session.open(before, limit);
    const patient = { driver, instance: before, channel };
    if (probes.startup && !(await this.#hasStarted(probes.startup, patient, signal))) return 'asleep';
    try {
      await runProbe(probe, patient, signal);
      return 'well';
    } catch (error) {
      if (signal.aborted) return 'asleep';
      this.#session.close();
      // It may have gone to sleep, or crashed, while it was asked.
      const after = await this.#observe();
      if (after?.state !== 'running' || after.startedAt !== before.startedAt) return 'asleep';
      return { why: toSlipwayError(error, 'not-ready').message };
    }
  }

  /** A driver that cannot tell, because its engine is away, says nothing about the instance. */
  #observe(): Promise<Instance | undefined> {
    return this.#options.observe().catch(() => undefined);
  }

  /** Each run but the first, which the rollout waited for, has to start up anew: until then, or its time is over, nothing counts. */
  async #hasStarted(startup: Probe, patient: Patient, signal: AbortSignal): Promise<boolean> {
    const { startedAt, restarts } = patient.instance;
    if (this.#run?.startedAt !== startedAt || !this.#run)
      this.#run = { startedAt, since: performance.now(), up: !this.#run && restarts === 0 };
    const run = this.#run;
    if (run.up) return true;
    try {
      await runProbe(startup, patient, signal);
      run.up = true;
    } catch {
      this.#session.close();
    }
    return run.up || performance.now() - run.since > startup.intervalMs * startup.failures;
  }

  #readiness(why: string | undefined): void {
    if (why === undefined ? this.health.unready === undefined : this.health.unready !== undefined) return;
    const { unready: _, ...rest } = this.health;
    this.health = why === undefined ? rest : { ...rest, unready: why };
    const { log, onChange } = this.#options;
    log(
      why === undefined ? 'info' : 'warn',
      `${this.target.id} is ${why === undefined ? 'ready again' : `not ready: ${why}`}`,
    );
    onChange();
  }

  async #liveness(why: string | undefined): Promise<void> {
    if (why === undefined) return;
    const { driver, id } = this.target;
    const { log, onChange } = this.#options;
    this.health = { ...this.health, restarted: why };
    log('warn', `${id} is restarted: ${why}`);
    this.#session.close();
    try {
      if (driver.restart) await driver.restart(id, `its liveness probe failed: ${why}`, this.#stop.signal);
      else log('error', `the driver ${driver.name} cannot restart an instance`, { instance: id });
    } catch (error) {
      log('error', `${id} could not be restarted: ${toSlipwayError(error).message}`);
    }
    onChange();
  }
}

function sameProbes(a: Probes, b: Probes): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

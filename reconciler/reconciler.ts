/** Keeps a world equal to its source: polls, watches, asks the loop for passes, and tells how it stands. */
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import type { Status } from '../schemas/status.ts';
import { pause } from './async.ts';
import { Loop } from './loop.ts';
import { resume, run, type PassResult } from './run.ts';
import { summarize } from './status.ts';
import { createWorld, listInstances, type World, type WorldOptions } from './world.ts';

export interface ReconcilerOptions extends WorldOptions {
  /** How often the source is asked, in ms. */
  readonly intervalMs: number;
  /** How often instances are compared with the config although nothing was pushed, in ms. */
  readonly resyncMs?: number;
  readonly gatewayUrl?: () => string | undefined;
  /** Called after every status write; tests assert invariants here. */
  readonly onStatus?: (status: Status) => void;
}

const RESYNC_MS = 300_000;
/** What becomes ready this fast is there when the gateway opens. */
const GRACE_MS = 1000;

export class Reconciler implements AsyncDisposable {
  readonly world: World;
  readonly #options: ReconcilerOptions;
  readonly #loop: Loop<PassResult>;
  readonly #stop = new AbortController();
  readonly #startedAt = new Date().toISOString();
  readonly #watches: Disposable[] = [];
  #tasks: Promise<unknown>[] = [];
  #retryFailed = false;
  #lastProbe: string | undefined;
  #lastReached: string | undefined;
  #status: Status | undefined;
  #resume: boolean;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.world = createWorld(options);
    this.#resume = this.world.applied.commit !== undefined;
    this.world.changed = () => void this.status().catch(() => {});
    this.#loop = new Loop<PassResult>({
      pass: (_priority, signal) => this.#pass(signal),
      wantsRetry: (result) => result.outcomes.some((outcome) => outcome.error?.row.next === 'retry'),
      log: options.log,
    });
  }

  /**
   * Brings the last good commit back, then follows the source. Resolves once there is a snapshot to serve and the first
   * pass is done (or failed), or takes long.
   */
  async start(): Promise<void> {
    const { world } = this;
    world.attempted = world.applied.commit;
    const first = this.#loop.request('push').catch(() => {});
    this.#follow();
    const grace = pause(GRACE_MS, this.#stop.signal).catch(() => {});
    await Promise.race([first, Promise.all([grace, world.firstPublish.promise])]);
  }

  /** Looks at the source now. @returns what the pass did @throws SlipwayError as {@link run} */
  async sync(options: { retry?: boolean } = {}): Promise<PassResult> {
    if (options.retry) this.#retryFailed = true;
    const wanted = await this.world.source.probe(this.#stop.signal).catch(() => undefined);
    return this.#loop.request('push', wanted !== this.world.attempted?.id);
  }

  async status(): Promise<Status> {
    const { world } = this;
    const instances = await listInstances(world, this.#stop.signal);
    const facts = {
      version: this.#options.version,
      pid: process.pid,
      startedAt: this.#startedAt,
      source: world.source.description,
      gatewayUrl: this.#options.gatewayUrl?.(),
      compiled: world.compiled,
      applied: world.applied,
      attempted: world.attempted,
      working: world.working,
      problem: world.problem,
      issues: world.issues,
      errors: world.errors,
      instances,
      served: world.served,
      lastProbe: this.#lastProbe,
      lastReached: this.#lastReached,
      outbox: world.recorder.state(),
    };
    this.#status = summarize(facts, this.#status, new Date().toISOString());
    this.#options.onStatus?.(this.#status);
    return this.#status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SlipwayError('shutting-down'));
    for (const watch of this.#watches) watch[Symbol.dispose]();
    await this.#loop[Symbol.asyncDispose]();
    await Promise.allSettled(this.#tasks);
  }

  async #pass(signal: AbortSignal): Promise<PassResult> {
    this.#lastProbe = new Date().toISOString();
    const retry = this.#retryFailed;
    this.#retryFailed = false;
    try {
      if (this.#resume) await this.#bringBack(signal);
      return await run(this.world, { retry }, signal);
    } catch (error) {
      const known = toSlipwayError(error);
      if (known.code !== 'superseded') this.world.problem = known;
      throw error;
    } finally {
      if (this.world.attempted) this.#lastReached = this.#lastProbe;
      await this.status();
    }
  }

  /** Once, before the first pass: neither git nor a broken commit keeps what was good from being served. */
  async #bringBack(signal: AbortSignal): Promise<void> {
    this.#resume = false;
    try {
      await resume(this.world, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#failed('resume', error);
    }
  }

  #follow(): void {
    const { source, drivers } = this.world;
    const push = (): void => void this.#loop.request('push', true).catch(() => {});
    const watch = source.watch?.(push);
    if (watch) this.#watches.push(watch);
    for (const driver of drivers.values()) {
      const changes = driver.watch?.(() => this.world.changed());
      if (changes) this.#watches.push(changes);
    }
    this.#tasks.push(this.#every(this.#options.intervalMs, () => this.#poll()));
    this.#tasks.push(this.#every(this.#options.resyncMs ?? RESYNC_MS, () => this.#resync()));
  }

  /** A tick with nothing new costs one probe. */
  async #poll(): Promise<void> {
    const { world } = this;
    const now = new Date().toISOString();
    try {
      const wanted = await world.source.probe(this.#stop.signal);
      this.#lastProbe = this.#lastReached = now;
      if (wanted === world.attempted?.id && !isUnreachable(world.problem)) return;
      await this.#loop.request('push', true);
    } catch (error) {
      this.#lastProbe = now;
      const known = toSlipwayError(error);
      if (!this.#stop.signal.aborted && known.code !== 'superseded') world.problem = known;
    }
    await this.status();
  }

  async #resync(): Promise<void> {
    await this.#loop.request('resync').catch(() => {});
  }

  /** Runs `work` again and again, with a pause of about `ms` between runs (±5 %, against many Slipways in step). */
  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    try {
      for (;;) {
        await pause(ms * (0.95 + 0.1 * Math.random()), signal);
        await work();
      }
    } catch (error) {
      if (!signal.aborted) this.#failed('timer', error);
    }
  }

  #failed(what: string, error: unknown): void {
    if (!this.#stop.signal.aborted)
      this.#options.log('error', `${what}: ${toSlipwayError(error).message}`, { cause: String(error) });
  }
}

const isUnreachable = (problem: SlipwayError | undefined): boolean =>
  problem?.code === 'source-unreachable' || problem?.code === 'ref-not-found';

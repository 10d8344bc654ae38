/** Keeps a world equal to its source: polls, watches, asks the loop for passes, and tells how it stands. */
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import type { CacheDesk } from '../schemas/cache.ts';
import type { LlmDesk } from '../schemas/llm.ts';
import type { BudgetStatus } from '../schemas/budgets.ts';
import type { MetricFamily } from '../schemas/metrics.ts';
import type { Status } from '../schemas/status.ts';
import { nextAcceptable } from './acceptable.ts';
import { coalesce, pause } from './async.ts';
import { Alarm } from './alarm.ts';
import { Changes, EventLog } from './event-log.ts';
import { factsOf } from './facts.ts';
import { firstOpening } from './holds.ts';
import { Loop, type Priority } from './loop.ts';
import { presentFamilies } from './metrics.ts';
import { usageOf } from './operate.ts';
import { Findings } from './pins/findings.ts';
import { driftEvents } from './pins/told.ts';
import { Proposals } from './proposals/proposals.ts';
import { endTrials, isTriedAgain } from './keep.ts';
import { LastLines } from './rollout/last-words.ts';
import { isStepOver, trialsOver, underWatch } from './rollout/watch.ts';
import { reapply, resume, run, type PassResult } from './run.ts';
import { summarize } from './status.ts';
import { isFloorNew } from './trust/floor.ts';
import type { WorkspaceSynced } from './workspaces/workspaces.ts';
import { TokenUsage } from './token-usage.ts';
import type { Workload } from './workload.ts';
import { createWorld, followEndpoints, judge, listInstances, type World } from './world.ts';
import type { ReconcilerOptions } from './reconciler-options.ts';

export type { ReconcilerOptions } from './reconciler-options.ts';

const RESYNC_MS = 300_000;
/** How often versions on trial are looked at, besides whenever a driver tells of a change. */
const WATCH_MS = 500;
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
  /** A maintenance window opens. */
  readonly #alarm = new Alarm(() => void this.#resync());
  #retryFailed = false;
  #lastProbe: string | undefined;
  /** The revision that was asked for last. */
  #target: string | undefined;
  #status: Status | undefined;
  readonly #look: () => void;
  #resume: boolean;
  readonly #lastLines = new LastLines();
  readonly findings = new Findings();
  readonly #usage: TokenUsage;
  /** What somebody asks for who may not push. */
  readonly proposals: Proposals;
  /** What happened since the start. */
  readonly events = new EventLog();
  readonly changes = new Changes();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.world = createWorld(options);
    this.#usage = new TokenUsage(options, () => this.world.compiled);
    this.proposals = new Proposals(this.world, {
      sync: () => void this.sync().catch(() => {}),
      secrets: options.secrets,
    });
    this.#resume = this.world.applied.commit !== undefined;
    this.world.changed = () => void this.status().catch(() => {});
    const follow = coalesce(() => followEndpoints(this.world, this.#stop.signal));
    this.#look = () => void follow().catch((error: unknown) => this.#failed('endpoints', error));
    this.#loop = new Loop<PassResult>({
      pass: (priority, signal) => this.#pass(priority, signal),
      wantsRetry: ({ outcomes }) => outcomes.some((outcome) => isTriedAgain(outcome, this.world)),
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
    return this.#passFor(wanted);
  }

  /** Looks at workspaces now. @throws SlipwayError not-found */
  syncWorkspaces(names: readonly string[]): Promise<WorkspaceSynced[]> {
    return this.#options.workspaces?.().sync(names) ?? Promise.resolve([]);
  }

  /** How it stands with the budgets, as far as a gateway counts them. */
  readonly budgets = (): readonly BudgetStatus[] => this.#options.budgets?.() ?? [];

  /** The language models of a gateway, what it keeps, and what it knows of tools; `undefined` where none runs. */
  readonly llms = (): LlmDesk | undefined => this.#options.llms?.();
  readonly cache = (): CacheDesk | undefined => this.#options.cache?.();
  readonly lists = () => this.#options.lists?.();

  /** One at a time: what is older must not come after what is newer. */
  readonly status = coalesce(async (): Promise<Status> => {
    const { world } = this;
    const instances = await listInstances(world, this.#stop.signal);
    const facts = factsOf(world, this.#options, {
      startedAt: this.#startedAt,
      lastUsed: (token) => this.#usage.of(token),
      lastProbe: this.#lastProbe,
      lastLines: await this.#lastLines.of(world, instances),
      instances,
    });
    const [before, now] = [this.#status, new Date().toISOString()];
    const status = summarize(facts, before, now);
    this.#status = status;
    this.events.note(before, status, now);
    for (const event of driftEvents(before, status, world.compiled.draft.servers)) world.audit?.record(event);
    this.changes.note(status);
    this.#options.onStatus?.(status);
    return status;
  });

  /** For `/metrics`. Whoever asks while somebody is being answered shares the next answer: measuring costs. */
  readonly metrics = coalesce(async (): Promise<MetricFamily[]> => {
    const [status, { instances }] = await Promise.all([this.status(), usageOf(this.world, this.#stop.signal)]);
    return [...this.world.metrics.families(), ...presentFamilies(status, instances)];
  });

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SlipwayError('shutting-down'));
    for (const watch of this.#watches) watch[Symbol.dispose]();
    await this.#loop[Symbol.asyncDispose]();
    await Promise.allSettled(this.#tasks);
    await this.world.prober[Symbol.asyncDispose]();
    this.#usage[Symbol.dispose]();
    this.#alarm[Symbol.dispose]();
  }

  async #pass(priority: Priority, signal: AbortSignal): Promise<PassResult> {
    this.#lastProbe = new Date().toISOString();
    const retry = this.#retryFailed;
    this.#retryFailed = false;
    try {
      if (this.#resume) await this.#bringBack(signal);
      const again = priority === 'wake' && !retry ? await reapply(this.world, signal) : undefined;
      const result = again ?? (await this.#run(retry, signal));
      this.world.metrics.synced(result.outcomes);
      return result;
    } catch (error) {
      const known = toSlipwayError(error);
      this.world.metrics.failed(known);
      if (known.code !== 'superseded') this.world.problem = known;
      throw error;
    } finally {
      this.#alarm.set(firstOpening(this.world.held));
      this.world.changed();
    }
  }

  /** What was left undone needs no git, should that be away: a version to return to must not wait for it. */
  async #run(retry: boolean, signal: AbortSignal): Promise<PassResult> {
    const { world } = this;
    try {
      return await run(world, { retry }, signal);
    } catch (error) {
      const isLeft = [...world.errors.values()].some(({ row }) => row.next === 'retry');
      if (isLeft && isAboutSource(toSlipwayError(error))) await reapply(world, signal);
      throw error;
    }
  }

  /** Before the first pass: neither git nor a broken commit keeps what was good from being served. */
  async #bringBack(signal: AbortSignal): Promise<void> {
    try {
      await resume(this.world, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#failed('resume', error);
    }
    this.#resume = false;
  }

  /** A pass for what the source wants now. Something newer ends what a running pass waits for. */
  async #passFor(wanted: string | undefined): Promise<PassResult> {
    const isNew = wanted !== undefined && wanted !== (this.#target ?? this.world.attempted?.id);
    this.#target = wanted ?? this.#target;
    const next = isNew && this.#loop.busy ? await nextAcceptable(this.world, this.#stop.signal) : undefined;
    // What is being worked on already by then is not newer than itself.
    return this.#loop.request('push', next !== undefined && next !== this.world.attempted?.id);
  }

  #follow(): void {
    const { source, drivers } = this.world;
    const watch = source.watch?.(() => void this.#poll());
    if (watch) this.#watches.push(watch);
    for (const driver of drivers.values()) {
      const changes = driver.watch?.((_id, outside) => {
        this.world.changed();
        this.#look();
        void this.#watchRollouts().catch(() => {});
        if (outside) void this.#resync();
      });
      if (changes) this.#watches.push(changes);
    }
    this.#tasks.push(this.#every(this.#options.intervalMs, () => this.#poll()));
    this.#tasks.push(this.#every(WATCH_MS, () => this.#watchRollouts()));
    this.#tasks.push(this.#every(this.#options.resyncMs ?? RESYNC_MS, () => this.#resync()));
  }

  /** A tick with nothing new costs one probe. A pass is not waited for: something newer may come meanwhile. */
  async #poll(): Promise<void> {
    const { world } = this;
    this.#lastProbe = new Date().toISOString();
    try {
      const wanted = await world.source.probe(this.#stop.signal);
      world.lastReached = this.#lastProbe;
      const isSame = wanted === (this.#target ?? world.attempted?.id) && !isAboutSource(world.problem);
      if (isSame && !(await isFloorNew(world.floor, world.floorId))) return;
      this.#passFor(wanted).catch(() => {}); // The pass itself notes why it failed.
    } catch (error) {
      const known = toSlipwayError(error);
      if (!this.#stop.signal.aborted) world.problem = known;
      world.metrics.failed(known);
    }
    world.changed();
  }

  /** Versions on trial: a bad one, and a canary whose next step is due, need a pass; one whose time is over is good. */
  async #watchRollouts(): Promise<void> {
    const { world } = this;
    // What was found bad already is on its way back, or waits for its next try.
    const { failures, trials } = world.applied;
    const watched = underWatch(world).filter(
      ({ address, hash }) =>
        failures[address]?.hash !== hash &&
        trials[address]?.verdict === undefined &&
        world.held.get(address)?.reason !== 'Suspended',
    );
    if (watched.length === 0 || world.working) return;
    const instances = await listInstances(world, this.#stop.signal);
    const of = ({ address, hash }: Workload) =>
      instances.filter((instance) => instance.address === address && instance.hash === hash);
    // Left from before a restart of Slipway.
    for (const workload of watched)
      if (trials[workload.address]?.hash === workload.hash && !world.watch.isWatched(workload.address, workload.hash))
        world.watch.begin(workload.address, workload.hash, of(workload));
    const bad = watched.filter((workload) => judge(world, workload, of(workload)) !== undefined);
    // What an error keeps from its next step is tried again by itself.
    const due = watched.some((one) => isStepOver(one, world.canaries) && !world.errors.has(one.address));
    if (bad.length > 0 || due) return void this.#loop.request('wake').catch(() => {});
    const over = trialsOver(world, watched);
    if (over.length > 0)
      endTrials(
        world,
        over.map(({ address }) => address),
      );
  }

  async #resync(): Promise<void> {
    await this.#loop.request('resync').catch(() => {});
  }

  /** Runs `work` again and again, with a pause of about `ms` between runs (±5 %, against many Slipways in step). */
  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await pause(ms * (0.95 + 0.1 * Math.random()), signal);
        await work();
      } catch (error) {
        this.#failed('timer', error);
      }
    }
  }

  #failed(what: string, error: unknown): void {
    if (!this.#stop.signal.aborted)
      this.#options.log('error', `${what}: ${toSlipwayError(error).message}`, { cause: String(error) });
  }
}

/** Problems that end by themselves when the source can be read again. */
const isAboutSource = (problem: SlipwayError | undefined): boolean =>
  problem?.code === 'source-unreachable' || problem?.code === 'ref-not-found' || problem?.code === 'path-not-found';

/** A gateway's life: start, swap, shut down. */
import { noAudit } from '../schemas/audit.ts';
import type { CacheDesk } from '../schemas/cache.ts';
import { SlipwayError } from '../schemas/errors.ts';
import type { BudgetStatus } from '../schemas/budgets.ts';
import type { LlmDesk } from '../schemas/llm.ts';
import type { Era } from '../schemas/modern.ts';
import type { LinkState, UpstreamStatus } from '../schemas/status.ts';
import type { Snapshot, Tally, Tool } from '../schemas/snapshot.ts';
import type { OpenSecret } from '../schemas/upstream-auth.ts';
import type { Source, State } from './exchange.ts';
import type { Gateway, GatewayOptions } from './options.ts';
import { Addresses } from './limits/addresses.ts';
import { Budgets } from './limits/budgets.ts';
import { Limiter } from './limits/limiter.ts';
import { cacheDesk } from './cache/desk.ts';
import { ResultCache } from './cache/results.ts';
import { TextCache } from './cache/texts.ts';
import { Denials } from './denials.ts';
import { Doors } from './doors.ts';
import { llmDesk } from './llm/desk.ts';
import { Llms } from './llm/llm.ts';
import { Keys } from './auth/keys.ts';
import { keyRing } from './auth/people.ts';
import { Usage } from './auth/usage.ts';
import { Monitor } from './lazy/monitor.ts';
import type { Handle } from './http/message.ts';
import { GatewayMetrics } from './metrics.ts';
import { handle } from './pipeline.ts';
import { baseOf } from './routes/consent.ts';
import { noticesAfter } from './notices.ts';
import { Plugins } from './plugins/plugins.ts';
import { PromptDesk } from './prompts/desk.ts';
import { Asks } from './sessions/asks.ts';
import { Calls } from './sessions/calls.ts';
import { Elicitations } from './sessions/elicitations.ts';
import { Sections } from './results/sections.ts';
import { Followers } from './sessions/followers.ts';
import { SessionMemory } from './sessions/memory.ts';
import { Parked } from './sessions/parked.ts';
import { Replays } from './sessions/replay.ts';
import { Seal } from './sessions/seal.ts';
import { Streams } from './sessions/streams.ts';
import { Tasks } from './sessions/tasks.ts';
import { idleWithin, Generation, type Lasting } from './snapshot.ts';
import { viewOf } from './steps/authorize.ts';
import { Authorizer } from './upstream/auth/authorizer.ts';
import { opener } from './upstream/connect.ts';
import { Tracing } from './tracing/tracing.ts';
import { Pool } from './upstream/pool.ts';
import { Scripts } from './script/scripts.ts';
import { Unasked } from './unasked.ts';
import { Workers } from './workers.ts';

/** What a cancelled call gets to send its last words (ms). */
const LAST_WORDS = 500;

export class RunningGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #pool: Pool;
  readonly #memory: SessionMemory;
  readonly #state: State;
  readonly #unasked: Unasked;
  readonly #usage = new Usage();
  readonly #lasting: Lasting;
  readonly #living = new Set<Generation>();
  readonly #doors: Doors;
  #swapping: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { log, version, snapshot, listen, secrets = noSecrets } = options;
    this.#doors = new Doors({
      listen,
      handler: this.#handler,
      onConnected: (socket) => this.#state.addresses.connected(socket),
      warn: this.#warn,
    });
    this.#lasting = { warn: this.#warn, keysOf: keyRing((provider) => new Keys(provider, log)), usage: this.#usage };
    const authorizer = new Authorizer({
      secrets,
      vault: options.vault,
      log,
      base: () => baseOf(this.#state.current.snapshot.gateway.publicUrl) ?? this.url,
      onForgotten: (server, principal) => this.#reauthorized(server, principal),
      onGranted: ({ server, principal }, consentId) => {
        this.#reauthorized(server, principal);
        this.#unasked.consented(server, consentId);
      },
    });
    this.#memory = new SessionMemory({
      store: options.sessions,
      log,
      onUnused: (server, uri) => this.#pool.server(server)?.interest.nobodyWants(uri),
    });
    this.#pool = new Pool({
      open: opener(options.connect, version),
      version,
      authorize: (door) => authorizer.authorization(door),
      wishesOf: (server) => this.#memory.wishesOf(server),
      taskOwner: (task) => this.#state.tasks.of(task)?.client,
      hearers: () => this.#unasked,
      onListed: () => options.listed?.(),
    });
    const [llm, texts, seal] = [new Llms({ secrets, log }), new TextCache(options.texts), new Seal(options.sessionKey)];
    this.#state = {
      log,
      version,
      control: options.control,
      hooks: options.hooks,
      ready: options.ready ?? (() => true),
      metrics: new GatewayMetrics(),
      audit: options.audit ?? noAudit,
      tracing: new Tracing({ version, log, secrets }),
      limiter: new Limiter(),
      budgets: new Budgets({ store: options.budgets, log }),
      workers: new Workers(),
      askers: new Workers({ most: 4 }),
      scripts: new Scripts(),
      llm,
      texts,
      prompts: new PromptDesk(llm, texts),
      plugins: new Plugins(),
      results: new ResultCache(log),
      sections: new Sections(),
      addresses: new Addresses(() => this.#state.current.snapshot.limits?.perAddress),
      authorizer,
      moreMetrics: options.metrics,
      seal,
      ended: this.#memory.ended,
      calls: new Calls(),
      asks: new Asks(),
      levels: this.#memory.levels,
      elicitations: new Elicitations(),
      tasks: new Tasks(seal),
      parked: new Parked(),
      oldSessions: new Map(),
      subscriptions: this.#memory.subscriptions,
      streams: new Streams((stream) => viewOf(this.#state.current, stream) !== undefined),
      replays: new Replays(),
      denials: new Denials(),
      monitor: new Monitor((name) => this.#state.current.servers.get(name), options.discoveryPace),
      onEnded: (sessionId) => this.#pool.endSession(sessionId),
      followers: new Followers(() => this.#state.current),
      current: this.#generation(snapshot),
      closing: false,
    };
    this.#unasked = new Unasked(this.#state);
    this.#follow(snapshot);
    this.#pool.adopt(this.#state.current.servers);
  }

  get url(): string {
    return this.#doors.url;
  }

  era(server: string): Era | undefined {
    return this.#pool.era(server);
  }

  budgets(): BudgetStatus[] {
    return this.#state.budgets.statuses();
  }

  readonly upstreams = (server: string): UpstreamStatus[] => this.#pool.status(server);
  readonly tools = (server: string): readonly Tool[] | undefined => this.#pool.tools(server);
  readonly relist = (server: string): Promise<readonly Tool[] | undefined> => this.#pool.relist(server);
  readonly unlisted = (server: string): Readonly<Record<string, string>> => this.#pool.server(server)?.unlisted ?? {};

  readonly links = (): ReadonlyMap<string, LinkState> => this.#state.prompts.links.states;

  busy(endpointId: string): number {
    return this.#pool.busy(endpointId);
  }

  idle(endpointIds: readonly string[]): Promise<void> {
    return this.#pool.idle(endpointIds);
  }

  tally(endpointId: string): Tally {
    return this.#pool.tally(endpointId);
  }

  lastUsed(): ReadonlyMap<string, number> {
    return this.#usage.lastUsed();
  }

  get llms(): LlmDesk {
    return llmDesk(this.#state);
  }

  get cache(): CacheDesk {
    return cacheDesk(this.#state);
  }

  start(): Promise<void> {
    return this.#doors.open(this.#options.snapshot, this.#options.socketPath);
  }

  swap(snapshot: Snapshot): Promise<void> {
    const swapped = this.#swapping.then(() => this.#swap(snapshot));
    this.#swapping = swapped.catch(() => {});
    return swapped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#shutDown();
    return this.#disposed;
  }

  async #swap(snapshot: Snapshot): Promise<void> {
    if (this.#state.closing) throw new SlipwayError('shutting-down');
    const before = this.#state.current;
    const generation = new Generation(snapshot, this.#pool.servers(snapshot), this.#lasting);
    await this.#doors.follow(snapshot, before.snapshot);
    this.#living.add(generation);
    this.#state.current = generation;
    this.#follow(snapshot);
    this.#pool.adopt(generation.servers);
    this.#doors.warnIfShut(snapshot);
    this.#state.streams.review();
    this.#state.followers.review();
    this.#state.streams.notifyEach((stream) => noticesAfter(before, generation, stream));
    for (const living of this.#living) if (living !== generation) void living.idle().then(() => this.#retire(living));
  }

  #retire(generation: Generation): void {
    this.#living.delete(generation);
    this.#pool.prune([...this.#living].map((living) => living.servers));
  }

  #generation(snapshot: Snapshot): Generation {
    const generation = new Generation(snapshot, this.#pool.servers(snapshot), this.#lasting);
    this.#living.add(generation);
    return generation;
  }

  readonly #warn = (message: string, fields: Readonly<Record<string, unknown>>): void =>
    this.#options.log('warn', message, fields);

  readonly #handler =
    (source: Source): Handle =>
    (request, response) =>
      void handle(this.#state, source, request, response);

  /** Whoever came before may have been somebody else there. */
  #reauthorized(server: string, principal: string | undefined): void {
    this.#pool.reauthorized(server, principal);
    this.#state.results.void(server);
  }

  /** What holds beyond requests goes by a snapshot from now on. */
  #follow(snapshot: Snapshot): void {
    const { tracing, budgets, authorizer, llm, texts, results, prompts } = this.#state;
    authorizer.follow(snapshot);
    tracing.configure(snapshot.gateway.tracing);
    budgets.configure(snapshot.budgets);
    llm.configure(snapshot.llms);
    texts.configure(snapshot.gateway.cache);
    results.configure(snapshot);
    prompts.links.keep(snapshot.prompts);
  }

  async #shutDown(): Promise<void> {
    const state = this.#state;
    state.closing = true;
    await this.#swapping;
    const closed = this.#doors.close();
    state.streams.endIdle();
    state.replays.close();
    state.parked.close();
    state.followers.close();
    state.monitor[Symbol.dispose]();
    if (!(await idleWithin(this.#living, state.current.snapshot.gateway.shutdownTimeoutMs))) {
      state.calls.abortAll(new SlipwayError('shutting-down'));
      await idleWithin(this.#living, LAST_WORDS);
    }
    state.streams.close();
    this.#pool.close();
    const traced = this.#state.tracing[Symbol.asyncDispose]();
    await state.authorizer.settled();
    this.#doors.cut();
    for (const asking of [state.prompts, state.llm, state.plugins]) asking[Symbol.dispose]();
    const stopped = [state.workers, state.askers, state.scripts].map((one) => one[Symbol.asyncDispose]());
    await Promise.all([
      ...closed,
      traced,
      ...stopped,
      state.budgets.close(),
      this.#memory.close(),
      state.texts.settled(),
    ]);
  }
}

const noSecrets: OpenSecret = () => Promise.reject(new SlipwayError('secret-unavailable'));

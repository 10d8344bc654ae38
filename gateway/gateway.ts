/** A gateway's life: start, swap, shut down. */
import type { RequestListener } from 'node:http';
import { noAudit } from '../schemas/audit.ts';
import { SlipwayError } from '../schemas/errors.ts';
import type { BudgetStatus } from '../schemas/budgets.ts';
import type { Era } from '../schemas/modern.ts';
import { needsCredentials, type Snapshot, type Tally } from '../schemas/snapshot.ts';
import type { UpstreamStatus } from '../schemas/status.ts';
import type { OpenSecret } from '../schemas/upstream-auth.ts';
import type { Source, State } from './exchange.ts';
import type { Gateway, GatewayOptions } from './options.ts';
import { isLoopback, parseListen } from '../schemas/listen.ts';
import { Addresses } from './limits/addresses.ts';
import { Budgets } from './limits/budgets.ts';
import { Limiter } from './limits/limiter.ts';
import { Denials } from './denials.ts';
import { listenTcp, listenUnix, type Listener } from './listen.ts';
import { Keys } from './auth/keys.ts';
import { keyRing } from './auth/people.ts';
import { Usage } from './auth/usage.ts';
import { Monitor } from './lazy/monitor.ts';
import { GatewayMetrics } from './metrics.ts';
import { handle } from './pipeline.ts';
import { baseOf } from './routes/consent.ts';
import { noticesAfter } from './notices.ts';
import { Asks } from './sessions/asks.ts';
import { Calls } from './sessions/calls.ts';
import { Elicitations } from './sessions/elicitations.ts';
import { EndedSessions } from './sessions/ended.ts';
import { Followers } from './sessions/followers.ts';
import { Levels } from './sessions/levels.ts';
import { Parked } from './sessions/parked.ts';
import { Replays } from './sessions/replay.ts';
import { Seal } from './sessions/seal.ts';
import { Streams } from './sessions/streams.ts';
import { Tasks } from './sessions/tasks.ts';
import { Subscriptions } from './sessions/subscriptions.ts';
import { Generation, type Lasting } from './snapshot.ts';
import { viewOf } from './steps/authorize.ts';
import { Authorizer } from './upstream/auth/authorizer.ts';
import { opener } from './upstream/connect.ts';
import { Tracing } from './tracing/tracing.ts';
import { Pool } from './upstream/pool.ts';
import { Unasked } from './unasked.ts';

/** What a cancelled call gets to send its last words (ms). */
const LAST_WORDS = 500;

export class RunningGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #pool: Pool;
  readonly #state: State;
  readonly #unasked: Unasked;
  readonly #usage = new Usage();
  readonly #lasting: Lasting;
  readonly #living = new Set<Generation>();
  readonly #listeners = new Set<Listener>();
  #tcp: Listener | undefined;
  #listen = '';
  #swapping: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { log, version, snapshot } = options;
    this.#lasting = { warn: this.#warn, keysOf: keyRing((provider) => new Keys(provider, log)), usage: this.#usage };
    const authorizer = new Authorizer({
      secrets: options.secrets ?? noSecrets,
      vault: options.vault,
      log,
      base: () => baseOf(this.#state.current.snapshot.gateway.publicUrl) ?? this.url,
      onForgotten: (server, principal) => this.#pool.reauthorized(server, principal),
      onGranted: ({ server, principal }, consentId) => {
        this.#pool.reauthorized(server, principal);
        this.#unasked.consented(server, consentId);
      },
    });
    this.#pool = new Pool({
      open: opener(options.connect, version),
      version,
      authorize: (door) => authorizer.authorization(door),
      onChanged: (server, method, principal) => this.#unasked.changed(server, method, principal),
      onNotification: (server, notification, audience) => this.#unasked.said(server, notification, audience),
    });
    const seal = new Seal(options.sessionKey);
    this.#state = {
      log,
      version,
      control: options.control,
      hooks: options.hooks,
      ready: options.ready ?? (() => true),
      metrics: new GatewayMetrics(),
      audit: options.audit ?? noAudit,
      tracing: new Tracing({ version, log, secrets: options.secrets ?? noSecrets }),
      limiter: new Limiter(),
      budgets: new Budgets({ store: options.budgets, log }),
      addresses: new Addresses(() => this.#state.current.snapshot.limits?.perAddress),
      authorizer,
      moreMetrics: options.metrics,
      seal,
      ended: new EndedSessions(),
      calls: new Calls(),
      asks: new Asks(),
      levels: new Levels(),
      elicitations: new Elicitations(),
      tasks: new Tasks(seal),
      parked: new Parked(),
      oldSessions: new Map(),
      subscriptions: new Subscriptions((server, uri) => this.#pool.server(server)?.forget(uri)),
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
    authorizer.follow(snapshot);
    this.#pool.adopt(this.#state.current.servers);
    this.#state.tracing.configure(snapshot.gateway.tracing);
    this.#state.budgets.configure(snapshot.budgets);
  }

  get url(): string {
    return this.#tcp?.url ?? '';
  }

  era(server: string): Era | undefined {
    return this.#pool.era(server);
  }

  budgets(): BudgetStatus[] {
    return this.#state.budgets.statuses();
  }

  upstreams(server: string): UpstreamStatus[] {
    return this.#pool.status(server);
  }

  unlisted(server: string): Readonly<Record<string, string>> {
    return this.#pool.server(server)?.unlisted ?? {};
  }

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

  async start(): Promise<void> {
    const { snapshot, socketPath } = this.#options;
    await this.#listenOn(this.#addressOf(snapshot), snapshot);
    if (socketPath !== undefined) this.#listeners.add(await listenUnix(socketPath, this.#handler));
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
    const address = this.#addressOf(snapshot);
    if (address !== this.#listen) await this.#moveTo(address, snapshot);
    this.#living.add(generation);
    this.#state.current = generation;
    this.#state.tracing.configure(snapshot.gateway.tracing);
    this.#state.budgets.configure(snapshot.budgets);
    this.#state.authorizer.follow(snapshot);
    this.#pool.adopt(generation.servers);
    this.#warnIfShut(snapshot);
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
    (source: Source): RequestListener =>
    (request, response) =>
      void handle(this.#state, source, request, response);

  #addressOf(snapshot: Snapshot): string {
    return this.#options.listen ?? snapshot.gateway.listen;
  }

  async #listenOn(address: string, snapshot: Snapshot): Promise<void> {
    const parsed = parseListen(address);
    // An open gateway on the network hands every tool to whoever finds it.
    if (!isLoopback(parsed.host) && !needsCredentials(snapshot)) throw new SlipwayError('unsafe-listen');
    this.#tcp = await listenTcp(parsed, this.#handler, (socket) => this.#state.addresses.connected(socket));
    this.#listen = address;
    this.#listeners.add(this.#tcp);
  }

  /**
   * On the new address first: a request is welcome on either until the old one is closed. Where both share a port, the
   * old one has to let go of it before, and takes it back if the new one fails.
   */
  async #moveTo(address: string, snapshot: Snapshot): Promise<void> {
    const old = this.#tcp;
    const before = this.#listen;
    const leave = (): void => void old?.close().then(() => this.#listeners.delete(old));
    const shared = parseListen(address).port === parseListen(before).port && parseListen(address).port !== 0;
    if (shared) leave();
    try {
      await this.#listenOn(address, snapshot);
    } catch (error) {
      if (shared) await this.#listenOn(before, this.#state.current.snapshot);
      throw error;
    }
    if (!shared) leave();
  }

  #warnIfShut(snapshot: Snapshot): void {
    if (needsCredentials(snapshot) || this.#tcp?.source.loopback !== false) return;
    this.#warn(
      'no Token and no identity provider is left while listening beyond loopback: every request over TCP is refused',
      {},
    );
  }

  async #shutDown(): Promise<void> {
    const state = this.#state;
    state.closing = true;
    await this.#swapping;
    const closed = [...this.#listeners].map((listener) => listener.close());
    state.streams.endIdle();
    state.subscriptions.close();
    state.replays.close();
    state.parked.close();
    state.followers.close();
    state.monitor[Symbol.dispose]();
    if (!(await this.#idleWithin(state.current.snapshot.gateway.shutdownTimeoutMs))) {
      state.calls.abortAll(new SlipwayError('shutting-down'));
      await this.#idleWithin(LAST_WORDS);
    }
    state.streams.close();
    this.#pool.prune([]);
    const traced = this.#state.tracing[Symbol.asyncDispose]();
    await state.authorizer.settled();
    for (const listener of this.#listeners) listener.cut();
    await Promise.all([...closed, traced, state.budgets.close()]);
  }

  /** Whether every running request ended in time. */
  async #idleWithin(ms: number): Promise<boolean> {
    const timeout = Promise.withResolvers<boolean>();
    const timer = setTimeout(timeout.resolve, ms, false);
    const idle = allIdle(this.#living).then(() => true);
    const result = await Promise.race([idle, timeout.promise]);
    clearTimeout(timer);
    return result;
  }
}

const noSecrets: OpenSecret = () => Promise.reject(new SlipwayError('secret-unavailable'));

async function allIdle(generations: Iterable<Generation>): Promise<void> {
  await Promise.all([...generations].map((generation) => generation.idle()));
}

/**
 * Holds one stdio instance: starts it with the first request, stops it when idle, restarts it after a crash, and lets
 * any number of connections share its one MCP session. Whoever connects sees a server that is always there.
 */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { Connection, ConnectionHandlers, ConnectOptions, RequestOptions } from '../../schemas/peer.ts';
import type { InstanceStatus } from '../../schemas/status.ts';
import { pause, untilAborted } from '../async.ts';
import { BridgeConnection, handlersFor, tellOfRestart } from './connection.ts';
import { CrashBackoff, isOutage } from './crash-backoff.ts';
import { Requests, watches } from './requests.ts';
import { Unprobed } from './handshake.ts';
import { answerFrom, openSession, worksOn, type Session } from './session.ts';
import type { StdioInstanceOptions } from './stdio.ts';

export class StdioInstance implements AsyncDisposable {
  #options: StdioInstanceOptions;
  readonly #connections = new Set<BridgeConnection>();
  readonly #closing = new AbortController();
  readonly #crashes = new CrashBackoff();
  readonly #wanted = new Requests();
  #session: Promise<Session> | undefined;
  /** The same once it stands: a call then has nothing to wait for. */
  #open: Session | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #idleWaiters: (() => void)[] = [];
  #stopping: Promise<void> | undefined;
  readonly #toldToStop = new WeakSet<Session>();
  /** Whether this is not its first run. */
  #ran = false;
  /** Whether to ask it what it speaks: until it turns out that it does not survive that. */
  #probe = true;
  state: InstanceStatus['state'] = 'sleeping';
  pid: number | undefined;
  startedAt: string | undefined;
  lastError: string | undefined;

  constructor(options: StdioInstanceOptions) {
    this.#options = options;
    if (options.lifecycle === 'always' || options.adopted) this.#startSoon(0);
  }

  get restarts(): number {
    return this.#crashes.total;
  }

  /** Takes over settings that need no restart. */
  adjust({ lifecycle, idleTimeoutMs }: Pick<StdioInstanceOptions, 'lifecycle' | 'idleTimeoutMs'>): void {
    this.#options = { ...this.#options, lifecycle, idleTimeoutMs };
    if (lifecycle === 'always' && !this.#session) this.#startSoon(this.#crashes.waitMs());
    if (lifecycle === 'onDemand' && this.#inFlight === 0 && this.#session) this.#sleepWhenIdle();
  }

  open(handlers: ConnectionHandlers, { passive = false }: ConnectOptions = {}): Connection {
    const connection: BridgeConnection = new BridgeConnection(this, handlers, passive, () =>
      this.#connections.delete(connection),
    );
    // Who only looks is told nothing: what the server says and asks is for those who use it.
    if (!passive) this.#connections.add(connection);
    return connection;
  }

  /** @internal For its connections: what server and bridge agreed on is answered from memory. */
  async request(
    connection: BridgeConnection,
    method: string,
    params: Record<string, unknown> | undefined,
    options: RequestOptions,
  ): Promise<unknown> {
    if (connection.passive) return this.#aside(method, params, options);
    // One who listens waits for news, not for an answer: for that alone a server need not stay awake.
    if (method === 'subscriptions/listen') return this.#listen(connection, params, options.signal);
    this.#enter();
    connection.inFlight++;
    try {
      const session = this.#open ?? (await this.#admitted(options));
      if (method === 'initialize' || method === 'server/discover') return answerFrom(session, method);
      const result = await session.peer.request(method, params, options);
      session.tasks.answered(method, params, result);
      this.#wanted.note(method, params);
      return result;
    } finally {
      connection.inFlight--;
      this.#leave();
    }
  }

  /** Another process than the one that its caller knows: who wants to look at it first is asked. */
  async #admitted({ signal, admit }: RequestOptions): Promise<Session> {
    const session = await this.#awake(signal);
    const wait = admit?.();
    if (wait) await untilAborted(wait, signal);
    return session;
  }

  async #listen(
    { handlers: { onNotification } }: BridgeConnection,
    params: Record<string, unknown> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    if (watches(params)) await this.#awake(signal);
    try {
      return await this.#wanted.listen(params, { signal, onNotification }, this.#open?.peer);
    } finally {
      if (this.#inFlight === 0 && this.#session) this.#sleepWhenIdle();
    }
  }

  /** A request that changes nothing about whether the instance runs, sleeps or counts as busy. */
  async #aside(method: string, params: Record<string, unknown> | undefined, options: RequestOptions): Promise<unknown> {
    const session = this.state === 'running' ? this.#open : undefined;
    if (!session) throw new SlipwayError('not-ready', 'The server does not run.');
    if (method === 'initialize' || method === 'server/discover') return answerFrom(session, method);
    return session.peer.request(method, params, options);
  }

  /** Ends the process as if it had crashed, so that it comes back with the pauses that crashes get. */
  async restart(reason: string): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    if (!session || this.#stopping || this.#closing.signal.aborted) return;
    this.#toldToStop.add(session);
    this.#open = undefined;
    this.#session = undefined;
    const stop = session.process.stop().catch((error: unknown) => {
      session.process.detach?.(); // It may run on: whoever takes it over must be alone with it.
      throw error;
    });
    this.#stopping = stop.finally(() => void (this.#stopping = undefined));
    this.#failed(reason);
    await this.#stopping;
  }

  /** What kept it from running may be over. */
  retry(): void {
    if (this.state === 'crashed') this.#startSoon(this.#crashes.forgive());
  }

  /** @internal */
  notify(method: string, params?: Record<string, unknown>): void {
    // The bridge sent its own `initialized`; a sleeping server has nothing to be told.
    if (method === 'notifications/initialized' || this.state !== 'running') return;
    void this.#session?.then(({ peer }) => peer.notify(method, params));
  }

  /** Resolves when no request runs. */
  idle(): Promise<void> {
    return this.#inFlight === 0 ? Promise.resolve() : new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Ends the conversation and not the server, where that is possible. */
  async release(): Promise<void> {
    this.#closing.abort(new SlipwayError('shutting-down'));
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#idleTimer);
    const session = await this.#session?.catch(() => undefined);
    if (!session?.process.detach) return this.#stop();
    this.#toldToStop.add(session);
    session.process.detach();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new SlipwayError('upstream-unavailable', 'The instance was removed.'));
    clearTimeout(this.#restartTimer);
    await this.#stop();
  }

  async #awake(signal: AbortSignal | undefined): Promise<Session> {
    this.#closing.signal.throwIfAborted();
    await this.#stopping;
    signal?.throwIfAborted(); // Nobody is left to be woken for.
    this.#session ??= this.#start(this.#crashes.bearableMs(this.lastError));
    return untilAborted(this.#session, signal);
  }

  async #start(waitMs: number): Promise<Session> {
    clearTimeout(this.#restartTimer);
    const { start, log, startTimeoutMs, version } = this.#options;
    try {
      if (waitMs > 0) await pause(waitMs, this.#closing.signal);
      this.#become('starting');
      const child = await start();
      this.pid = child.pid;
      try {
        const session = await openSession(child, handlersFor(this.#connections), log, {
          version,
          timeoutMs: startTimeoutMs,
          signal: this.#closing.signal,
          probe: this.#probe,
        });
        void child.ended.then((why) => this.#ended(session, why));
        this.#open = session;
        this.#wanted.repeat(session.peer);
        if (this.#ran) tellOfRestart(this.#connections);
        this.#ran = true;
        this.startedAt = new Date().toISOString();
        this.#become('running');
        if (this.#inFlight === 0) this.#sleepWhenIdle();
        return session;
      } catch (error) {
        await child.stop();
        if (!(error instanceof Unprobed)) throw error;
        log.write('slipway', 'the server ended when it was asked what it speaks; it is started again and not asked');
        this.#probe = false;
        return await this.#start(0);
      }
    } catch (error) {
      this.#session = undefined;
      this.#failed(error instanceof Error ? error.message : String(error), isOutage(error));
      throw error;
    }
  }

  /** The process ended by itself: a crash, unless it was told to stop. */
  #ended(session: Session, why: string): void {
    if (this.#toldToStop.has(session)) return;
    session.process.stop().catch(() => {}); // Ends what it may have left behind in its group.
    this.#open = this.#session = undefined;
    this.#failed(why, session.process.outage);
  }

  #failed(why: string, outage = false): void {
    this.pid = this.startedAt = undefined;
    if (this.#closing.signal.aborted) return;
    this.lastError = why;
    this.#options.log.write('slipway', `the server failed: ${why}`);
    const wait = this.#crashes.crashed(outage);
    this.#become('crashed');
    this.#startSoon(wait);
  }

  #startSoon(waitMs: number): void {
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => void this.#awake(undefined).catch(() => {}), waitMs);
  }

  #enter(): void {
    this.#inFlight++;
    clearTimeout(this.#idleTimer);
  }

  #leave(): void {
    if (--this.#inFlight > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
    this.#sleepWhenIdle();
  }

  #sleepWhenIdle(): void {
    clearTimeout(this.#idleTimer);
    if (this.#options.lifecycle === 'always' || this.#closing.signal.aborted) return;
    const sleep = () => this.#sleep().catch((error: unknown) => this.#stillThere(error));
    this.#idleTimer = setTimeout(sleep, this.#options.idleTimeoutMs).unref();
  }

  async #sleep(): Promise<void> {
    const session = this.#open;
    // Asleep, it could not tell of the changes that somebody wants to hear of.
    const isBusy = () => this.#inFlight > 0 || this.#options.lifecycle === 'always' || this.#wanted.subscribed;
    if (!session || isBusy()) return;
    if (await worksOn(session)) return this.#sleepWhenIdle();
    if (session !== this.#open || isBusy()) return;
    this.#options.log.write('slipway', 'stopped after being idle');
    await this.#stop();
    this.#become('sleeping');
  }

  /** It could not be stopped, so it runs, and is used as before. */
  #stillThere(error: unknown): void {
    this.#options.log.write('slipway', `the server could not be stopped: ${toSlipwayError(error).message}`);
    if (this.#session && !this.#closing.signal.aborted) this.#sleepWhenIdle();
  }

  #stop(): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.#open = undefined;
    this.#stopping ??= (async () => {
      const session = await this.#session?.catch(() => undefined);
      if (this.state !== 'crashed') this.#become('stopping'); // One that is to come back says so.
      if (session) this.#toldToStop.add(session);
      try {
        await session?.process.stop();
      } catch (error) {
        if (session) this.#toldToStop.delete(session);
        this.#open = session;
        this.#become('running');
        throw error;
      }
      this.#session = undefined;
      this.pid = this.startedAt = undefined;
    })().finally(() => void (this.#stopping = undefined));
    return this.#stopping;
  }

  #become(state: InstanceStatus['state']): void {
    this.state = state;
    this.#options.onChange();
  }
}

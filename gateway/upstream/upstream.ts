/** The gateway's connection to one instance or remote server: opened when first needed, opened again when it ends. */
import { hash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { RpcFailure, type RpcNotification, type RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Asked, Client, Connection, RequestOptions } from '../../schemas/peer.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { UpstreamStatus } from '../../schemas/status.ts';
import { OpenTasks, relatedTask } from '../../schemas/tasks.ts';
import { Breaker } from './breaker.ts';
import { Callers } from './callers.ts';
import { NeedsAuthorization } from './auth/needs.ts';
import { NotDelivered, Refused, type Audience, type Open, type Welcome } from './link.ts';
import { hello, OPEN_TIMEOUT, tooSlow, wordsFor } from './opening.ts';
import { Pace } from './pace.ts';
import { count, failed, isFault, isVerdict } from './tally.ts';
import { within } from './within.ts';

/** Between two attempts to reach one that is waited for: on average at first, and at most (ms). */
const COME_BACK = 1_000;
const COME_BACK_MAX = 30_000;

export interface UpstreamOptions {
  /** Whose instance it leads to. */
  readonly server: string;
  readonly endpoint: Endpoint;
  readonly open: Open;
  /** For `clientInfo`. */
  readonly version: string;
  /** Whose credentials it is reached with, where everybody has their own. */
  readonly principal?: string | undefined;
  /** Which client began a task, by the server's own id for it. */
  taskOwner(id: string): string | undefined;
  /** The one client that has the instance, where it can be asked between its calls; without it, clients share the instance. */
  owner?(instance: string): Client | undefined;
  /** Whether somebody waits for what it tells unasked. */
  isAwaited?(): boolean;
  onOpen(welcome: Welcome): void;
  onNotification(notification: RpcNotification, audience: Audience): void;
}

export class Upstream {
  readonly endpoint: Endpoint;
  /** Names the instance in what clients keep: always the same, and telling nothing of where it is. */
  readonly instance: string;
  /** Those that it works on for clients. */
  readonly tasks = new OpenTasks();
  /** Whose credentials it is reached with, where everybody has their own. */
  readonly principal: string | undefined;
  readonly #options: UpstreamOptions;
  #connection: Connection | undefined;
  #opening: Promise<Connection> | undefined;
  /** The connection that is being opened. */
  #half: Connection | undefined;
  readonly #callers = new Callers();
  readonly #breaker = new Breaker();
  #busy = 0;
  #idle: (() => void)[] = [];
  /** What became of the calls of clients so far. */
  readonly tally = { calls: 0, errors: 0 };
  readonly #pace = new Pace();
  #closed = false;
  /** Why nobody was let in when it was asked last. */
  #locked: string | undefined;

  constructor(options: UpstreamOptions) {
    this.endpoint = options.endpoint;
    this.principal = options.principal;
    // One that a client has for itself is new each time, and so are the ids that it gives to tasks.
    const own = options.owner ? randomUUID() : (options.principal ?? '');
    this.instance = hash('sha256', `${options.server} ${options.endpoint.id} ${own}`, 'base64url').slice(0, 8);
    this.#options = options;
  }

  /** Requests that wait for it, those that wait for the connection included. */
  get busy(): number {
    return this.#busy;
  }

  /**
   * @throws NotDelivered when the request never got there, RpcFailure as the server answered, SlipwayError otherwise
   */
  async request(method: string, params: Record<string, unknown>, options: RequestOptions): Promise<unknown> {
    this.#busy++;
    const { client } = options;
    if (client) this.#callers.began(client);
    const began = performance.now();
    let asked = false;
    let over = true;
    try {
      this.#breaker.pass();
      const connection = options.admit || !this.#connection ? await this.#admitted(options) : this.#connection;
      asked = true;
      const result = await connection.request(method, params, options);
      this.tasks.answered(method, params, result);
      this.#locked = undefined;
      this.#breaker.succeeded();
      if (client) count(this.tally, failed(result));
      return result;
    } catch (error) {
      if (asked) this.#judge(error);
      this.tasks.refused(method, params, error);
      // Cancelled, or too late: the server may not know that, or not care.
      over = !asked || error instanceof RpcFailure || error instanceof NotDelivered || error instanceof Refused;
      this.#locked = error instanceof NeedsAuthorization ? error.message : undefined;
      if (client && !this.#closed && isVerdict(error)) count(this.tally, isFault(error));
      throw error;
    } finally {
      if (client) this.#ended(client, began, over);
      if (--this.#busy === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #ended(client: Client, began: number, over: boolean): void {
    const now = performance.now();
    this.#pace.add(began, now);
    if (over) this.#callers.answered(client, now);
    else this.#callers.gaveUp(client, now);
  }

  /** The connection that stands, or a new one. What a request waits for there may take so long that it is gone by then. */
  async #admitted({ admit, signal }: RequestOptions): Promise<Connection> {
    for (;;) {
      const connection = this.#connection ?? (await within(this.#open(), signal));
      const wait = admit?.();
      if (!wait) return connection;
      await within(wait, signal);
      if (this.#connection === connection) return connection;
    }
  }

  /** Whether somebody waits for an answer of it, or for what a task of it will bring. */
  get inUse(): boolean {
    return this.#busy > 0 || this.tasks.any;
  }

  /** Resolves when no request waits for it. */
  idle(): Promise<void> {
    return this.#busy === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Whether it could not be opened a moment ago, so that a request had better go elsewhere. */
  get failing(): boolean {
    return this.#breaker.pause > 0 && (this.#connection === undefined || this.#breaker.state === 'open');
  }

  /** Whether requests are refused at once because it failed too often. */
  get broken(): boolean {
    return this.#breaker.state === 'open';
  }

  /** Whether it remembers something of whoever called, so that the same client should come back; undefined until known. */
  get keepsSessions(): boolean | undefined {
    return this.endpoint.transport === 'stdio' ? false : this.#connection && (this.#connection.keepsSession ?? true);
  }

  /** For `slipway describe`. */
  get status(): UpstreamStatus {
    const { lastError, state } = this.#breaker;
    const { p95 } = this.#pace;
    return {
      id: this.endpoint.id,
      transport: this.endpoint.transport,
      connected: this.connected,
      ...(this.keepsSessions === undefined ? {} : { session: this.keepsSessions }),
      inFlight: this.#busy,
      calls: this.tally.calls,
      errors: this.tally.errors,
      perSecond: rounded(this.#pace.perSecond(performance.now())),
      ...(p95 === undefined ? {} : { p95Ms: rounded(p95) }),
      breaker: state,
      ...(lastError === undefined ? {} : { lastError }),
      ...(this.#locked === undefined ? {} : { needsAuthorization: this.#locked }),
      ...(this.principal === undefined ? {} : { principal: this.principal }),
    };
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** @throws NotDelivered */
  async connect(): Promise<void> {
    if (!this.#connection) await this.#open();
  }

  /** Dropped where no connection stands: it would tell a new one nothing. */
  notify(method: string, params: Record<string, unknown> | undefined): void {
    this.#connection?.notify(method, params);
  }

  /** Nothing new begins on the connection that stands; it ends with what runs on it. */
  reopen(): void {
    const before = this.#connection;
    this.#connection = undefined;
    this.#locked = undefined;
    this.#breaker.succeeded();
    if (before) void this.idle().then(() => before.close());
  }

  close(): void {
    this.#closed = true;
    this.#half?.close();
    this.#connection?.close();
    this.#connection = undefined;
    this.tasks.clear();
  }

  /**
   * What became of a request says whether the server is there. That it refused one says that it is; that one took too
   * long says nothing: one slow tool must not close a server whose other tools answer.
   */
  #judge(error: unknown): void {
    if (error instanceof RpcFailure || error instanceof Refused) this.#breaker.succeeded();
    else if (error instanceof SlipwayError && error.code === 'upstream-unavailable') this.#breaker.failed(error);
  }

  /** Clients wait for what it tells unasked, and no call may ever come to connect it again. */
  async #comeBack(): Promise<void> {
    for (let pause = COME_BACK; this.#options.isAwaited?.(); pause = Math.min(pause * 2, COME_BACK_MAX)) {
      await sleep(pause * (0.5 + Math.random()), undefined, { ref: false });
      if (this.#closed || this.#connection) return;
      const error = await this.connect().catch((reason: unknown) => reason);
      // Only a person can help there.
      if (error instanceof NeedsAuthorization) return;
    }
  }

  /** One opening at a time, however many wait for it. */
  #open(): Promise<Connection> {
    this.#opening ??= this.#dial().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #dial(): Promise<Connection> {
    const { pause } = this.#breaker;
    if (pause > 0 && this.#breaker.state === 'closed') await sleep(pause, undefined, { ref: false });
    let gone = false;
    let connection: Connection | undefined;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(tooSlow()), OPEN_TIMEOUT);
    try {
      if (this.#closed) throw new NotDelivered('The connection was closed.');
      connection = await this.#options.open(this.endpoint, {
        onRequest: (request, asked) => this.#ask(request, asked),
        onNotification: (notification, client) => this.#said(notification, client),
        onReopen: this.#options.onOpen,
        onClose: () => {
          gone = true;
          if (this.#connection === connection) this.#connection = undefined;
          // Over HTTP, a connection comes and goes without its server.
          if (this.endpoint.transport === 'stdio') this.tasks.clear();
          void this.#comeBack();
        },
      });
      this.#half = connection;
      const welcome = (await connection.request('initialize', hello(this.#options.version), {
        signal: late.signal,
      })) as Welcome;
      if (gone || this.#closed) throw new NotDelivered('The connection was closed.');
      connection.notify('notifications/initialized');
      this.#connection = connection;
      this.#breaker.succeeded();
      this.#options.onOpen(welcome ?? {});
      return connection;
    } catch (error) {
      connection?.close();
      // That a person must open it is no outage: the call after the consent must not wait.
      if (!(error instanceof NeedsAuthorization)) this.#breaker.failed(error);
      // Whatever went wrong in the opening, the caller's own request has not been sent.
      throw error instanceof NotDelivered ? error : new NotDelivered(wordsFor(error), error);
    } finally {
      clearTimeout(timer);
      this.#half = undefined;
    }
  }

  #said(notification: RpcNotification, client: Client | undefined): void {
    this.tasks.told(notification);
    const audience = client ? { client, busy: true } : this.#callers.told();
    this.#options.onNotification(notification, { ...audience, instance: this.instance });
  }

  /** A question that a client is meant to answer: whose call it is for, the transport tells, or the task that it belongs to. */
  async #ask(request: RpcRequest, asked: Asked): Promise<unknown> {
    const task = relatedTask(request.params);
    const owner = task === undefined ? undefined : (this.#options.taskOwner(task) ?? '');
    if (asked.client) return asked.client.request(request, asked);
    const client = this.#options.owner ? this.#callers.latest(owner) : this.#callers.asked(owner);
    if (client) return this.#callers.ask(client, request, asked);
    const listener = this.#options.owner?.(this.instance);
    if (listener) return listener.request(request, asked);
    throw this.#callers.refusal(request, task);
  }
}

const rounded = (value: number): number => Number(value.toPrecision(3));

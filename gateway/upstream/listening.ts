/** What a server of MCP 2026-07-28 is listened to for: one `subscriptions/listen`, opened anew when the wishes change. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Capabilities } from './known.ts';

/** How long a server may take to say what it grants (ms). */
const ACKNOWLEDGE_TIMEOUT = 10_000;
/** Pauses between two attempts to listen (ms). */
const PAUSE = 1_000;
const PAUSE_MAX = 30_000;

const NOTHING: ReadonlySet<string> = new Set();

type Filter = Record<string, unknown>;

export interface ListeningOptions {
  readonly lists: Capabilities;
  /** Sends the request; its answer comes when the server has no more to say. */
  open(notifications: Filter, signal: AbortSignal): Promise<unknown>;
  /** Nobody listened for a while: what was known may have changed. */
  onMissed(): void;
}

export class Listening {
  readonly #options: ListeningOptions;
  readonly #lists: Filter;
  readonly #wanted = new Set<string>();
  readonly #closed = new AbortController();
  #granted: ReadonlySet<string> = new Set();
  /** Ends the request that stands. */
  #standing: AbortController | undefined;
  #acknowledged: ((filter: Filter) => void) | undefined;
  #changing: Promise<void> | undefined;
  #stale = false;
  #deaf = false;
  #pause = PAUSE;

  constructor(options: ListeningOptions) {
    this.#options = options;
    const fields = { toolsListChanged: 'tools', promptsListChanged: 'prompts', resourcesListChanged: 'resources' };
    const told = Object.entries(fields).filter(([, capability]) => options.lists[capability]?.['listChanged'] === true);
    this.#lists = Object.fromEntries(told.map(([field]) => [field, true]));
  }

  /** Begins to listen, if there is something to hear. */
  start(): void {
    void this.#settle();
  }

  /** @throws RpcFailure where the server does not tell of it */
  async add(uri: string): Promise<void> {
    this.#wanted.add(uri);
    await this.#settle();
    if (this.#granted.has(uri)) return;
    this.#wanted.delete(uri);
    throw new RpcFailure({ code: RPC.invalidParams, message: `The server does not tell of ${uri}`, data: { uri } });
  }

  remove(uri: string): void {
    if (this.#wanted.delete(uri)) void this.#settle();
  }

  /** The server has said what it will tell of. */
  granted(filter: unknown): void {
    if (this.#acknowledged) this.#acknowledged((filter ?? {}) as Filter);
    // Nothing was asked just now: it has started again behind the bridge, which asked for us.
    else if (!this.#closed.signal.aborted) this.#options.onMissed();
  }

  close(): void {
    this.#closed.abort();
  }

  /** One change at a time; what is wanted meanwhile is part of the next. */
  #settle(): Promise<void> {
    this.#stale = true;
    this.#changing ??= this.#change().finally(() => (this.#changing = undefined));
    return this.#changing;
  }

  async #change(): Promise<void> {
    while (this.#stale && !this.#closed.signal.aborted) {
      this.#stale = false;
      await this.#open();
    }
  }

  /**
   * The old request ends when the new one stands, so that nothing is missed between them; and if the new one is refused
   * it stays, because one client's bad wish must not make everybody deaf.
   */
  async #open(): Promise<void> {
    const before = this.#standing;
    const uris = [...this.#wanted];
    const filter = { ...this.#lists, ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}) };
    const granted = Object.keys(filter).length > 0 && !this.#deaf ? await this.#request(filter) : NOTHING;
    if (!granted && this.#standing) return;
    this.#granted = granted ?? NOTHING;
    if (this.#standing === before) this.#standing = undefined;
    before?.abort();
  }

  /** @returns what the server will tell of; `undefined` where it refused */
  async #request(filter: Filter): Promise<ReadonlySet<string> | undefined> {
    const stop = new AbortController();
    const acknowledged = new Promise<Filter>((resolve) => (this.#acknowledged = resolve));
    const signal = AbortSignal.any([stop.signal, this.#closed.signal]);
    const ended = this.#options.open(filter, signal).then(
      () => undefined,
      (error: unknown) => error,
    );
    const late = sleep(ACKNOWLEDGE_TIMEOUT, undefined, { signal, ref: false }).catch(() => {});
    const granted = await Promise.race([acknowledged, ended.then(() => undefined), late.then(() => undefined)]);
    this.#acknowledged = undefined;
    if (!granted) {
      stop.abort();
      if (!this.#standing) void ended.then((error) => this.#lost(error));
      return undefined;
    }
    this.#standing = stop;
    this.#pause = PAUSE;
    void ended.then((error) => this.#standing === stop && this.#lost(error));
    const { resourceSubscriptions: uris } = granted;
    return new Set(Array.isArray(uris) ? (uris as string[]) : []);
  }

  /** It ended by itself: once more, after a while. A server that has no such method never will. */
  #lost(error: unknown): void {
    this.#standing = undefined;
    this.#deaf ||= error instanceof RpcFailure && error.error.code === RPC.methodNotFound;
    if (this.#deaf || this.#closed.signal.aborted) return;
    const { signal } = this.#closed;
    const pause = this.#pause * (0.5 + Math.random());
    this.#pause = Math.min(this.#pause * 2, PAUSE_MAX);
    setTimeout(() => !signal.aborted && void this.#again(), pause).unref();
  }

  async #again(): Promise<void> {
    if (this.#standing || this.#changing) return;
    await this.#settle();
    if (this.#standing) this.#options.onMissed();
  }
}

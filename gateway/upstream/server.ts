/** One MCP server as a snapshot describes it: its upstreams, what is known of it, and what is wanted of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RpcNotification } from '../../schemas/jsonrpc.ts';
import type { RequestOptions } from '../../schemas/peer.ts';
import type { Era } from '../../schemas/modern.ts';
import type { ServerEntry } from '../../schemas/snapshot.ts';
import { choose, keepSessions } from './balance.ts';
import { fetchList, type Request } from './fetch-list.ts';
import { NeedsAuthorization } from './auth/needs.ts';
import type { Capabilities, Known, Wishes } from './known.ts';
import { NotDelivered, type Welcome } from './link.ts';
import { admission, look, lookAnew } from './looks.ts';
import type { Fetched, ListState } from './listing.ts';
import { LIST_NAMES, LISTS, type ListName } from './lists.ts';
import { Interest, tell } from './interest.ts';
import { holderOf, type IsolatedUpstreams } from './isolated.ts';
import type { Personal } from './personal.ts';
import { named, unavailable, whyNone } from './unavailable.ts';
import type { Upstream } from './upstream.ts';

/** How long a client waits to hear what a server can do of which nothing is known (ms). */
const INTRODUCTION = 3_000;
/** How long nobody waits again for one that did not say so: a bad server must not slow every handshake (ms). */
const SILENCE = 30_000;
/** How long lists are waited for where the config does not say (ms). */
const LIST_TIMEOUT = 10_000;
const NOTHING: ListState = { items: [] };
const NONE: ReadonlySet<Upstream> = new Set();

export interface ServerParts {
  readonly name: string;
  readonly entry: ServerEntry;
  readonly upstreams: readonly Upstream[];
  /** Those of one client each, where clients share none. */
  readonly isolated: IsolatedUpstreams | undefined;
  /** What each principal has of it, where everybody comes with credentials of their own: all, and nothing in common. */
  readonly personal: Personal | undefined;
  readonly known: Known;
  readonly wishes: Wishes;
  /** How long a client waits for one of its lists (ms). */
  readonly listTimeoutMs: number | undefined;
  /** The server of that name in the snapshot that is served now. */
  readonly latest: () => Server | undefined;
  /** The connection to the instance that has a task. @param holder whose it is, where clients share none */
  at(instance: string, holder: string | undefined): Upstream | undefined;
}

export class Server {
  readonly name: string;
  readonly entry: ServerEntry;
  readonly upstreams: readonly Upstream[];
  readonly isolated: IsolatedUpstreams | undefined;
  readonly personal: Personal | undefined;
  readonly known: Known;
  readonly wishes: Wishes;
  /** In its resources. */
  readonly interest: Interest;
  /** How long a client waits for one of its lists (ms). */
  readonly patience: number;
  readonly at: ServerParts['at'];
  readonly #latest: () => Server | undefined;
  readonly #now = (): Server => this.#latest() ?? this;
  #missing: ListState | undefined;
  #turn = 0;

  constructor({ name, entry, upstreams, isolated, personal, known, wishes, listTimeoutMs, latest, at }: ServerParts) {
    this.name = name;
    this.entry = entry;
    this.upstreams = upstreams;
    this.isolated = isolated;
    this.personal = personal;
    this.known = known;
    this.wishes = wishes;
    this.patience = entry.listTimeoutMs ?? listTimeoutMs ?? LIST_TIMEOUT;
    this.#latest = latest;
    this.at = at;
    this.interest = new Interest(this);
  }

  get instructions(): string | undefined {
    return this.known.instructions;
  }

  get era(): Era | undefined {
    return this.known.era;
  }

  /** `undefined` until it was connected to once, unless the snapshot tells. */
  get capabilities(): Capabilities | undefined {
    return this.known.capabilities;
  }

  /** Waits, but not for long, until it is known what the server can do. Never throws. */
  async introduce(): Promise<void> {
    if (this.capabilities || this.upstreams.length === 0 || this.known.silentUntil > performance.now()) return;
    const met = Promise.any(this.upstreams.map((upstream) => upstream.connect())).catch(() => {});
    const late = new AbortController();
    await Promise.race([met, sleep(INTRODUCTION, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    if (!this.capabilities) this.known.silentUntil = performance.now() + SILENCE;
  }

  /** What is known of a list without waiting. */
  state(list: ListName): ListState | undefined {
    const { capabilities } = this.known;
    if (capabilities && capabilities[LISTS[list].capability] === undefined) return NOTHING;
    if (this.upstreams.length > 0) return this.known.lists[list].state;
    this.#missing ??= { failure: whyNone(this), until: Infinity };
    return this.#missing;
  }

  /** Which of its lists could not be had when somebody wanted them, and why. */
  get unlisted(): Readonly<Record<string, string>> {
    const all = LIST_NAMES.map((list) => [list, this.known.lists[list].missing] as const);
    return Object.fromEntries(all.filter(([, why]) => why !== undefined)) as Record<string, string>;
  }

  /** How long a list that was just given stays the same, as far as the server promises (ms). */
  freshFor(list: ListName): number {
    return Math.max(0, Math.floor(this.known.lists[list].freshUntil - performance.now()));
  }

  /** Asks behind the scenes for a list that is older than its server promised; whoever wants it now gets what is known. */
  renew(list: ListName): void {
    const { freshUntil } = this.known.lists[list];
    if (freshUntil > 0 && freshUntil <= performance.now()) void this.refresh(list);
  }

  /** Whether a list can be given without asking the server: it is known, and the server says when it changes. */
  settled(list: ListName): boolean {
    const state = this.state(list);
    if (!state || state === NOTHING || !state.items || list === 'tools') return state !== undefined;
    if (this.known.lists[list].freshUntil > performance.now()) return true;
    return this.capabilities?.[LISTS[list].capability]?.['listChanged'] === true;
  }

  /** Never throws: a failure is a state too. */
  async load(list: ListName): Promise<void> {
    if (this.upstreams.length === 0 || this.settled(list)) return;
    await this.known.lists[list].refresh(() => this.#fetch(list), this.patience, 0);
  }

  /** Asks again for a list in which something is missing. */
  refresh(list: ListName): Promise<void> {
    if (this.upstreams.length === 0) return Promise.resolve();
    return this.known.lists[list].refresh(() => this.#fetch(list), this.patience);
  }

  /**
   * Sends a request to one upstream, and to each other one, or once more to the only one, if it never arrived. A request that began
   * under an older snapshot goes to what is served now as well: nothing new begins on an instance that is to be stopped.
   * @throws RpcFailure as the server answered, SlipwayError otherwise
   */
  async request(method: string, params: Record<string, unknown>, options: RequestOptions): Promise<unknown> {
    const { at, client, instance } = options;
    // An instance that has a task keeps it, whatever is served now; where it is gone for good, another may know of it.
    const own = instance === undefined ? undefined : this.at(instance, client && holderOf(client.id));
    let tried = NONE;
    for (;;) {
      const upstream = own ?? this.#pick(options, tried);
      if (!upstream) throw unavailable(this);
      if (at) at.instance = upstream.instance;
      options.admit = admission(this.#latest() ?? this, upstream, method, params, this.#now);
      try {
        return await upstream.request(method, params, options);
      } catch (error) {
        const others = own ? 0 : this.upstreams.length - 1;
        const last = tried.size >= Math.max(others, 1);
        if (!(error instanceof NotDelivered) || error instanceof NeedsAuthorization || last) throw named(this, error);
        tried = new Set([...tried, upstream]);
        if (error.resume) options.resume = error.resume;
      }
    }
  }

  /**
   * Sends a request to every instance, because each has to remember it.
   * @throws what went wrong, if it went wrong with all of them
   */
  async requestAll(method: string, params: Record<string, unknown>, options: RequestOptions): Promise<unknown> {
    if (this.upstreams.length === 0) throw unavailable(this);
    // What one client wants is no matter of the others' instances.
    if (this.isolated && options.client) return this.request(method, params, options);
    const sent = this.upstreams.map((upstream) => upstream.request(method, params, options));
    return Promise.any(sent).catch((error: AggregateError) => {
      throw named(this, error.errors[0]);
    });
  }

  /** Tells those instances that a connection stands to; nobody is woken for a notice. @param client who says so */
  notify(method: string, params: Record<string, unknown> | undefined, client?: string): void {
    if (this.isolated)
      return client === undefined ? undefined : this.isolated.known(holderOf(client))?.notify(method, params);
    for (const upstream of this.upstreams) upstream.notify(method, params);
  }

  /** The level that its instances are to tell from on; those not connected yet hear it when they are. */
  async setLevel(level: string, options: RequestOptions): Promise<void> {
    this.wishes.level = level;
    const { upstreams, isolated, capabilities } = this;
    if (!capabilities?.['logging']) return;
    const connected = [...upstreams, ...(isolated?.all ?? [])].filter((upstream) => upstream.connected);
    await Promise.allSettled(connected.map((upstream) => upstream.request('logging/setLevel', { level }, options)));
  }

  /** A connection was opened: what it says is newer than what was known, and it knows nothing of what was asked before. */
  opened(upstream: Upstream, { era = 'legacy', capabilities = {}, instructions }: Welcome): void {
    this.known.era = era;
    this.known.capabilities = capabilities;
    if (instructions !== undefined) this.known.instructions = instructions;
    lookAnew(upstream, this.#now);
    for (const list of LIST_NAMES) {
      const { capability } = LISTS[list];
      const begun = list === 'tools' ? !this.entry.pinned : this.known.lists[list].wanted;
      if (begun && (!this.state(list)?.items || capabilities[capability]?.['listChanged'])) void this.refresh(list);
    }
    this.#repeat(upstream, capabilities, this.wishes.uris);
  }

  /** The same for an instance that clients do not share. */
  openedIsolated(upstream: Upstream, holder: string | undefined, { capabilities = {} }: Welcome): void {
    this.#repeat(upstream, capabilities, (holder !== undefined && this.isolated?.urisOf(holder)) || []);
    lookAnew(upstream, this.#now);
  }

  #repeat(upstream: Upstream, capabilities: Capabilities, uris: Iterable<string>): void {
    const { level } = this.wishes;
    if (level !== undefined && capabilities['logging']) void tell(upstream, this.entry, 'logging/setLevel', { level });
    if (capabilities['resources']?.['subscribe'])
      for (const uri of uris) void tell(upstream, this.entry, 'resources/subscribe', { uri });
  }

  /** The server said something of itself. @param isShared false for an instance of one client: what all see is no matter of it */
  heard({ method }: RpcNotification, upstream: Upstream, isShared = true): void {
    for (const list of LIST_NAMES.filter((one) => LISTS[one].changed === method)) {
      const isPinned = list === 'tools' && this.entry.pinned !== undefined;
      if (isPinned) look(upstream, this.#now);
      const isAsked = isPinned && this.known.lists[list].wanted;
      if (isShared && !isAsked) this.known.lists[list].invalidate(() => this.#fetch(list));
    }
  }

  /** Whoever it lets in now may see other things than before. */
  relist(): void {
    this.known.silentUntil = 0;
    for (const list of LIST_NAMES) this.known.lists[list].invalidate(() => this.#fetch(list));
  }

  async #fetch(list: ListName): Promise<Fetched> {
    const { capability } = LISTS[list];
    if (!this.capabilities) await this.introduce();
    if (this.capabilities && this.capabilities[capability] === undefined) return { items: [], ttlMs: 0 };
    const request: Request = (...args) => this.request(...args);
    // Whoever waits gives up before; what comes late is there for the next.
    return fetchList(LISTS[list], request, Math.max(this.patience, this.entry.timeoutMs));
  }

  #pick({ client }: RequestOptions, tried: ReadonlySet<Upstream>): Upstream | undefined {
    const server = this.#latest() ?? this;
    const { upstreams, isolated, entry } = server;
    if (isolated && client) return isolated.of(holderOf(client.id));
    if (upstreams.length === 1) return upstreams[0];
    const session = client && holderOf(client.id);
    const sticky = keepSessions(upstreams);
    return choose({ upstreams, canary: entry.canary, tried, session, sticky, turn: server.#turn++ });
  }
}

/** Which sessions want to hear of which resource. Upstream one subscription stands for all of them. */
import { SlipwayError } from '../../schemas/errors.ts';

/** Bounds on the memory that clients can take: for one session, and for all. */
const MAX_PER_SESSION = 1_000;
const MAX_TOTAL = 100_000;

/** How often those of sessions that ended without a word are given back (ms). */
const SWEEP = 25_000;

/** Parts of parts, at most. */
const MAX_LEVELS = 32;

const NOBODY: ReadonlyMap<string, number> = new Map();

export class Subscriptions {
  /** By server and URI: the sessions, and when they end by themselves (unix time, ms). */
  readonly #sessions = new Map<string, Map<string, number>>();
  /** By session. */
  readonly #keys = new Map<string, Set<string>>();
  readonly #onUnused: (server: string, uri: string) => void;
  readonly #onChange: () => void;
  readonly #timer = setInterval(() => this.#sweep(), SWEEP).unref();
  #total = 0;

  /**
   * @param onUnused called when nobody wants to hear of a resource any more
   * @param onChange called when there is something else to be kept
   */
  constructor(onUnused: (server: string, uri: string) => void, onChange: () => void = () => {}) {
    this.#onUnused = onUnused;
    this.#onChange = onChange;
  }

  /** Session, server, URI, and until when. */
  get all(): [string, string, string, number][] {
    return [...this.#sessions].flatMap(([key, sessions]) => {
      const [server, uri] = JSON.parse(key) as [string, string];
      return [...sessions].map(([session, until]): [string, string, string, number] => [session, server, uri, until]);
    });
  }

  get size(): number {
    return this.#total;
  }

  /** @throws SlipwayError `bad-request` beyond the limits */
  add(sessionId: string, server: string, uri: string, until: number): void {
    const key = JSON.stringify([server, uri]);
    const keys = this.#keys.get(sessionId) ?? new Set();
    if (keys.has(key)) return;
    if (keys.size >= MAX_PER_SESSION || this.#total >= MAX_TOTAL)
      throw new SlipwayError('bad-request', 'Too many subscriptions.', { hint: 'Unsubscribe from some first.' });
    const sessions = this.#sessions.get(key) ?? new Map<string, number>();
    this.#sessions.set(key, sessions.set(sessionId, until));
    this.#keys.set(sessionId, keys.add(key));
    this.#total++;
    if (until !== Infinity) this.#onChange();
  }

  remove(sessionId: string, server: string, uri: string): void {
    this.#remove(sessionId, JSON.stringify([server, uri]));
  }

  /** The sessions that want to hear of it. Those that have ended without a word are forgotten on the way. */
  of(server: string, uri: string): string[] {
    const key = JSON.stringify([server, uri]);
    this.#endOld(this.#sessions.get(key) ?? NOBODY);
    return [...(this.#sessions.get(key) ?? NOBODY).keys()];
  }

  /** The same, with those who subscribed to something that it is a part of: MCP lets a server tell of parts. */
  hearing(server: string, uri: string): string[] {
    const all = new Set(this.of(server, uri));
    let at = uri.length;
    for (let level = 0; level < MAX_LEVELS && at > 0; level++) {
      at = uri.lastIndexOf('/', at - 1);
      for (const whole of [uri.slice(0, Math.max(at, 0)), uri.slice(0, at + 1)])
        for (const session of this.of(server, whole)) all.add(session);
    }
    return [...all];
  }

  /** The servers on which a session has subscribed to the URI. */
  serversOf(sessionId: string, uri: string): string[] {
    const pairs = [...(this.#keys.get(sessionId) ?? [])].map((key) => JSON.parse(key) as [string, string]);
    return pairs.flatMap(([server, subscribed]) => (subscribed === uri ? [server] : []));
  }

  end(sessionId: string): void {
    for (const key of this.#keys.get(sessionId) ?? []) this.#remove(sessionId, key);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    for (const sessions of this.#sessions.values()) this.#endOld(sessions);
  }

  #endOld(sessions: ReadonlyMap<string, number>): void {
    for (const [sessionId, until] of sessions) if (until <= Date.now()) this.end(sessionId);
  }

  #remove(sessionId: string, key: string): void {
    const sessions = this.#sessions.get(key);
    const until = sessions?.get(sessionId);
    if (!sessions?.delete(sessionId)) return;
    this.#total--;
    if (until !== Infinity) this.#onChange();
    const keys = this.#keys.get(sessionId);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(sessionId);
    if (sessions.size > 0) return;
    this.#sessions.delete(key);
    const [server, uri] = JSON.parse(key) as [string, string];
    this.#onUnused(server, uri);
  }
}

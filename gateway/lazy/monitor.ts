/**
 * Looks after the servers of routes that agents search, for as long as somebody searches: what is away is asked again, so that it is
 * there when it is wanted, and what is elsewhere is looked at now and then (after lazy-mcp's health monitor). Our own instances are the
 * reconciler's to probe, and one that sleeps is not woken for this.
 */
import type { Server } from '../upstream/server.ts';

export interface Pace {
  /** How often what is away is asked for its tools (ms). */
  readonly awayMs: number;
  /** How often what is well is (ms). */
  readonly wellMs: number;
  /** After how long without a question nothing is looked at any more (ms). */
  readonly idleMs: number;
}

const PACE: Pace = { awayMs: 10_000, wellMs: 30_000, idleMs: 300_000 };

export class Monitor implements Disposable {
  readonly #find: (name: string) => Server | undefined;
  readonly #pace: Pace;
  /** When each was looked at last, by name. */
  readonly #looked = new Map<string, number>();
  #lastAsked = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param find the server of that name as it is served now */
  constructor(find: (name: string) => Server | undefined, pace: Pace = PACE) {
    this.#find = find;
    this.#pace = pace;
  }

  /** Somebody searches among these. */
  asked(servers: readonly Pick<Server, 'name'>[]): void {
    this.#lastAsked = performance.now();
    for (const { name } of servers) if (!this.#looked.has(name)) this.#looked.set(name, this.#lastAsked);
    this.#timer ??= setInterval(() => this.#look(), this.#pace.awayMs).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#looked.clear();
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lastAsked > this.#pace.idleMs) return this[Symbol.dispose]();
    for (const [name, at] of this.#looked) {
      const server = this.#find(name);
      if (!server) this.#looked.delete(name);
      else if (isDue(server, now - at, this.#pace)) {
        this.#looked.set(name, now);
        void server.refresh('tools'); // Never throws: what is wrong is in its state.
      }
    }
  }
}

function isDue(server: Server, age: number, { awayMs, wellMs }: Pace): boolean {
  if (isAway(server)) return age >= awayMs * 0.9;
  const isElsewhere = server.entry.endpoints.some(({ id, transport }) => transport !== 'stdio' && id === server.name);
  return isElsewhere && age >= wellMs * 0.9;
}

/** Whether its tools cannot be had, or calls of them fail before they arrive. */
export function isAway(server: Server): boolean {
  const state = server.state('tools');
  if (state && !state.items) return true;
  return server.upstreams.length > 0 && server.upstreams.every(({ broken }) => broken);
}

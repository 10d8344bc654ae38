/**
 * `sessions: isolated`: a client gets an instance, or over HTTP a session, that it shares with nobody. A few may wait, started,
 * for whoever comes next.
 */
import { SlipwayError } from '../../schemas/errors.ts';
import type { UpstreamStatus } from '../../schemas/status.ts';
import { checked } from './settled.ts';
import type { Upstream } from './upstream.ts';

/** Whose an instance is; nobody's, for now, where it waits for the next client. */
export interface Holder {
  client: string | undefined;
}

interface Place {
  readonly holder: Holder;
  readonly upstream: Upstream;
  /** What its client wants to hear of. */
  readonly uris: Set<string>;
  /** Until when that is so. Unix time in ms */
  until: number;
  timer: NodeJS.Timeout | undefined;
}

export interface IsolatedOptions {
  readonly server: string;
  /** How many there may be at a time: of clients, and waiting for one. */
  readonly max: number;
  /** How many wait, started, for the next clients. */
  readonly warm: number;
  /** How long one is kept without a call (ms). */
  readonly idleMs: number;
  make(holder: Holder): Upstream;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Who has an instance. A client of MCP 2026-07-28 has no session, so each of its requests has an id of its own; what tells who
 * is behind it stands before the last `#`. A session's id has none.
 */
export function holderOf(client: string): string {
  const end = client.lastIndexOf('#');
  return end < 0 ? client : client.slice(0, end);
}

export class IsolatedUpstreams {
  readonly #options: IsolatedOptions;
  /** By client, the one that was used last at the end. */
  readonly #byClient = new Map<string, Place>();
  #warm: Place[] = [];
  #closed = false;

  constructor(options: IsolatedOptions) {
    this.#options = options;
  }

  get all(): Upstream[] {
    return [...this.#byClient.values(), ...this.#warm].map(({ upstream }) => upstream);
  }

  get status(): UpstreamStatus[] {
    const taken = [...this.#byClient.values()].map(({ upstream }) => ({ ...upstream.status, for: 'client' as const }));
    return [...taken, ...this.#warm.map(({ upstream }) => ({ ...upstream.status, for: 'next' as const }))];
  }

  known(client: string): Upstream | undefined {
    return this.#byClient.get(client)?.upstream;
  }

  /** What a client wants to hear of, as long as it has an instance. */
  urisOf(client: string): ReadonlySet<string> {
    return this.#byClient.get(client)?.uris ?? NONE;
  }

  /** Its client has subscribed: the instance stays until then, called or not. */
  subscribed(client: string, uri: string, until: number): void {
    const place = this.#byClient.get(client);
    place?.uris.add(uri);
    if (place) place.until = Math.max(place.until, until);
  }

  unsubscribed(client: string, uri: string): boolean {
    return this.#byClient.get(client)?.uris.delete(uri) ?? false;
  }

  /** @throws SlipwayError `upstream-unavailable` when all are taken, and each is at work */
  of(client: string): Upstream {
    const known = this.#byClient.get(client);
    const place = known ?? this.#give(client);
    this.#byClient.delete(client);
    this.#byClient.set(client, place);
    this.#watch(client, place);
    if (!known) this.prepare();
    return place.upstream;
  }

  end(client: string): void {
    const place = this.#byClient.get(client);
    if (!place) return;
    clearTimeout(place.timer);
    this.#byClient.delete(client);
    place.upstream.close();
    this.prepare();
  }

  /** Starts as many as are to wait, where there is room. One that cannot be started is tried again when a client comes or goes. */
  prepare(): void {
    const { max, warm } = this.#options;
    while (!this.#closed && this.#warm.length < warm && this.#byClient.size + this.#warm.length < max) {
      const place = this.#make(undefined);
      this.#warm.push(place);
      place.upstream.connect().catch(() => {
        if (!this.#warm.includes(place)) return;
        this.#warm = this.#warm.filter((other) => other !== place);
        place.upstream.close();
      });
    }
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#byClient.keys()) this.end(client);
    for (const { upstream } of this.#warm.splice(0)) upstream.close();
  }

  /** One that waits, or a new one. Where all are taken, the one that was idle the longest makes room, if its client does not listen. */
  #give(client: string): Place {
    const waiting = this.#warm.shift();
    if (waiting) {
      waiting.holder.client = client;
      return waiting;
    }
    const { max, server } = this.#options;
    if (this.#byClient.size >= max) {
      const idle = [...this.#byClient].find(([, place]) => !place.upstream.inUse && !isHeard(place));
      if (!idle)
        throw new SlipwayError('upstream-unavailable', `${server}: all of its ${max} instances are in use.`, {
          hint: 'Try again later, or raise maxInstances in its spec.',
        });
      this.#byClient.delete(idle[0]);
      clearTimeout(idle[1].timer);
      idle[1].upstream.close();
    }
    return this.#make(client);
  }

  #make(client: string | undefined): Place {
    const holder: Holder = { client };
    return { holder, upstream: this.#options.make(holder), uris: new Set(), until: 0, timer: undefined };
  }

  #watch(client: string, place: Place): void {
    clearTimeout(place.timer);
    place.timer = setTimeout(() => {
      if (!place.upstream.inUse && !isHeard(place)) return this.end(client);
      this.#watch(client, place);
      // Its client may never ask what became of them.
      void checked(place.upstream);
    }, this.#options.idleMs).unref();
  }
}

/** Whether its client has subscribed to something that it tells of. */
const isHeard = ({ uris, until }: Place): boolean => uris.size > 0 && Date.now() < until;

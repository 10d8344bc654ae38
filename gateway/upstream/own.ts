/** `sessions: isolated`: a client gets an instance of its own, or over HTTP a session of its own, and shares it with nobody. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Upstream } from './upstream.ts';

interface Own {
  readonly upstream: Upstream;
  /** What its client wants to hear of. */
  readonly uris: Set<string>;
  /** Until when that is so. Unix time in ms */
  until: number;
  timer: NodeJS.Timeout | undefined;
}

export interface OwnOptions {
  readonly server: string;
  /** How many clients may have one at a time. */
  readonly max: number;
  /** How long one is kept without a call (ms). */
  readonly idleMs: number;
  make(client: string): Upstream;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Whose instance a client's is. A client of MCP 2026-07-28 has no session, so each of its requests is a client of its own;
 * what tells who is behind it stands before the last `#`. A session's id has none.
 */
export function ownerOf(client: string): string {
  const end = client.lastIndexOf('#');
  return end < 0 ? client : client.slice(0, end);
}

export class OwnUpstreams {
  readonly #options: OwnOptions;
  /** By client, the one that was used last at the end. */
  readonly #byClient = new Map<string, Own>();

  constructor(options: OwnOptions) {
    this.#options = options;
  }

  get all(): Upstream[] {
    return [...this.#byClient.values()].map(({ upstream }) => upstream);
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
    const own = this.#byClient.get(client);
    own?.uris.add(uri);
    if (own) own.until = Math.max(own.until, until);
  }

  unsubscribed(client: string, uri: string): boolean {
    return this.#byClient.get(client)?.uris.delete(uri) ?? false;
  }

  /** @throws SlipwayError `upstream-unavailable` when all are taken, and each is at work */
  of(client: string): Upstream {
    const known = this.#byClient.get(client);
    const own: Own = known ?? { upstream: this.#make(client), uris: new Set(), until: 0, timer: undefined };
    this.#byClient.delete(client);
    this.#byClient.set(client, own);
    this.#watch(client, own);
    return own.upstream;
  }

  end(client: string): void {
    const own = this.#byClient.get(client);
    if (!own) return;
    clearTimeout(own.timer);
    this.#byClient.delete(client);
    own.upstream.close();
  }

  close(): void {
    for (const client of this.#byClient.keys()) this.end(client);
  }

  /** Where all are taken, the one that was idle the longest makes room. */
  #make(client: string): Upstream {
    const { max, server, make } = this.#options;
    if (this.#byClient.size >= max) {
      const idle = [...this.#byClient].find(([, { upstream }]) => upstream.busy === 0);
      if (!idle)
        throw new SlipwayError('upstream-unavailable', `${server}: all of its ${max} instances are in use.`, {
          hint: 'Try again later, or raise maxInstances in its spec.',
        });
      this.end(idle[0]);
    }
    return make(client);
  }

  #watch(client: string, own: Own): void {
    clearTimeout(own.timer);
    own.timer = setTimeout(() => {
      const wanted = own.uris.size > 0 && Date.now() < own.until;
      if (own.upstream.busy > 0 || wanted) this.#watch(client, own);
      else this.end(client);
    }, this.#options.idleMs).unref();
  }
}

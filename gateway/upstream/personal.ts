/** A server where everybody comes with credentials of their own: connections, lists and what is known, for each principal. */
import type { Server } from './server.ts';
import type { Upstream } from './upstream.ts';

/** Principals whose part is kept, and how long without a request (ms). */
const MAX_KEPT = 1_000;
const IDLE = 30 * 60_000;

export interface PersonalOptions {
  make(principal: string): Server;
  /** Called when a principal's part is given up. */
  onDropped(server: Server): void;
}

export class Personal {
  readonly #options: PersonalOptions;
  /** The one that was used last at the end. */
  readonly #byPrincipal = new Map<string, { readonly server: Server; usedAt: number }>();

  constructor(options: PersonalOptions) {
    this.#options = options;
  }

  get all(): Server[] {
    return [...this.#byPrincipal.values()].map(({ server }) => server);
  }

  get principals(): string[] {
    return [...this.#byPrincipal.keys()];
  }

  known(principal: string): Server | undefined {
    return this.#byPrincipal.get(principal)?.server;
  }

  of(principal: string): Server {
    const known = this.#byPrincipal.get(principal);
    const part = known ?? { server: this.#options.make(principal), usedAt: 0 };
    this.#byPrincipal.delete(principal);
    this.#byPrincipal.set(principal, part);
    part.usedAt = performance.now();
    if (!known) this.#tidy();
    return part.server;
  }

  #tidy(): void {
    for (const [principal, { server, usedAt }] of this.#byPrincipal) {
      const old = performance.now() - usedAt > IDLE;
      if (!old && this.#byPrincipal.size <= MAX_KEPT) return;
      if (upstreamsOf(server).some((upstream) => upstream.inUse)) continue;
      this.#byPrincipal.delete(principal);
      this.#options.onDropped(server);
    }
  }
}

/** A server as one principal has it. */
export function partOf(server: Server, principal: string): Server {
  return server.personal?.of(principal) ?? server;
}

export function partsOf({ personal }: Pick<Server, 'personal'>): readonly Server[] {
  return personal?.all ?? [];
}

/** All connections of a server, but for those of its parts. */
export function upstreamsOf({ upstreams, isolated }: Server): Upstream[] {
  return [...upstreams, ...(isolated?.all ?? [])];
}

/** There are new credentials: nothing new begins on connections of the old ones, and lists may be others. */
export function reopen(server: Server): void {
  for (const upstream of upstreamsOf(server)) upstream.reopen();
  server.relist();
}

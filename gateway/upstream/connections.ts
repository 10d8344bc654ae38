/** All connections of a gateway, by what they are opened with: what stays the same is not opened again. */
import type { IsolatedUpstreams } from './isolated.ts';
import type { Upstream } from './upstream.ts';

/** Something that leads to upstreams: of one client each, or the same for all. */
interface User {
  readonly upstreams: readonly Upstream[];
  readonly isolated: IsolatedUpstreams | undefined;
}

export class Connections {
  readonly #shared = new Map<string, Upstream>();
  /** To instances that clients do not share, by server. */
  readonly #isolated = new Map<string, IsolatedUpstreams>();

  /** The one that is opened with these, made where there is none. */
  shared(key: string, make: () => Upstream): Upstream {
    return found(this.#shared, key, make);
  }

  isolated(key: string, make: () => IsolatedUpstreams): IsolatedUpstreams {
    return found(this.#isolated, key, make);
  }

  /** Those to some endpoints, shared or not. */
  to(endpointIds: readonly string[]): Upstream[] {
    const all = [...this.#shared.values(), ...[...this.#isolated.values()].flatMap((isolated) => isolated.all)];
    return all.filter(({ endpoint }) => endpointIds.includes(endpoint.id));
  }

  /** A session has ended: what was its own goes with it. */
  endSession(id: string): void {
    for (const isolated of this.#isolated.values()) isolated.end(id);
  }

  /** Closes those that none of these uses. */
  keep(users: readonly User[]): void {
    const shared = new Set(users.flatMap(({ upstreams }) => upstreams));
    this.#close((upstream) => !shared.has(upstream));
    const isolated = new Set(users.map((user) => user.isolated));
    this.#closeIsolated((each) => !isolated.has(each));
  }

  /** Closes those that only this one uses. */
  drop({ upstreams, isolated }: User): void {
    this.#close((upstream) => upstreams.includes(upstream));
    this.#closeIsolated((each) => each === isolated);
  }

  #close(fits: (upstream: Upstream) => boolean): void {
    for (const [key, upstream] of this.#shared) {
      if (!fits(upstream)) continue;
      upstream.close();
      this.#shared.delete(key);
    }
  }

  #closeIsolated(fits: (isolated: IsolatedUpstreams) => boolean): void {
    for (const [key, isolated] of this.#isolated) {
      if (!fits(isolated)) continue;
      isolated.close();
      this.#isolated.delete(key);
    }
  }
}

function found<T>(all: Map<string, T>, key: string, make: () => T): T {
  const known = all.get(key);
  if (known !== undefined) return known;
  const made = make();
  all.set(key, made);
  return made;
}

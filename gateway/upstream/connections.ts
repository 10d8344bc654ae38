/** All connections of a gateway, by what they are opened with: what stays the same is not opened again. */
import { IsolatedUpstreams } from './isolated.ts';
import { settled } from './settled.ts';
import type { Upstream } from './upstream.ts';

/** Something that leads to upstreams: of one client each, or the same for all. */
interface User {
  readonly upstreams: readonly Upstream[];
  readonly isolated: IsolatedUpstreams | undefined;
}

/** Whom a task belongs to: the instance, whose credentials it was reached with, and who has it, where clients share none. */
export interface TaskPlace {
  readonly instance: string;
  readonly principal: string | undefined;
  readonly holder: string | undefined;
}

export class Connections {
  readonly #shared = new Map<string, Upstream>();
  /** To instances that clients do not share, by server. */
  readonly #isolated = new Map<string, IsolatedUpstreams>();
  /** Those that nobody uses any more, but for tasks that their instances work on. */
  readonly #leaving = new Set<Upstream | IsolatedUpstreams>();

  /** The one that is opened with these, made where there is none. */
  shared(key: string, make: () => Upstream): Upstream {
    return this.#found(this.#shared, key, make);
  }

  isolated(key: string, make: () => IsolatedUpstreams): IsolatedUpstreams {
    return this.#found(this.#isolated, key, make);
  }

  /** The one to the instance that has a task, whether or not a snapshot still names it. */
  at({ instance, principal, holder }: TaskPlace): Upstream | undefined {
    const own = holder === undefined ? [] : [...this.#isolated.values()].map((isolated) => isolated.known(holder));
    const all = [...this.#shared.values(), ...own];
    return all.findLast((each) => each?.instance === instance && each.principal === principal);
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

  /** Closes those that none of these uses; where tasks go on, when they have come to their end. */
  keep(users: readonly User[]): void {
    const used = new Set<unknown>(users.flatMap(({ upstreams, isolated }) => [...upstreams, isolated]));
    for (const all of [this.#shared, this.#isolated])
      for (const [key, each] of all) if (!used.has(each)) this.#leave(all, key, each);
  }

  /** Closes those that only this one uses. */
  drop({ upstreams, isolated }: User): void {
    for (const all of [this.#shared, this.#isolated])
      for (const [key, each] of all)
        if (each === isolated || upstreams.includes(each as Upstream)) close(all, key, each);
  }

  close(): void {
    for (const all of [this.#shared, this.#isolated]) for (const [key, each] of all) close(all, key, each);
  }

  #leave<T extends Upstream | IsolatedUpstreams>(all: Map<string, T>, key: string, one: T): void {
    if (!hasTasks(one)) return close(all, key, one);
    if (this.#leaving.has(one)) return;
    this.#leaving.add(one);
    void this.#closeWhenSettled(all, key, one);
  }

  async #closeWhenSettled<T extends Upstream | IsolatedUpstreams>(
    all: Map<string, T>,
    key: string,
    one: T,
  ): Promise<void> {
    // One that a later snapshot came back to has left no more.
    while (this.#leaving.has(one) && hasTasks(one)) await Promise.all(upstreamsIn(one).map(settled));
    if (this.#leaving.delete(one)) close(all, key, one);
  }

  #found<T extends Upstream | IsolatedUpstreams>(all: Map<string, T>, key: string, make: () => T): T {
    const known = all.get(key);
    if (known !== undefined) {
      this.#leaving.delete(known);
      return known;
    }
    const made = make();
    all.set(key, made);
    return made;
  }
}

function close<T extends Upstream | IsolatedUpstreams>(all: Map<string, T>, key: string, one: T): void {
  if (all.get(key) === one) all.delete(key);
  one.close();
}

const upstreamsIn = (one: Upstream | IsolatedUpstreams): Upstream[] =>
  one instanceof IsolatedUpstreams ? one.all : [one];

const hasTasks = (one: Upstream | IsolatedUpstreams): boolean => upstreamsIn(one).some(({ tasks }) => tasks.any);

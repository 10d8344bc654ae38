/** Sessions that their client ended: a sealed id stays openable until its TTL, so its end has to be remembered. */

/** Bounds the memory; beyond it the oldest end is forgotten first. */
const MAX_REMEMBERED = 10_000;

export class EndedSessions {
  readonly #until = new Map<string, number>();
  readonly #onChange: () => void;

  /** @param onChange called when there is something else to be kept */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  /** Session, and until when. */
  get all(): [string, number][] {
    return [...this.#until];
  }

  get size(): number {
    return this.#until.size;
  }

  /** @param until unix time (ms) after which the id is refused for its age anyway */
  add(id: string, until: number): void {
    this.#until.set(id, until);
    for (const [old, expires] of this.#until) {
      if (expires > Date.now() && this.#until.size <= MAX_REMEMBERED) break;
      this.#until.delete(old);
    }
    this.#onChange();
  }

  has(id: string): boolean {
    return this.#until.has(id);
  }
}

/** Replay: whoever overheard a genuine delivery could send it again and again, and have a plan made each time. */

/** So many are remembered; only genuine ones, so strangers push out none. */
const MAX_DELIVERIES = 10_000;

export class Deliveries {
  readonly #seen = new Set<string>();

  has(ids: readonly string[]): boolean {
    return ids.some((id) => this.#seen.has(id));
  }

  add(ids: readonly string[]): void {
    for (const id of ids) this.#seen.add(id);
    for (const id of this.#seen) {
      if (this.#seen.size <= MAX_DELIVERIES) break;
      this.#seen.delete(id);
    }
  }
}

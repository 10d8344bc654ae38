/**
 * A Map for what comes and goes thousands of times a second: requests that wait for their answers.
 *
 * V8 rehashes a Map into a new table every so often, and the old one points to it. As soon as one old table has moved to
 * the old generation, all that come after it stay reachable from there, each with what it held at its end, until the
 * next full collection: whole requests, which every minor collection then has to copy. So what is taken out of here
 * leaves an empty slot behind in such tables, and not the thing itself.
 */
export class FleetingMap<K, V> {
  readonly #slots = new Map<K, { value: V | undefined }>();

  get size(): number {
    return this.#slots.size;
  }

  keys(): Iterable<K> {
    return this.#slots.keys();
  }

  get(key: K): V | undefined {
    return this.#slots.get(key)?.value;
  }

  /** A value that had the same key is no longer found. */
  set(key: K, value: V): void {
    this.take(key);
    this.#slots.set(key, { value });
  }

  /** Removes it. @returns what was there */
  take(key: K): V | undefined {
    const slot = this.#slots.get(key);
    if (!slot) return undefined;
    const { value } = slot;
    slot.value = undefined;
    this.#slots.delete(key);
    return value;
  }
}

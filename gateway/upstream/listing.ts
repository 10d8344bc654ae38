/** What is known of one list of one server: its tools, say. */
import { setTimeout as sleep } from 'node:timers/promises';
import { redactText } from '../../schemas/secret-shapes.ts';
import { NeedsAuthorization } from './auth/needs.ts';

/** How long a failed listing is remembered, so that a bad server is not asked by every client (ms). */
const FAILURE_TTL = 2_000;
/** A list younger than this is not fetched again for the sake of an unknown name (ms). */
const YOUNG = 500;

/** Something listed, kept whole: it is passed on untouched but for the name. */
export type Item = Readonly<Record<string, unknown>>;

/** What a server answered: the list, and how long it promises that it stays so (ms). */
export interface Fetched {
  readonly items: readonly Item[];
  readonly ttlMs: number;
  /** Why it is not all of it. */
  readonly cut?: string;
}

/** An immutable finding: a new one replaces it, so that two equal references mean "nothing changed". */
export type ListState =
  | { readonly items: readonly Item[]; readonly failure?: string }
  | {
      readonly items?: undefined;
      readonly failure: string;
      readonly until: number;
      /** Whether a person must let us in first. */
      readonly locked?: boolean;
    };

export class Listing {
  readonly #onChange: (isNews: boolean) => void;
  #state: ListState | undefined;
  #text: string | undefined;
  /** What the version before listed, until it is known whether this one lists the same. */
  #before: string | undefined;
  #loading: Promise<void> | undefined;
  #again = false;
  #loadedAt = -Infinity;
  /** Until when the server promised that it stays as it is (`performance.now()`); 0 where it promised nothing. */
  freshUntil = 0;

  /**
   * @param onChange called when the list became another one, or there at last after a failure; `isNews` is false for the first
   * @param before the same list of the version before, which clients may have seen
   */
  constructor(known: readonly Item[] | undefined, onChange: (isNews: boolean) => void, before?: Listing) {
    this.#onChange = onChange;
    this.#before = before?.shown;
    if (known) this.#state = { items: known };
  }

  /** What is known without waiting; `undefined` when it takes a {@link load}. */
  get state(): ListState | undefined {
    const state = this.#state;
    return state && !state.items && state.until <= performance.now() ? undefined : state;
  }

  /** Why it was not there, or not all of it, when it was last wanted. */
  get missing(): string | undefined {
    return this.#state?.failure;
  }

  /** Whether clients may have seen another one, of the version before. */
  get doubtful(): boolean {
    return this.#before !== undefined;
  }

  /** What clients may have seen, as JSON. */
  get shown(): string | undefined {
    const { items } = this.#state ?? {};
    return items ? (this.#text ?? JSON.stringify(items)) : this.#before;
  }

  /** Whether anybody ever wanted it. */
  get wanted(): boolean {
    return this.#state !== undefined;
  }

  /**
   * Asks the server again, because something hints at a change; waits for a fetch that is under way instead. Never throws:
   * a failure is a state too. So is that it takes long, but what comes late is welcome all the same.
   * @param patience how long to wait (ms)
   */
  async refresh(fetch: () => Promise<Fetched>, patience: number, young = YOUNG): Promise<void> {
    if (!this.#loading && performance.now() - this.#loadedAt < young) return;
    const over = new AbortController();
    const late = sleep(patience, true, { signal: over.signal, ref: false }).catch(() => false);
    const isLate = await Promise.race([late, this.#fetch(fetch).then(() => false)]);
    over.abort();
    if (isLate && !this.#state?.items)
      this.#state = { failure: `It did not answer within ${patience} ms.`, until: Infinity };
  }

  /** The server said that its list changed: what is being fetched right now may be the old one. */
  invalidate(fetch: () => Promise<Fetched>): void {
    this.freshUntil = 0;
    if (this.#loading) this.#again = true;
    // Nobody here has seen the old list, but a client may have, before a restart of the gateway.
    else if (!this.#state) this.#onChange(true);
    else void this.#fetch(fetch);
  }

  /** What one instance lists that has just been met, whatever others are asked meanwhile. @throws as `fetch` does */
  async take(fetch: () => Promise<Fetched>): Promise<void> {
    // What is being fetched right now may be the list of before.
    if (this.#loading) this.#again = true;
    this.#fetched(await fetch());
  }

  #fetch(fetch: () => Promise<Fetched>): Promise<void> {
    this.#loading ??= this.#fetchUntilSettled(fetch).finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #fetchUntilSettled(fetch: () => Promise<Fetched>): Promise<void> {
    do {
      this.#again = false;
      try {
        this.#fetched(await fetch());
      } catch (error) {
        this.#failed(error);
      }
    } while (this.#again);
  }

  #fetched({ items, ttlMs, cut }: Fetched): void {
    this.freshUntil = ttlMs > 0 ? performance.now() + ttlMs : 0;
    this.#loadedAt = performance.now();
    const before = this.#state;
    const text = JSON.stringify(items);
    const isSame = before?.items && before.failure === cut && text === (this.#text ?? JSON.stringify(before.items));
    const isOther = this.#before !== undefined && this.#before !== text;
    this.#before = undefined;
    this.#text = text;
    if (isSame && !isOther) return;
    this.#state = cut === undefined ? { items } : { items, failure: cut };
    this.#onChange(before !== undefined || isOther);
  }

  /** What was known stays known: a server that stumbles does not lose it. */
  #failed(error: unknown): void {
    if (this.#state?.items) return;
    // All see it, whatever their route: what a server says of its credentials is for nobody.
    const failure = redactText(error instanceof Error ? error.message : String(error)).text;
    const locked = error instanceof NeedsAuthorization;
    this.#state = { failure, until: performance.now() + FAILURE_TTL, ...(locked ? { locked } : {}) };
  }
}

/** What is known of one server's tools. */
import type { Tool } from '../../schemas/snapshot.ts';

/** How long a failed listing is remembered, so that a bad server is not asked by every client (ms). */
const FAILURE_TTL = 2_000;
/** A list younger than this is not fetched again for the sake of an unknown name (ms). */
const YOUNG = 500;

/** An immutable finding: a new one replaces it, so that two equal references mean "nothing changed". */
export type ToolState =
  | { readonly tools: readonly Tool[] }
  | { readonly tools?: undefined; readonly failure: string; readonly until: number };

export class Tools {
  readonly #onChange: () => void;
  #state: ToolState | undefined;
  #text: string | undefined;
  #loading: Promise<void> | undefined;
  #again = false;
  #loadedAt = -Infinity;

  /** @param onChange called when the list became another one, or there at last after a failure */
  constructor(known: readonly Tool[] | undefined, onChange: () => void) {
    this.#onChange = onChange;
    if (known) this.#state = { tools: known };
  }

  /** What is known without waiting; `undefined` when it takes a {@link load}. */
  get state(): ToolState | undefined {
    const state = this.#state;
    return state && !state.tools && state.until <= performance.now() ? undefined : state;
  }

  /** Makes sure that there is a state. Never throws: a failure is a state too. */
  async load(fetch: () => Promise<readonly Tool[]>): Promise<void> {
    if (!this.state) await this.#fetch(fetch);
  }

  /** Asks the server again, because something hints at a change; waits for a fetch that is under way instead. */
  async refresh(fetch: () => Promise<readonly Tool[]>): Promise<void> {
    if (this.#loading || performance.now() - this.#loadedAt > YOUNG) await this.#fetch(fetch);
  }

  /** The server said that its list changed: what is being fetched right now may be the old one. */
  invalidate(fetch: () => Promise<readonly Tool[]>): void {
    if (this.#loading) this.#again = true;
    else void this.#fetch(fetch);
  }

  #fetch(fetch: () => Promise<readonly Tool[]>): Promise<void> {
    this.#loading ??= this.#fetchUntilSettled(fetch).finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #fetchUntilSettled(fetch: () => Promise<readonly Tool[]>): Promise<void> {
    do {
      this.#again = false;
      try {
        this.#listed(await fetch());
      } catch (error) {
        this.#failed(error instanceof Error ? error.message : String(error));
      }
    } while (this.#again);
  }

  #listed(tools: readonly Tool[]): void {
    this.#loadedAt = performance.now();
    const before = this.#state;
    const text = JSON.stringify(tools);
    if (before?.tools && text === (this.#text ?? JSON.stringify(before.tools))) {
      this.#text = text;
      return;
    }
    this.#text = text;
    this.#state = { tools };
    if (before) this.#onChange();
  }

  /** Tools that were known stay known: a server that stumbles does not lose them. */
  #failed(failure: string): void {
    if (!this.#state?.tools) this.#state = { failure, until: performance.now() + FAILURE_TTL };
  }
}

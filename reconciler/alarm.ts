/** Rings once when a time has come. Another time takes the place of the one before. */
import { MAX_TIMER_MS } from '../schemas/kinds/fields.ts';

export class Alarm implements Disposable {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** @param at `undefined`: never. What is further off than a timer counts rings early: whoever hears it looks again. */
  set(at: Date | undefined): void {
    clearTimeout(this.#timer);
    if (!at) return;
    // A timer may come a moment before its time.
    const ms = Math.max(0, at.getTime() - Date.now()) + 10;
    this.#timer = setTimeout(this.#ring, Math.min(ms, MAX_TIMER_MS));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

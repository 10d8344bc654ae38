/** So many at a time; the others wait in the order in which they came. */
import { SlipwayError } from '../../schemas/errors.ts';

/** Whoever comes after so many that wait is sent away: a slow model must not fill the memory with questions. */
const MAX_WAITING = 256;

export class Places {
  readonly #size: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  /** @returns gives it back @throws the signal's reason, or SlipwayError where too many wait already */
  async take(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#taken >= this.#size) await this.#wait(signal);
    else this.#taken++;
    return { [Symbol.dispose]: () => this.#give() };
  }

  /** A place goes from hand to hand: nobody who comes now gets in before those who wait. */
  #give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken--;
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.reject(new SlipwayError('upstream-unavailable', `${MAX_WAITING} questions wait for it already.`));
    return new Promise((resolve, reject) => {
      const mine = (): void => {
        signal.removeEventListener('abort', gone);
        resolve();
      };
      const gone = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(mine), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', gone, { once: true });
      this.#waiting.push(mine);
    });
  }
}

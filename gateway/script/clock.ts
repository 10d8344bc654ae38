/** A time that does not pass while a person thinks. */
export class Clock implements Disposable {
  readonly #onOver: () => void;
  #left: number;
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #holding = 0;
  #isOver = false;

  /** @param ms until `onOver` is called */
  constructor(ms: number, onOver: () => void) {
    this.#left = ms;
    this.#onOver = onOver;
    this.#start();
  }

  /** Stands still as long as anybody holds it: to be given back as often as it was held. */
  hold(isHeld: boolean): void {
    const before = this.#holding;
    this.#holding += isHeld ? 1 : -1;
    if (before === 0) {
      clearTimeout(this.#timer);
      this.#left -= performance.now() - this.#since;
    } else if (this.#holding === 0) this.#start();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #start(): void {
    if (this.#isOver) return;
    this.#since = performance.now();
    this.#timer = setTimeout(this.#onOver, Math.max(0, this.#left));
  }
}

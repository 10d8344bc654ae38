/** What is counted of one subject (a project, a principal, a tool …): its token bucket, and what runs of it just now. */
import type { Rate } from '../../schemas/limits.ts';

/** Two kinds of what can be open at once: requests being worked on, and streams on which a client only listens. */
export type Slot = 'concurrency' | 'streams';

export class Meter {
  readonly open: Record<Slot, number> = { concurrency: 0, streams: 0 };
  /** Until it is forgotten; another one counts then. */
  isKept = true;
  /** Settings of the bucket; another rate begins with a full one. */
  #perSecond = 0;
  #burst = 0;
  #tokens = 0;
  #filledAt = 0;

  /**
   * How long until a request is possible. Takes nothing.
   * @param now a monotonic clock (ms)
   * @returns ms; 0 for now
   */
  wait({ perSecond, burst }: Rate, now: number): number {
    if (perSecond !== this.#perSecond || burst !== this.#burst) {
      this.#perSecond = perSecond;
      this.#burst = burst;
      this.#tokens = burst;
    } else {
      this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1000);
    }
    this.#filledAt = now;
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) * 1000) / perSecond;
  }

  /** To be called after {@link wait} has said 0, in the same turn. */
  take(): void {
    this.#tokens--;
  }

  /** What was taken was not used. */
  giveBack(): void {
    this.#tokens++;
  }

  /** Whether it is as good as new: forgetting it changes nothing. */
  isIdle(now: number): boolean {
    const { concurrency, streams } = this.open;
    const filled = this.#tokens + ((now - this.#filledAt) * this.#perSecond) / 1000;
    return concurrency === 0 && streams === 0 && filled >= this.#burst;
  }
}

/** Fewer are not worth looking through. */
const TIDY_FROM = 1_000;
/** Who comes with ever new names must not fill the memory: beyond this, the one that came first is forgotten. */
const MAX_METERS = 100_000;

/** Meters by key. They outlive snapshots, so that a new commit gives nobody a full bucket; idle ones vanish. */
export class Meters {
  readonly #meters = new Map<string, Meter>();
  readonly #max: number;
  #tidyAt = TIDY_FROM;

  constructor(max = MAX_METERS) {
    this.#max = max;
  }

  of(key: string): Meter {
    let meter = this.#meters.get(key);
    if (!meter) this.#meters.set(key, (meter = new Meter()));
    return meter;
  }

  get size(): number {
    return this.#meters.size;
  }

  /**
   * Forgets what is idle, when there is much. Not between {@link of} and the use of what it gave.
   * The next time comes with twice as many, so that a new key costs the same however many there are.
   */
  tidy(now: number): void {
    if (this.#meters.size < this.#tidyAt) return;
    for (const [key, meter] of this.#meters) if (meter.isIdle(now)) this.#forget(key, meter);
    if (this.#meters.size > this.#max * 0.9)
      for (const [key, meter] of this.#meters) {
        if (this.#meters.size <= this.#max * 0.9) break;
        if (meter.open.concurrency === 0 && meter.open.streams === 0) this.#forget(key, meter);
      }
    this.#tidyAt = Math.min(Math.max(TIDY_FROM, this.#meters.size * 2), this.#max);
  }

  #forget(key: string, meter: Meter): void {
    meter.isKept = false;
    this.#meters.delete(key);
  }
}

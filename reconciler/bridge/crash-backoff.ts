/** Growing pauses between restarts of something that keeps crashing: 1 s, 2 s, 4 s … 60 s. */

import { SlipwayError } from '../../schemas/errors.ts';

const FIRST_MS = 1000;
const LAST_MS = 60_000;
/** A request that would have to wait longer than this for a crashed server is refused at once, with the reason. */
const MAX_WAIT_MS = 5000;
/** Having run this long, it counts as healthy again. */
const STABLE_MS = 60_000;

export class CrashBackoff {
  readonly #now: () => number;
  #streak = 0;
  #last = Number.NEGATIVE_INFINITY;
  /** All crashes so far. */
  total = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Notes a crash. @param outage it went down with what ran it, which is no fault of its own
   * @returns how long to wait before the next start, in ms
   */
  crashed(outage = false): number {
    this.#streak = this.#now() - this.#last > STABLE_MS + this.#pauseMs() ? 1 : this.#streak + 1;
    this.#last = this.#now();
    if (!outage) this.total++;
    return this.#pauseMs();
  }

  /** What kept it from running is over: the next start need not wait. @returns how long it waits, in ms */
  forgive(): number {
    this.#streak = 0;
    return 0;
  }

  /** How long from now a start has to wait, in ms. */
  waitMs(): number {
    return Math.max(0, this.#last + this.#pauseMs() - this.#now());
  }

  /** The same for somebody who waits for it. @throws SlipwayError crash-loop where that would be too long */
  bearableMs(lastError: string | undefined): number {
    const wait = this.waitMs();
    if (wait <= MAX_WAIT_MS) return wait;
    const next = `next try in ${Math.ceil(wait / 1000)} s`;
    throw new SlipwayError('crash-loop', `The server keeps crashing (${lastError ?? 'unknown'}); ${next}.`);
  }

  #pauseMs(): number {
    return this.#streak === 0 ? 0 : Math.min(LAST_MS, FIRST_MS * 2 ** (this.#streak - 1));
  }
}

/** Whether something could not be started because what would run it is away. */
export function isOutage(error: unknown): boolean {
  return error instanceof SlipwayError && error.code === 'engine-unreachable';
}

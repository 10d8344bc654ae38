/** How busy an upstream is, and how fast: of its last calls, in the space of two small arrays. */
const KEPT = 128;
/** What is older says nothing of now (ms). */
const WINDOW_MS = 60_000;

export class Pace {
  readonly #ends = new Float64Array(KEPT);
  readonly #took = new Float64Array(KEPT);
  #count = 0;

  /** @param began, ended as `performance.now()` gave them */
  add(began: number, ended: number): void {
    const at = this.#count++ % KEPT;
    this.#ends[at] = ended;
    this.#took[at] = ended - began;
  }

  /** Calls that ended within the last minute, each second of it. Of a busy one, over as long as the calls that are kept took. */
  perSecond(now: number): number {
    const kept = this.#ends.subarray(0, Math.min(this.#count, KEPT));
    const recent = kept.filter((end) => end > now - WINDOW_MS);
    if (recent.length === 0) return 0;
    const span = recent.length === KEPT ? now - Math.min(...recent) : WINDOW_MS;
    return recent.length / (Math.max(span, 1) / 1000);
  }

  /** The time that 95 of 100 calls took at most (ms); undefined before the first. */
  get p95(): number | undefined {
    const sorted = this.#took.slice(0, Math.min(this.#count, KEPT)).sort();
    return sorted[Math.ceil(sorted.length * 0.95) - 1];
  }
}

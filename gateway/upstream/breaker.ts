/** Keeps a server that is down from being knocked at by every request, and its callers from waiting for nothing. */
import { redactText } from '../../schemas/secret-shapes.ts';
import type { UpstreamStatus } from '../../schemas/status.ts';
import { NotDelivered } from './link.ts';

/** Pauses between attempts, doubled each time, jittered so that replicas do not knock in step (ms). */
const PAUSE_MIN = 50;
const PAUSE_MAX = 1_000;
/** Failures in a row after which requests are refused at once instead of waiting for the next attempt. */
const OPEN_AFTER = 5;
/** The longest pause by then; a server that is back is noticed no later than twice this (ms). */
const OPEN_MAX = 10_000;
/** How long the one request that tries a server again may take before another may (ms). */
const TRIAL = 5_000;

export class Breaker {
  #failures = 0;
  #notBefore = 0;
  /** What went wrong last, for status. */
  lastError: string | undefined;

  /** Closed: all may pass. Open: none. Half open: one may try. */
  get state(): UpstreamStatus['breaker'] {
    if (this.#failures < OPEN_AFTER) return 'closed';
    return this.pause > 0 ? 'open' : 'half-open';
  }

  /** How long to wait before the next attempt (ms). */
  get pause(): number {
    return Math.max(0, this.#notBefore - performance.now());
  }

  /** @throws NotDelivered while it is open */
  pass(): void {
    if (this.#failures < OPEN_AFTER) return;
    if (this.pause > 0)
      throw new NotDelivered(
        `It failed ${this.#failures} times in a row; the next try is in a moment. ${this.lastError}`,
      );
    this.#notBefore = performance.now() + TRIAL;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#notBefore = 0;
  }

  failed(error: unknown): void {
    const longest = this.#failures < OPEN_AFTER ? PAUSE_MAX : OPEN_MAX;
    const pause = Math.min(PAUSE_MIN * 2 ** this.#failures++, longest) * (1 + Math.random());
    this.#notBefore = performance.now() + pause;
    this.lastError = redactText(error instanceof Error ? error.message : String(error)).text;
  }
}

/** Lets a request in at every level that limits it, or at none. */
import { SlipwayError, type ErrorCode } from '../../schemas/errors.ts';
import type { LimitSet } from '../../schemas/limits.ts';
import { Counts } from '../../schemas/metrics.ts';
import { Meters, type Meter, type Slot } from './meter.ts';

export type LevelName = 'gateway' | 'project' | 'principal' | 'server' | 'tool' | 'address' | 'budget';

/** One of the levels that a request passes, with what it may do there. */
export interface Level {
  readonly level: LevelName;
  readonly name: string;
  /** Of its meter. */
  readonly key: string;
  readonly limits: LimitSet;
  /** Kept by the limiter: to find it by its key for each request would cost more than to ask it. */
  meter: Meter | undefined;
}

export const levelOf = (level: LevelName, name: string, limits: LimitSet): Level => ({
  level,
  name,
  key: `${level} ${name}`,
  limits,
  meter: undefined,
});

/** A value that bounds something, and the level that it stands at. */
export interface Bound {
  readonly value: number;
  readonly level: Level;
}

/** When a slot may be free again nobody knows (ms). */
const SLOT_RETRY = 1_000;

/** One per gateway: what it has counted outlives snapshots. */
export class Limiter {
  readonly #meters: Meters;
  /** What was refused, by level and code. */
  readonly refusals = new Counts('level', 'reason');

  constructor(meters = new Meters()) {
    this.#meters = meters;
  }

  /**
   * All levels are asked before anything is taken at one: who is refused by one has used up nothing of the others.
   * @param levels from the widest to the narrowest
   * @param slot what it is to hold; none for now
   * @returns what holds the slots; to be given back by {@link Permit.release}
   * @throws SlipwayError `concurrency-limited`, `rate-limited`
   */
  admit(levels: readonly Level[], slot: Slot | undefined, now = performance.now()): Permit {
    this.#meters.tidy(now);
    if (slot) this.checkRoom(levels, slot);
    this.#checkTokens(levels, now);
    for (const level of levels) if (level.limits.rate) this.meterOf(level).take();
    const permit = new Permit(this, levels);
    if (slot) permit.hold(slot);
    return permit;
  }

  /** Asks without taking. @throws SlipwayError `rate-limited` */
  checkRate(levels: readonly Level[], now = performance.now()): void {
    this.#meters.tidy(now);
    this.#checkTokens(levels, now);
  }

  /** What is counted of a level. One of which something is held is never forgotten. */
  meterOf(level: Level): Meter {
    if (level.meter?.isKept !== true) level.meter = this.#meters.of(level.key);
    return level.meter;
  }

  #checkTokens(levels: readonly Level[], now: number): void {
    for (const level of levels) {
      const { rate } = level.limits;
      const wait = rate ? this.meterOf(level).wait(rate, now) : 0;
      if (wait > 0)
        throw this.refused('rate-limited', level, `${wordsFor(level)} allows no more requests just now`, wait);
    }
  }

  /** Whether nothing more can be worked on just now. */
  isFull(levels: readonly Level[]): boolean {
    return levels.some((level) => this.meterOf(level).open.concurrency >= (level.limits.concurrency ?? Infinity));
  }

  /** @throws SlipwayError `concurrency-limited` */
  checkRoom(levels: readonly Level[], slot: Slot): void {
    for (const level of levels) {
      const max = level.limits[slot];
      if (max === undefined || this.meterOf(level).open[slot] < max) continue;
      const what = slot === 'streams' ? 'open streams' : 'requests at once';
      const why = `${wordsFor(level)} allows no more than ${max} ${what}`;
      throw this.refused('concurrency-limited', level, why, SLOT_RETRY);
    }
  }

  /**
   * Counts a refusal, and says which limit it was: that is no secret to who stands before it.
   * @param retryAfterMs when trying again may help; absent: never
   */
  refused(
    code: ErrorCode,
    { level, name }: Pick<Level, 'level' | 'name'>,
    why: string,
    retryAfterMs?: number,
  ): SlipwayError {
    this.refusals.add(level, code);
    return new SlipwayError(code, `${why[0]?.toUpperCase()}${why.slice(1)}.`, {
      details: {
        ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }),
        limit: { level, name },
      },
    });
  }
}

export function wordsFor({ level, name }: Pick<Level, 'level' | 'name'>): string {
  return level === 'gateway' ? 'the gateway' : `${level} ${name}`;
}

/** What a request holds while it is worked on. */
export class Permit {
  readonly #limiter: Limiter;
  readonly #levels: readonly Level[];
  #slot: Slot | undefined;

  constructor(limiter: Limiter, levels: readonly Level[]) {
    this.#limiter = limiter;
    this.#levels = levels;
  }

  /**
   * Holds this, in the place of what it held.
   * @throws SlipwayError `concurrency-limited`
   */
  hold(slot: Slot): void {
    if (this.#slot === slot) return;
    this.#limiter.checkRoom(this.#levels, slot);
    this.release();
    for (const level of this.#levels) this.#limiter.meterOf(level).open[slot]++;
    this.#slot = slot;
  }

  /** The request came to nothing, for another limit refused it: what it took of rates is given back. To be called once. */
  refund(): void {
    for (const level of this.#levels) if (level.limits.rate) this.#limiter.meterOf(level).giveBack();
  }

  /** Safe to call twice. */
  release(): void {
    const slot = this.#slot;
    if (slot === undefined) return;
    this.#slot = undefined;
    for (const level of this.#levels) this.#limiter.meterOf(level).open[slot]--;
  }
}

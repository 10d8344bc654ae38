/** What was used of one budget by those who share it. */
import {
  AMOUNTS,
  WINDOW_PARTS,
  type Amounts,
  type BudgetEntry,
  type BudgetWindow,
  type SavedAccount,
} from '../../schemas/budgets.ts';
import { spanOf, type Span } from './calendar.ts';

type Part = SavedAccount['parts'][number];

export class Account {
  readonly #window: BudgetWindow;
  #parts: Part[] = [];
  #span: Span = { start: 0, end: 0 };
  /** Whether its users were told in this window that it comes to an end. */
  warned = false;
  /** Said by nobody yet. */
  unsaid = false;
  /** Whether there was nothing left of it when it was charged last. */
  isUsedUp = false;

  constructor(window: BudgetWindow, saved?: SavedAccount) {
    this.#window = window;
    if (saved?.window !== JSON.stringify(window)) return;
    this.#parts = saved.parts;
    this.warned = saved.warned;
  }

  add(now: number, amounts: Partial<Amounts>): void {
    this.#forget(now);
    let latest = this.#parts.at(-1);
    if (!latest || latest.end <= now) {
      latest = { end: this.#endOf(now), calls: 0, tokens: 0, cost: 0 };
      this.#parts.push(latest);
    }
    for (const name of AMOUNTS) latest[name] += amounts[name] ?? 0;
  }

  used(now: number): Amounts {
    this.#forget(now);
    const sum: Amounts = { calls: 0, tokens: 0, cost: 0 };
    for (const each of this.#parts) for (const name of AMOUNTS) sum[name] += each[name];
    return sum;
  }

  /** When it begins anew, or the oldest part of it is forgotten (unix time, ms). */
  resetAt(now: number): number {
    this.#forget(now);
    const [oldest] = this.#parts;
    if ('period' in this.#window) return oldest?.end ?? this.#endOf(now);
    return (oldest?.end ?? now) + this.#window.slidingMs;
  }

  /** Whether forgetting it changes nothing. */
  isEmpty(now: number): boolean {
    this.#forget(now);
    return this.#parts.length === 0;
  }

  toJSON(): SavedAccount {
    return { window: JSON.stringify(this.#window), parts: this.#parts, warned: this.warned };
  }

  #forget(now: number): void {
    const keep = 'period' in this.#window ? 0 : this.#window.slidingMs;
    const before = this.#parts.length;
    // A clock that was put back far must not hold what was counted for ever.
    while (this.#parts[0] && (this.#parts[0].end + keep <= now || this.#parts[0].end > this.#endOf(now)))
      this.#parts.shift();
    if (this.#parts.length === 0 && before > 0) this.warned = false;
  }

  /** Calendars are slow, and the answer is the same for a while. */
  #endOf(now: number): number {
    if (now < this.#span.start || now >= this.#span.end) this.#span = spanAt(this.#window, now);
    return this.#span.end;
  }
}

function spanAt(window: BudgetWindow, now: number): Span {
  if ('period' in window) return spanOf(window.period, window.timeZone, now);
  const width = Math.max(1, Math.ceil(window.slidingMs / WINDOW_PARTS));
  const start = Math.floor(now / width) * width;
  return { start, end: start + width };
}

/** The largest share that is used of a limit; 1 is all of it. */
export function shareOf(budget: BudgetEntry, used: Amounts): number {
  let share = 0;
  for (const name of AMOUNTS) {
    const limit = budget[name];
    if (limit !== undefined) share = Math.max(share, used[name] / limit);
  }
  return share;
}

/** Hours, days, weeks and months as the clocks of a time zone show them. */
import type { Period } from '../../schemas/budgets.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** From `start` to before `end` (unix time, ms). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Making one takes longer than all the rest. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** How far the clocks of the zone are ahead of UTC (ms). */
function offsetAt(timeZone: string, at: number): number {
  let format = formats.get(timeZone);
  if (!format) {
    const [year, month, day, hour, minute, second] = Array<'numeric'>(6).fill('numeric');
    const fields = { year, month, day, hour, minute, second } as Intl.DateTimeFormatOptions;
    format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields });
    formats.set(timeZone, format);
  }
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

/**
 * When the clocks of the zone show a time, which is given as if it were one of UTC: for the first time, where they are put back
 * over it, and when they jump, where they are put forward over it (in some zones that is at midnight).
 */
function instantOf(timeZone: string, local: number): number {
  const [before, after] = [-DAY, DAY].map((away) => local - offsetAt(timeZone, local + away)) as [number, number];
  const isShown = (at: number): boolean => at + offsetAt(timeZone, at) === local;
  return isShown(before) || !isShown(after) ? before : after;
}

/** The hour, day, week (from Monday) or month that a time is in. A day on which clocks change has 23 or 25 hours. */
export function spanOf(period: Period, timeZone: string, now: number): Span {
  const offset = offsetAt(timeZone, now);
  const local = new Date(now + offset);
  if (period === 'hour') {
    const start = Math.floor((now + offset) / HOUR) * HOUR - offset;
    return { start, end: start + HOUR };
  }
  const [year, month, date] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
  const at = (months: number, days: number): number => instantOf(timeZone, Date.UTC(year, months, days));
  if (period === 'day') return { start: at(month, date), end: at(month, date + 1) };
  if (period === 'month') return { start: at(month, 1), end: at(month + 1, 1) };
  const monday = date - ((local.getUTCDay() + 6) % 7);
  return { start: at(month, monday), end: at(month, monday + 7) };
}

/** When a cron expression is due. */
import { Cron } from 'croner';

const MINUTE = 60_000;

/**
 * Whether an expression names this minute. As in cron(5), where both day and weekday are given, either will do.
 * @param schedule minute, hour, day, month and weekday; checked by its kind
 * @param timeZone of the IANA database; without one it is UTC, which needs none of Intl's tables: they cost 8 MB of memory
 */
export function isDue(schedule: string, at: Date, timeZone?: string): boolean {
  return cronOf(schedule, timeZone).match(new Date(at.getTime() - (at.getTime() % MINUTE)));
}

/** Calls at the beginning of each minute that is named. A call that takes longer than that is not waited for. */
export function follow(schedule: string, due: () => void, timeZone?: string): Disposable {
  const cron = cronOf(schedule, timeZone).schedule(due);
  cron.resume();
  return { [Symbol.dispose]: () => cron.stop() };
}

/** When an expression was due last, at `before` or earlier. */
export function lastDue(schedule: string, before: Date, timeZone?: string): Date | undefined {
  return cronOf(schedule, timeZone).previousRuns(1, before)[0];
}

/** When an expression is due next, after `at`. */
export function nextDue(schedule: string, at: Date, timeZone?: string): Date | undefined {
  return cronOf(schedule, timeZone).nextRun(at) ?? undefined;
}

const cronOf = (schedule: string, timeZone?: string): Cron =>
  new Cron(schedule, {
    mode: '5-part',
    sloppyRanges: true, // 5/20: each twenty minutes from the fifth.
    paused: true,
    unref: true,
    ...(timeZone === undefined ? { utcOffset: 0 } : { timezone: timeZone }),
  });

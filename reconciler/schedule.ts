/**
 * When a cron expression is due, in UTC. By hand, because node-cron reads the clock through Intl, whose tables cost 9 MB of
 * memory; all that is needed here is to look at the clock once a minute.
 */

const MINUTE = 60_000;

/**
 * Whether an expression names this minute. As in cron(5), where both day and weekday are given, either will do.
 * @param schedule minute, hour, day, month and weekday; checked by its kind
 */
export function isDue(schedule: string, at: Date): boolean {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = schedule.split(' ');
  const isDay = fits(day, at.getUTCDate(), 31);
  const isWeekday = fits(weekday, at.getUTCDay(), 7) || (at.getUTCDay() === 0 && fits(weekday, 7, 7));
  const either = !day.startsWith('*') && !weekday.startsWith('*');
  return (
    fits(minute, at.getUTCMinutes(), 59) &&
    fits(hour, at.getUTCHours(), 23) &&
    fits(month, at.getUTCMonth() + 1, 12) &&
    (either ? isDay || isWeekday : isDay && isWeekday)
  );
}

/** `*`, `5`, `1-5`, `5-50/15`, in a list. A number with a step goes on from there. */
function fits(field: string, value: number, last: number): boolean {
  return field.split(',').some((part) => {
    const [range = '', step = '1'] = part.split('/');
    const [from = '', to = part.includes('/') ? String(last) : from] = range.split('-');
    const begin = range === '*' ? 0 : Number(from);
    const end = range === '*' ? last : Number(to);
    // `*/2` of what counts from one begins with one.
    const origin = range === '*' && (last === 31 || last === 12) ? 1 : begin;
    return value >= begin && value <= end && (value - origin) % Number(step) === 0;
  });
}

/** Calls at the beginning of each minute that is named. */
export function follow(schedule: string, due: () => void): Disposable {
  let timer: NodeJS.Timeout;
  const next = (): void => {
    timer = setTimeout(look, MINUTE - (Date.now() % MINUTE)).unref();
  };
  const look = (): void => {
    next();
    if (isDue(schedule, new Date())) due();
  };
  next();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** When something is due: a cron expression, and the clock that it is about. */
import { z } from 'zod';
import type { Resource } from '../../resource.ts';
import type { Problem } from '../kind.ts';

/** One field of a cron expression: `*`, `5`, `1-5`, each with a step, in a list. */
const part = (numbers: string): string => {
  const one = `(\\*|(${numbers})(-(${numbers}))?)(/[1-9][0-9]?)?`;
  return `${one}(,${one})*`;
};
const [MINUTE, HOUR, DAY, MONTH, WEEKDAY] = [
  '[1-5]?[0-9]',
  '1?[0-9]|2[0-3]',
  '[1-9]|[12][0-9]|3[01]',
  '[1-9]|1[0-2]',
  '[0-7]',
];

export const cron = z
  .string()
  .regex(
    new RegExp(`^${[MINUTE, HOUR, DAY, MONTH, WEEKDAY].map((numbers) => part(numbers ?? '')).join(' ')}$`),
    'must be a cron expression: minute, hour, day, month and weekday, such as */5 * * * *',
  );

/** Whose clock, as the IANA names it. That it is there is {@link unknownTimeZones}' to say: a pattern cannot. */
export const timeZone = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, 'must be the name of a time zone such as Europe/Vienna');

/** Which time zones there are is known to the machine, not to a schema. @param path of the field, below `spec` */
export function unknownTimeZones<Spec>(
  resources: readonly Resource<Spec>[],
  path: readonly string[],
  zoneIn: (spec: Spec) => string | undefined,
): Problem[] {
  return resources.flatMap((resource): Problem[] => {
    const zone = zoneIn(resource.spec);
    if (zone === undefined || isTimeZone(zone)) return [];
    const hint = 'Use a name of the IANA, such as Europe/Vienna.';
    return [{ resource, path, code: 'invalid-value', message: `There is no time zone ${zone}.`, hint }];
  });
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name }).format();
    return true;
  } catch {
    return false;
  }
}

/** What happened, for people. */
import { ALL, type EventRow, type History } from '../../schemas/operate.ts';
import type { CommitInfo } from '../../schemas/status.ts';
import { plain } from './plain.ts';
import { age, type Table } from './table.ts';

/** Oldest first, as one reads a log. @param isAbout whether it is said what each is about */
export function eventTable(events: readonly EventRow[], isAbout: boolean): Table {
  return {
    head: ['last seen', 'type', 'reason', ...(isAbout ? ['about'] : []), 'message'],
    rows: events.map((event) => [
      age(event.at),
      event.type,
      event.reason,
      ...(isAbout ? [event.about] : []),
      told(event),
    ]),
  };
}

/** One event as one line, for those that come one by one. */
export const eventLine = (event: EventRow): string =>
  [event.at, event.type.padEnd(7), event.about === ALL ? '-' : event.about, event.reason, told(event)]
    .map(plain)
    .join('  ');

function told({ instance, message, count, firstAt }: EventRow): string {
  const often = count === 1 ? '' : ` (×${count} in ${age(firstAt)})`;
  return `${instance === undefined ? '' : `${instance}: `}${message}${often}`;
}

/** `c0ffee123456 Add github, by Ada, 3d ago`. */
export function commitText({ id, subject, author, at }: CommitInfo): string {
  const words = subject === undefined ? '' : ` ${subject}`;
  return `${id.slice(0, 12)}${words}${author === undefined ? '' : `, by ${author}`}, ${age(at)} ago`;
}

/** Where it stands, and since which commit as it is. */
export const historyText = ({ file, line, change }: History): string =>
  `${file}:${line}${change ? `, last changed in ${commitText(change)}` : ''}`;

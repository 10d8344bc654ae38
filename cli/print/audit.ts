/** Audit events for people. */
import type { AuditEvent, SessionRow } from '../../reconciler/index.ts';
import { plain } from './plain.ts';
import { age, table } from './table.ts';

/** Oldest first, as one reads a log. */
export function eventTable(events: readonly AuditEvent[], wide: boolean): string {
  const head = ['time', 'who', 'what', 'where', 'outcome', ...(wide ? ['ms', 'request', 'session', 'commit'] : [])];
  const rows = events
    .toReversed()
    .map((event) => [
      event.ts,
      event.principal ?? event.address ?? '-',
      [event.method, event.tool].filter(Boolean).join(' '),
      [event.project, event.server].filter(Boolean).join('/') || '-',
      outcomeOf(event),
      ...(wide
        ? [
            event.durationMs === undefined ? '-' : String(event.durationMs),
            event.requestId,
            event.sessionId?.slice(0, 12) ?? '-',
            event.commit?.slice(0, 8) ?? '-',
          ]
        : []),
    ]);
  return table(head, rows);
}

/** One event as one line, for those that come one by one. */
export function eventLine(event: AuditEvent): string {
  const where = [event.project, event.server].filter(Boolean).join('/');
  const what = [event.method, event.tool].filter(Boolean).join(' ');
  return [event.ts, event.principal ?? event.address ?? '-', what, where, outcomeOf(event)]
    .filter(Boolean)
    .map(plain)
    .join('  ');
}

function outcomeOf({ outcome, deniedReason, detail }: AuditEvent): string {
  const count = detail?.['count'] === undefined ? '' : ` ×${String(detail['count'])}`;
  return `${outcome}${deniedReason === null ? '' : ` (${deniedReason})`}${count}`;
}

export function sessionTable(sessions: readonly SessionRow[]): string {
  const rows = sessions.map(({ sessionId, principal, project, firstSeen, lastSeen, events, denied }) => [
    sessionId,
    principal ?? '-',
    project ?? '-',
    age(firstSeen),
    age(lastSeen),
    String(events),
    String(denied),
  ]);
  return table(['session', 'who', 'project', 'first', 'last', 'events', 'denied'], rows);
}

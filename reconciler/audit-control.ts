/** The part of the control API that reads the audit log. */
import { SlipwayError } from '../schemas/errors.ts';
import type { ControlRequest, ControlResponse } from '../schemas/control.ts';
import type { AuditLog } from './record/audit/log.ts';
import type { AuditReader } from './record/audit/reader.ts';
import type { AuditEvent } from './record/audit/line.ts';
import { matches, readQuery, type AuditQuery } from './record/audit/query.ts';

/** What is needed to answer questions about the log. */
export interface AuditDesk {
  readonly log: Pick<AuditLog, 'follow'>;
  readonly reader: AuditReader;
}

/** `/audit`: events, newest first, or as they come; `/audit/sessions`. @throws SlipwayError bad-request, not-found */
export async function audit(
  desk: AuditDesk | undefined,
  { query, signal }: ControlRequest,
  [what]: readonly string[],
): Promise<ControlResponse> {
  if (!desk) throw new SlipwayError('not-found', 'No audit log is kept here.');
  if (what === 'sessions')
    return { status: 200, body: { sessions: await desk.reader.sessions(readQuery(query, 'sessions')) } };
  if (what !== undefined) throw new SlipwayError('not-found');
  if (query.get('follow') === 'true')
    return { status: 200, lines: newLines(desk.log, readQuery(query, 'follow'), signal) };
  const wanted = readQuery(query);
  const events = await desk.reader.events(wanted);
  const last = events.at(-1);
  const next = events.length === wanted.limit && last ? { next: last.seq } : {};
  return { status: 200, body: { events, ...next } };
}

/** What may wait for a client that does not read: then it misses some, and is told so by the numbers of the lines. */
const MAX_WAITING = 1000;

async function* newLines(
  log: Pick<AuditLog, 'follow'>,
  wanted: AuditQuery,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const waiting: string[] = [];
  let wake = Promise.withResolvers<void>();
  const stop = log.follow((lines) => {
    for (const line of lines.split('\n')) {
      if (line === '' || waiting.length >= MAX_WAITING) continue;
      if (matches(wanted, JSON.parse(line) as AuditEvent)) waiting.push(line);
    }
    wake.resolve();
  });
  const onAbort = (): void => wake.resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      yield* waiting.splice(0);
      await wake.promise;
      wake = Promise.withResolvers();
    }
  } finally {
    stop();
    signal.removeEventListener('abort', onAbort);
  }
}

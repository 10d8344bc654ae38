/** The part of the control API that reads the audit log. */
import { SlipwayError } from '../schemas/errors.ts';
import type { ControlRequest, ControlResponse } from '../schemas/control.ts';
import type { AuditLog } from './record/audit/log.ts';
import type { AuditReader } from './record/audit/reader.ts';
import { readQuery } from './record/audit/query.ts';

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
  const wanted = readQuery(query);
  if (what === 'sessions') return { status: 200, body: { sessions: await desk.reader.sessions(wanted) } };
  if (what !== undefined) throw new SlipwayError('not-found');
  if (query.get('follow') === 'true') return { status: 200, lines: newLines(desk.log, wanted.principal, signal) };
  const events = await desk.reader.events(wanted);
  const last = events.at(-1);
  const next = events.length === wanted.limit && last ? { next: last.seq } : {};
  return { status: 200, body: { events, ...next } };
}

/** What may wait for a client that does not read: then it misses some, and is told so by the numbers of the lines. */
const MAX_WAITING = 1000;

async function* newLines(
  log: Pick<AuditLog, 'follow'>,
  principal: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const waiting: string[] = [];
  let wake = Promise.withResolvers<void>();
  const stop = log.follow((lines) => {
    for (const line of lines.split('\n')) {
      if (line === '' || waiting.length >= MAX_WAITING) continue;
      if (principal === undefined || line.includes(`"principal":${JSON.stringify(principal)}`)) waiting.push(line);
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

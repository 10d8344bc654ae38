/** An audit log by itself, what it is told, and what it wrote. */
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AuditLog, type AuditLogOptions } from '../../../reconciler/record/audit/log.ts';
import type { AuditEvent } from '../../../reconciler/record/audit/line.ts';
import { noRecorder } from '../../../reconciler/record/recorder.ts';
import type { AuditDraft, AuditSettings } from '../../../schemas/audit.ts';
import { silent } from '../../../schemas/log.ts';

export const SETTINGS: AuditSettings = {
  schedule: '0 0 1 1 *',
  maxEvents: 1_000_000,
  maxBytes: 2 ** 30,
  fsyncMs: 1000,
  onFailure: 'continue',
  keepMs: 2 ** 40,
  branch: 'slipway/audit',
};

export function start(dir: string, more: Partial<AuditLogOptions> & { settings?: AuditSettings } = {}): AuditLog {
  return new AuditLog({ dir, settings: SETTINGS, recorder: noRecorder, log: silent, ...more });
}

export function call(more: Partial<AuditDraft> = {}): AuditDraft {
  return {
    at: Date.now(),
    kind: 'tool_call_trace',
    source: 'gateway',
    outcome: 'ok',
    requestId: randomUUID(),
    principal: 'token:ada',
    project: 'dev',
    server: 'weather',
    tool: 'forecast',
    method: 'tools/call',
    allowed: true,
    ...more,
  };
}

export const refusal = (more: Partial<AuditDraft> = {}): AuditDraft =>
  call({ kind: 'auth_failure', outcome: 'denied', allowed: false, deniedReason: 'unauthorized', status: 401, ...more });

export const filesOf = (dir: string): string[] =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted();
export const linesIn = (dir: string): string[] =>
  filesOf(dir).flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1));
export const eventsIn = (dir: string): AuditEvent[] => linesIn(dir).map((line) => JSON.parse(line) as AuditEvent);

/** What a commit says of the file that it is made of. */
export const saidOf = ({ subject, trailers }: { subject: string; trailers: readonly string[] }): string =>
  `${subject} ${trailers.at(-1)}`;

/** What is kept once everything that nobody needs is gone. */
export function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc(); gc()');
  return process.memoryUsage().heapUsed;
}

/** A log of so many calls, closed. */
export async function written(dir: string, calls: number, settings = SETTINGS): Promise<void> {
  await using log = start(dir, { settings });
  for (let n = 1; n <= calls; n++) log.record(call({ tool: `tool-${n}`, arguments: { n } }));
}

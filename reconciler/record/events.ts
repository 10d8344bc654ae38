/** What a pass did, as audit events: one for the pass, and one for each server whose instances it changed. */
import { randomUUID } from 'node:crypto';
import { LEFT_ALONE } from '../rollout/context.ts';
import type { AuditDraft, AuditOutcome } from '../../schemas/audit.ts';
import type { AuditRecord } from './record.ts';

const OUTCOMES: Readonly<Record<AuditRecord['result'], AuditOutcome>> = {
  applied: 'ok',
  failed: 'failed',
  refused: 'denied',
  blocked: 'denied',
  superseded: 'cancelled',
};

export function eventsOf({ at, result, commit, durationMs, planDigest, issues, outcomes }: AuditRecord): AuditDraft[] {
  const requestId = randomUUID();
  const common = { at: Date.parse(at), kind: 'reconcile', source: 'reconciler', commit: commit.id } as const;
  const outcome = OUTCOMES[result];
  const pass: AuditDraft = {
    ...common,
    outcome,
    requestId,
    method: 'sync',
    allowed: outcome !== 'denied',
    ...(outcome === 'ok' ? {} : { deniedReason: result }),
    durationMs,
    detail: {
      result,
      ...(commit.author === undefined ? {} : { author: commit.author }),
      ...(planDigest === undefined ? {} : { planDigest }),
      ...(issues.length === 0 ? {} : { issues: issues.length }),
    },
  };
  const changed = outcomes.filter((one) => !LEFT_ALONE.has(one.result));
  const rollouts = changed.map(({ address, result: what, ms, error }): AuditDraft => ({
    ...common,
    outcome: error ? 'failed' : 'ok',
    requestId: randomUUID(),
    parentId: requestId,
    server: address.slice(address.indexOf('/') + 1),
    method: what === 'rolledBack' ? 'rollback' : 'rollout',
    allowed: true,
    ...(error ? { deniedReason: error.code } : {}),
    durationMs: ms,
    detail: { result: what },
  }));
  return [pass, ...rollouts];
}

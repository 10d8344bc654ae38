/** What an audit record says: who asked for what, what was planned, what came of it. Facts, never a secret. */
import type { Plan } from '../../schemas/plan.ts';
import type { CommitInfo } from '../../schemas/status.ts';
import { toolCounts } from '../../schemas/lock/plan-words.ts';
import { hasChanges } from '../../schemas/plan.ts';

export interface AuditRecord {
  readonly formatVersion: 1;
  readonly type: 'reconcile';
  /** ISO 8601. */
  readonly at: string;
  readonly durationMs: number;
  readonly result: 'applied' | 'failed' | 'refused' | 'blocked' | 'superseded';
  readonly commit: CommitInfo;
  /** Who signed the commit, where that was asked. */
  readonly signer?: string;
  readonly planDigest?: string;
  /** The changes of the plan, without those that were none. */
  readonly changes: readonly {
    address: string;
    action: string;
    reason: string;
    downtime: string;
    fields: readonly unknown[];
  }[];
  /** What of tools was accepted. */
  readonly tools?: readonly unknown[];
  readonly drift: readonly unknown[];
  readonly guards: readonly unknown[];
  /** Guards that it passed by what the commit's message says. */
  readonly allowed: readonly unknown[];
  readonly outcomes: readonly {
    address: string;
    result: string;
    ms: number;
    error?: { code: string; message: string };
  }[];
  readonly issues: readonly unknown[];
  /** Why it was not applied as a whole. */
  readonly problem?: { readonly code: string; readonly message: string };
}

export function planPart(
  plan: Plan | undefined,
): Pick<AuditRecord, 'changes' | 'tools' | 'drift' | 'guards' | 'allowed'> & { planDigest?: string } {
  if (!plan) return { changes: [], drift: [], guards: [], allowed: [] };
  const changes = plan.changes
    .filter((change) => change.action !== 'noop')
    .map(({ address, action, reason, downtime, fields }) => ({ address, action, reason, downtime, fields }));
  const { planDigest, drift, guards, allowed } = plan;
  // Descriptions are in the lock file, and long.
  const tools = plan.tools?.changes.map(({ server, tool, change, from, parts }) => ({
    server,
    tool,
    change,
    from,
    parts,
  }));
  return { planDigest, changes, ...(tools ? { tools } : {}), drift, guards, allowed };
}

/** One line for the commit: `applied 1a2b3c4d: 2 to create, 1 to replace`. */
export function subjectOf(record: AuditRecord, plan: Plan | undefined): string {
  const head = `${record.result} ${record.commit.id.slice(0, 8)}`;
  if (record.issues.length > 0) return `${head}: ${record.issues.length} issue${record.issues.length === 1 ? '' : 's'}`;
  if (!plan || !hasChanges(plan)) return head;
  const parts = Object.entries(plan.summary).filter(([action, count]) => count > 0 && action !== 'noop');
  const said = parts.map(([action, count]) => `${count} to ${action}`);
  if (plan.tools) said.push(toolCounts(plan.tools));
  return `${head}: ${said.join(', ') || `${plan.drift.length} drifted`}`;
}

/** What pipelines did, for the audit log: names, sizes, times. Never a text, nor what code of others says of one. */
import type { AuditKind } from '../../schemas/audit.ts';
import type { Work } from './run.ts';

interface Told {
  readonly kind: Extract<AuditKind, 'pipeline_execution' | 'stage_execution'>;
  readonly stage?: string;
  /** Bytes of the text. */
  readonly before: number;
  readonly after: number;
  /** As `performance.now()` gave it. */
  readonly began: number;
  /** Why it failed, if it did: `time`, `memory`, `error` … */
  readonly why?: string | undefined;
  readonly more?: Readonly<Record<string, unknown>>;
}

export function told(work: Work, { kind, stage, before, after, began, why, more }: Told): void {
  const { call, server, pipeline, name, input } = work;
  const { caller, trace } = call;
  caller.state.audit.record({
    at: Date.now(),
    kind,
    source: 'gateway',
    outcome: why === undefined ? 'ok' : why === 'time' ? 'timeout' : 'failed',
    requestId: trace.requestId,
    correlationId: trace.correlationId,
    principal: caller.identity.key,
    session: trace.session,
    project: caller.route.project,
    server: server?.name,
    tool: name,
    method: call.request.method,
    allowed: true,
    ...(why === undefined ? {} : { deniedReason: `stage_${why}` }),
    level: server?.entry.audit,
    durationMs: performance.now() - began,
    resultBytes: after,
    commit: caller.generation.snapshot.commit,
    detail: {
      pipeline: pipeline.name,
      ...(stage === undefined ? {} : { stage }),
      input,
      bytesIn: before,
      bytesOut: after,
      ...more,
    },
  });
}

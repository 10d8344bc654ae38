/** What is known of one request, gathered on its way by whoever learns it. The audit event and the spans are made of it. */
import { randomBytes } from 'node:crypto';
import type { HttpRequest } from '../http/message.ts';
import { toSlipwayError, type ErrorCode } from '../../schemas/errors.ts';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { outcomeOf } from '../metrics.ts';
import { readContext, type TraceContext } from '../tracing/context.ts';
import type { Grant } from '../../schemas/access.ts';
import type { AuditDraft, AuditKind, AuditLevel, AuditOutcome } from '../../schemas/audit.ts';

/** A client's own id is only a claim: short, and of characters that harm no log. */
const HARMLESS = /^[A-Za-z0-9._:-]{1,64}$/;

/** Unique over restarts and machines, and on a command line no option; the rest is a count, which costs a request nothing. */
const RUN = randomBytes(6).toString('hex');
let count = 0;

/** What is refused with such a status is an event, whatever was asked for. */
const REFUSALS: Readonly<Record<number, AuditKind>> = {
  401: 'auth_failure',
  403: 'rbac_decision',
  413: 'limit',
  429: 'limit',
};

/** Words that the team server has for failures of calls that were allowed. */
const REASONS: Partial<Record<ErrorCode, string>> = {
  'upstream-timeout': 'request_timeout',
  'request-timeout': 'request_timeout',
};

function reasonOf({ error }: RpcFailure): string {
  return error.code === RPC.invalidParams ? 'invalid_arguments' : 'tool_error';
}

/**
 * One object per request. Steps write what they learn: `trace.denied('rule …')`, `trace.server = …`. Without a `kind` at
 * the end, the request is no event.
 */
export class Trace implements AuditDraft {
  readonly source = 'gateway';
  readonly at: number = Date.now();
  /** As `performance.now()` gave it. */
  readonly began: number = performance.now();
  readonly requestId: string = `${RUN}-${(++count).toString(36)}`;
  correlationId: string | undefined;
  /** The client's trace. */
  context: TraceContext | undefined;
  parentId: string | undefined;
  /** Set where a request matters: by its method, or by the refusal. */
  kind: AuditKind = 'http_request';
  /** Whether there is something to record. */
  matters = false;
  outcome: AuditOutcome = 'ok';
  principal: string | undefined;
  /** What the principal may do. */
  grant: Grant | undefined;
  address: string | undefined;
  session: string | undefined;
  project: string | undefined;
  server: string | undefined;
  tool: string | undefined;
  method = '';
  allowed = true;
  deniedReason: string | undefined;
  /** Whether even that it was refused is not the caller's to know: to it, there is no such thing. */
  isHidden = false;
  /** What the caller is told of a refusal, where it is not told in the answer of a tool. */
  said: string | undefined;
  arguments: unknown;
  bodyBytes: number | undefined;
  level: AuditLevel | undefined;
  durationMs: number | undefined;
  status: number | undefined = 200;
  resultBytes: number | undefined;
  commit: string | undefined;
  detail: Readonly<Record<string, unknown>> | undefined;

  constructor({ headers }: Pick<HttpRequest, 'headers'>) {
    const own = headers['x-request-id'];
    this.correlationId = typeof own === 'string' && HARMLESS.test(own) ? own : undefined;
    if (headers['traceparent'] !== undefined) this.follows(readContext(headers['traceparent'], headers['tracestate']));
  }

  /** It is part of a trace that the client began. */
  follows(context: TraceContext | undefined): void {
    if (!context) return;
    this.context = context;
    this.correlationId ??= context.traceId;
    this.parentId = context.spanId;
  }

  /** This request is an event of that kind. */
  event(kind: AuditKind, method: string): void {
    this.kind = kind;
    this.method = method;
    this.matters = true;
  }

  /** It goes on with what an earlier request began: it is about the same, and names it. */
  continues(earlier: Trace): void {
    this.server = earlier.server;
    this.tool = earlier.tool;
    this.level = earlier.level;
    this.parentId ??= earlier.requestId;
  }

  /** It was thrown on the way. What is a refusal of ours makes any request an event; other failures only tell how one went. */
  failed(error: unknown): void {
    const { code, row, details, message } = toSlipwayError(error);
    if (details?.limit) this.detail = { limit: details.limit };
    const refusal = error instanceof RpcFailure ? undefined : REFUSALS[row.http];
    if (refusal) {
      this.said = message;
      return this.denied(code, code === 'budget-exhausted' ? 'budget' : refusal);
    }
    if (!this.allowed) return;
    this.outcome = outcomeOf(error);
    this.deniedReason = error instanceof RpcFailure ? reasonOf(error) : (REASONS[code] ?? code);
  }

  /** It was allowed and came to nothing, as its result says. */
  toolFailed(reason = 'tool_error'): void {
    this.outcome = 'error';
    this.deniedReason = reason;
  }

  /** We said no, although the answer may look like any other. @param reason a code: it is stored */
  denied(reason: string, kind: AuditKind = 'rbac_decision'): void {
    this.kind = kind;
    this.allowed = false;
    this.outcome = 'denied';
    this.deniedReason = reason;
    this.matters = true;
  }
}

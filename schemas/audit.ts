/**
 * Who did what: one stream of events for the gateway, the control API and the reconciler. An event is a fact that Slipway
 * saw itself. It holds hashes of what was sent, never the thing itself.
 */

/** What an event is about. Names are those of the team server and mcpctl where they have one for it. */
export const AUDIT_KINDS = [
  'tool_call_trace', // tools/call
  'script_execution', // tools/call of run_script; the calls in it are events of their own, with its requestId as parentId
  'mcp_request', // what else reaches a server: prompts/get, resources/read …
  'session_bind', // initialize
  'gate_decision', // a caller passed a gate
  'prompt_delivery', // Prompts were handed to a session
  'rbac_decision', // refused: the caller may not
  'auth_failure', // refused: nobody knows the caller, or whom it is talking to
  'pipeline_execution', // a result went through a Pipeline
  'stage_execution', // … through one of its stages
  'plugin_execution', // a hook of a Plugin ran
  'limit', // refused: too often, too much, too large
  'budget',
  'control', // the control API
  'http_request', // other protected HTTP routes, such as metrics
  'reconcile', // a pass, a rollout
  'tool_drift', // a tool is not what the lock file says
  'audit', // the log about itself: started, cut, left something out
] as const;
export type AuditKind = (typeof AUDIT_KINDS)[number];

/** `error`: the server said no. `failed`: it could not be asked, or the request was wrong. `denied`: we said no. */
export const AUDIT_OUTCOMES = ['ok', 'error', 'timeout', 'cancelled', 'failed', 'denied'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** How much is kept of calls to a server. `hash`: names of tools, prompts and resources only as hashes. */
export const AUDIT_LEVELS = ['full', 'hash', 'off'] as const;
export type AuditLevel = (typeof AUDIT_LEVELS)[number];

/** An event as it is handed over, when a request is answered: plain references, nothing is formatted or hashed yet. */
export interface AuditDraft {
  /** Unix time in ms. */
  readonly at: number;
  readonly kind: AuditKind;
  readonly source: 'gateway' | 'reconciler' | 'audit';
  readonly outcome: AuditOutcome;
  readonly requestId: string;
  /** What the client calls it: its own `X-Request-Id`, or the trace id of its `traceparent`. */
  readonly correlationId?: string | undefined;
  /** What it came from: the span of the client's trace. */
  readonly parentId?: string | undefined;
  /** {@link Identity.key}: `token:<name>`, `user:<name>`, `local`. Absent for nobody known. */
  readonly principal?: string | undefined;
  /** The address it came from, for refusals. */
  readonly address?: string | undefined;
  /** Names the session; it is hashed before it is written. */
  readonly session?: string | undefined;
  readonly project?: string | undefined;
  readonly server?: string | undefined;
  /** The server's own name of the tool, the prompt, or the URI of the resource. */
  readonly tool?: string | undefined;
  /** JSON-RPC method, or `GET /path`. */
  readonly method: string;
  /** Whether the caller may. What was allowed can still have failed. */
  readonly allowed: boolean;
  /** A code of ours, `tool_error`, `request_timeout` … */
  readonly deniedReason?: string | undefined;
  /** What the client sent. What is large is hashed later: nobody may change it any more. */
  readonly arguments?: unknown;
  /** Of the request's body, so that large ones do not pile up (bytes). */
  readonly bodyBytes?: number | undefined;
  readonly level?: AuditLevel | undefined;
  readonly durationMs?: number | undefined;
  /** Of HTTP. */
  readonly status?: number | undefined;
  readonly resultBytes?: number | undefined;
  /** The commit in force. */
  readonly commit?: string | undefined;
  /** More words, for events that are no requests. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
}

/** Takes events. Called when a request is answered: takes microseconds, with large arguments more, and never throws. */
export interface AuditSink {
  record(draft: AuditDraft): void;
  /** Whether requests are to be refused because what they do could not be recorded (`Gateway.spec.audit.onFailure: stop`). */
  readonly blocked: boolean;
}

/** A sink that can tell how it does. */
export interface AuditKeeper extends AuditSink {
  state(): AuditState;
}

/** How the log is kept (`Gateway.spec.audit`). Durations in ms. */
export interface AuditSettings {
  /** Cron expression, in UTC: when what was gathered is committed. */
  readonly schedule: string;
  /** Committed before that when it is this much. */
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** What a power failure may cost. */
  readonly fsyncMs: number;
  /** What becomes of requests that cannot be recorded. */
  readonly onFailure: 'continue' | 'stop';
  /** How long files stay on this host after they were handed to git. */
  readonly keepMs: number;
  readonly branch: string;
}

/** How the log is doing. */
export interface AuditState {
  /** Number and hash of the last line on disk. */
  readonly events: number;
  readonly head: string;
  /** Events that are not on disk yet. */
  readonly waiting: number;
  /** Events that were left out since the start. */
  readonly dropped: number;
  /** Why nothing can be written now. */
  readonly lastError?: string;
}

/** Where nobody keeps a log. */
export const noAudit: AuditSink = { record() {}, blocked: false };

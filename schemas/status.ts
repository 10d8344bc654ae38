/** The contract of `slipway status -o json`, after Kubernetes' conditions and Flux' use of them. */
import { z } from 'zod';
import { llmStatusSchema } from './llm.ts';
import { CHANGES } from './lock/differences.ts';
import { FINDINGS } from './lock/findings.ts';
import { PARTS } from './lock/pin.ts';
import { statsSchema } from './operate.ts';

/**
 * `Isolated`, `Drifted`, `Pinned` and `Authorized` are told of servers, `AuditDegraded` and `Verified` of the whole, and `Suspended` of either, where there is something to tell; they do
 * not bear on the others.
 */
export const CONDITIONS = [
  'Ready',
  'Reconciling',
  'Stalled',
  'Healthy',
  'Isolated',
  'Drifted',
  'Pinned',
  'Authorized',
  'Suspended',
  'AuditDegraded',
  'Verified',
] as const;
export type ConditionType = (typeof CONDITIONS)[number];

const condition = z.strictObject({
  type: z.enum(CONDITIONS),
  status: z.enum(['True', 'False', 'Unknown']),
  /** For machines: `Succeeded`, `InvalidConfig`, `CrashLoop` … */
  reason: z.string(),
  message: z.string(),
  observedCommit: z.string().optional(),
  /** ISO 8601; changes only when `status` does. */
  lastTransitionTime: z.string(),
});

const instance = z.strictObject({
  name: z.string(),
  state: z.enum(['starting', 'running', 'sleeping', 'crashed', 'stopping']),
  hash: z.string(),
  /** Its image, package or command, as people call it. */
  runs: z.string().optional(),
  pid: z.int().optional(),
  restarts: z.int(),
  startedAt: z.string().optional(),
  lastError: z.string().optional(),
  /** How it differs from what was asked for, without a commit. */
  drift: z.array(z.string()).optional(),
  /** In what it is less shut in than it could be, and why. */
  exposed: z.array(z.string()).optional(),
  /** Measured when somebody asks for them. */
  stats: statsSchema.optional(),
  /** Why it gets no calls although it runs: its readiness probe fails. */
  unready: z.string().optional(),
});

/** How the gateway stands with one instance or remote server. */
const upstream = z.strictObject({
  /** Name of the instance, or of the server for a remote one. */
  id: z.string(),
  transport: z.enum(['stdio', 'http', 'sse']),
  connected: z.boolean(),
  /** Whom it is for, where clients share none: one client, or the next that comes. */
  for: z.enum(['client', 'next']).optional(),
  /** Whether it opened a session for us. */
  session: z.boolean().optional(),
  inFlight: z.int(),
  calls: z.int(),
  errors: z.int(),
  /** Calls a second, over the last minute or, of many, over the last of them. */
  perSecond: z.number(),
  /** Of its last calls, how long 95 of 100 took at most. Absent before the first. */
  p95Ms: z.number().optional(),
  /** `open`: it failed too often, and requests are refused at once until the next try. */
  breaker: z.enum(['closed', 'half-open', 'open']),
  lastError: z.string().optional(),
  /** Why it lets nobody in: a person must consent first. */
  needsAuthorization: z.string().optional(),
  /** Whose credentials it is reached with, where everybody has their own. */
  principal: z.string().optional(),
});

const commit = z.strictObject({
  id: z.string(),
  author: z.string().optional(),
  subject: z.string().optional(),
  at: z.string(),
});

const server = z.strictObject({
  name: z.string(),
  /** Of the resource it comes from: `Server/github`. */
  address: z.string(),
  runtime: z.string(),
  enabled: z.boolean(),
  transport: z.string(),
  /** What it speaks: up to MCP 2025-11-25, or from 2026-07-28 on. Absent until somebody has talked to it. */
  era: z.enum(['legacy', 'modern']).optional(),
  tools: z.array(z.string()).optional(),
  conditions: z.array(condition),
  instances: z.array(instance),
  upstreams: z.array(upstream).optional(),
  /** How its tools differ from those that were accepted, and what becomes of them (`toolDrift`). */
  pins: z
    .strictObject({
      drift: z.enum(['warn', 'block']),
      differences: z.array(
        z.strictObject({
          tool: z.string(),
          change: z.enum(CHANGES),
          from: z.string().optional(),
          parts: z.array(z.enum(PARTS)),
        }),
      ),
    })
    .optional(),
  /** What somebody should look at in its tools: hidden characters, orders to the model, names like another's. */
  findings: z.array(z.strictObject({ tool: z.string(), kind: z.enum(FINDINGS), message: z.string() })).optional(),
  /** Lists that could not be had when they were wanted (`tools`, `prompts`, `resources`, `templates`), and why. */
  unlisted: z.record(z.string(), z.string()).optional(),
  source: z.strictObject({ file: z.string(), line: z.int() }).optional(),
});

const token = z.strictObject({
  /** Of the resource it comes from: `Token/ci`. */
  address: z.string(),
  name: z.string(),
  expiresAt: z.string().optional(),
  /** ISO 8601; absent until somebody used it. */
  lastUsed: z.string().optional(),
});

/** What a plan of a pull request came to: nothing to do, changes, refused or not mergeable, blocked by a guard. */
export const VERDICTS = ['success', 'changes', 'failure', 'blocked'] as const;

const reviewed = z.strictObject({
  number: z.int(),
  /** `planned` where nothing is written at the forge, or not yet; `failed` where no plan could be had, or told. */
  state: z.enum(['planning', 'planned', 'told', 'failed']),
  /** Ids of what was merged, and into what. */
  head: z.string().optional(),
  base: z.string().optional(),
  verdict: z.enum(VERDICTS).optional(),
  summary: z.string().optional(),
  /** Of the comment. */
  url: z.string().optional(),
  /** Why it is tried again, or was given up. */
  error: z.string().optional(),
  at: z.string(),
});

const review = z.strictObject({
  forge: z.string(),
  /** The last genuine delivery, and what became of it. */
  lastHook: z.strictObject({ at: z.string(), outcome: z.string() }).optional(),
  /** The last one that was not let in. */
  lastRefused: z.strictObject({ at: z.string(), reason: z.string() }).optional(),
  /** Pull requests heard of since the start, those heard of last at the end. */
  requests: z.array(reviewed),
});

const workspace = z.strictObject({
  name: z.string(),
  /** Of the resource it comes from: `Workspace/handbook`. */
  address: z.string(),
  conditions: z.array(condition),
  /** URL or folder. */
  source: z.string(),
  ref: z.string().optional(),
  /** Where its files are; always the newest tree. Absent until there is one. */
  path: z.string().optional(),
  commit: z.string().optional(),
  /** When it was last found to be as it should (ISO 8601). */
  syncedAt: z.string().optional(),
  files: z.int().optional(),
  bytes: z.int().optional(),
  /** How many files were left out, by reason. */
  skipped: z.record(z.string(), z.int()).optional(),
  error: z.string().optional(),
});

const linkedPrompt = z.strictObject({
  name: z.string(),
  /** Of the resource it comes from: `Prompt/standup`. */
  address: z.string(),
  /** As the config says it. */
  link: z.string(),
  /** How the last reading went; `unread` until somebody wanted it. */
  state: z.enum(['unread', 'ok', 'failing']),
  /** ISO 8601. */
  readAt: z.string().optional(),
  error: z.string().optional(),
});

export const statusSchema = z.strictObject({
  formatVersion: z.literal(1),
  version: z.string(),
  pid: z.int(),
  startedAt: z.string(),
  source: z.string(),
  gateway: z.strictObject({ url: z.string() }).optional(),
  conditions: z.array(condition),
  lastAttempted: commit.optional(),
  lastApplied: commit.optional(),
  /** When the source was last asked, whatever it answered with, and when it last answered. */
  lastProbe: z.string().optional(),
  lastReached: z.string().optional(),
  issues: z.array(z.looseObject({ file: z.string(), line: z.number(), code: z.string(), message: z.string() })),
  servers: z.array(server),
  tokens: z.array(token),
  workspaces: z.array(workspace),
  /** Language models, where the config has any. */
  llms: z.array(llmStatusSchema).optional(),
  /** Prompts that are links; absent where there are none. */
  prompts: z.array(linkedPrompt).optional(),
  /** Pushes and pull requests, where a forge tells of them. */
  review: review.optional(),
  /** Audit records that wait for the remote. */
  outbox: z.strictObject({ pending: z.int(), lastError: z.string().optional(), lastCommit: z.string().optional() }),
  /** Backups, where the config asks for any: the last one and the next, and what waits for the remote. */
  backup: z
    .strictObject({
      last: z.string().optional(),
      lastAt: z.string().optional(),
      lastCommit: z.string().optional(),
      next: z.string().optional(),
      pending: z.int(),
      lastError: z.string().optional(),
    })
    .optional(),
  /** The audit log on this host: number and hash of its last line, what waits, and what had to be left out. */
  audit: z
    .strictObject({
      events: z.int(),
      head: z.string(),
      waiting: z.int(),
      dropped: z.int(),
      lastError: z.string().optional(),
    })
    .optional(),
});

export type Status = z.output<typeof statusSchema>;
export type Condition = z.output<typeof condition>;
export type ServerStatus = z.output<typeof server>;
export type UpstreamStatus = z.output<typeof upstream>;
export type WorkspaceStatus = z.output<typeof workspace>;
export type PromptStatus = z.output<typeof linkedPrompt>;
export type TokenStatus = z.output<typeof token>;
export type InstanceStatus = z.output<typeof instance>;
export type ReviewStatus = z.output<typeof review>;
export type CommitInfo = z.output<typeof commit>;

export function conditionOf(holder: { conditions: readonly Condition[] }, type: ConditionType): Condition | undefined {
  return holder.conditions.find((entry) => entry.type === type);
}

/** How the last reading of a Prompt went that is a link. */
export interface LinkState {
  /** Unix time in ms. */
  readonly at: number;
  /** Absent: it could be read. */
  readonly error?: string;
}

/**
 * What must hold of every set of conditions (after fluxcd/pkg `runtime/conditions/check`). Empty when all is well.
 * Asserted after each status write in tests.
 */
export function brokenInvariants(conditions: readonly Condition[]): string[] {
  const is = (type: ConditionType, status: string): boolean =>
    conditions.some((entry) => entry.type === type && entry.status === status);
  const ready = conditions.find((entry) => entry.type === 'Ready');
  const broken: string[] = [];
  if (!ready) broken.push('Ready must be present');
  if (new Set(conditions.map((entry) => entry.type)).size !== conditions.length) broken.push('each type at most once');
  if (is('Reconciling', 'True') && is('Stalled', 'True')) broken.push('never Reconciling and Stalled together');
  if (is('Stalled', 'True') && !is('Ready', 'False')) broken.push('Stalled means not Ready');
  if (is('Ready', 'Unknown') && !is('Reconciling', 'True')) broken.push('Ready is Unknown only while Reconciling');
  if (is('Ready', 'True') && is('Healthy', 'False')) broken.push('Ready means not unhealthy');
  for (const entry of conditions) if (entry.reason === '') broken.push(`${entry.type} needs a reason`);
  return broken;
}

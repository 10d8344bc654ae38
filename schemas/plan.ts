/** The contract of `slipway plan -o json`: the difference between what a commit asks for and what runs. */
import { z } from 'zod';
import { CHANGES } from './lock/differences.ts';
import { FINDINGS } from './lock/findings.ts';
import { PARTS } from './lock/pin.ts';

export const ACTIONS = ['create', 'update', 'replace', 'delete', 'noop'] as const;
export type Action = (typeof ACTIONS)[number];

/** What users of the resource notice. `swap`: new beside old, no gap. `restart`: a gap. `stop`: it is gone. */
export const DOWNTIMES = ['none', 'reload', 'swap', 'restart', 'stop'] as const;
export type Downtime = (typeof DOWNTIMES)[number];

const field = z.strictObject({
  /** List items are named, not numbered: `spec.env.API_KEY.value`. */
  path: z.string(),
  /** JSON of the value; absent where there was or will be none; `***` where `sensitive`. */
  before: z.json().optional(),
  after: z.json().optional(),
  sensitive: z.boolean(),
});

const change = z.strictObject({
  address: z.string(),
  action: z.enum(ACTIONS),
  /** Completes “because …”. */
  reason: z.string(),
  downtime: z.enum(DOWNTIMES),
  fields: z.array(field),
  /** RFC 6902 patch from the applied to the desired resource, sensitive values masked. */
  patch: z.array(z.looseObject({ op: z.string(), path: z.string() })),
  /** Why it will not be done now. */
  blockedBy: z.array(z.string()),
  source: z.strictObject({ file: z.string(), line: z.number() }).optional(),
});

const drift = z.strictObject({ address: z.string(), instance: z.string(), reason: z.string() });

const guard = z.strictObject({
  code: z.string(),
  message: z.string(),
  /** How to go on nevertheless. */
  allow: z.string(),
  /** The resource and the field that it is about, where it is about one. */
  address: z.string().optional(),
  path: z.string().optional(),
  source: z.strictObject({ file: z.string(), line: z.number() }).optional(),
});

const toolChange = z.strictObject({
  server: z.string(),
  tool: z.string(),
  change: z.enum(CHANGES),
  /** What one that was renamed was called. */
  from: z.string().optional(),
  /** Which parts of it are another. */
  parts: z.array(z.enum(PARTS)),
  /** Where that is its description. Hidden characters are made visible. */
  description: z.strictObject({ before: z.string().optional(), after: z.string().optional() }).optional(),
  /** What its title, schemas and annotations say: `inputSchema.properties.limit.description`. Of a new tool, what is worth reading. */
  fields: z.array(z.strictObject({ path: z.string(), before: z.string().optional(), after: z.string().optional() })),
  tokens: z.strictObject({ before: z.int(), after: z.int() }),
});

/** What a commit accepts of tools, and what that costs. */
const tools = z.strictObject({
  changes: z.array(toolChange),
  /** What exactly runs, where that is another package or image. */
  artifacts: z.array(
    z.strictObject({ server: z.string(), before: z.string().optional(), after: z.string().optional() }),
  ),
  /** Signs of tool poisoning in what it accepts. */
  findings: z.array(
    z.strictObject({ server: z.string(), tool: z.string(), kind: z.enum(FINDINGS), message: z.string() }),
  ),
});

export const planSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** Commit that is applied now; absent before the first. */
  base: z.string().optional(),
  head: z.string(),
  /** SHA-256 over base, head and changes: the same plan has the same digest. */
  planDigest: z.string(),
  changes: z.array(change),
  drift: z.array(drift),
  guards: z.array(guard),
  /** Guards that would have blocked it, and the commit whose message lets it pass. */
  allowed: z.array(guard.extend({ by: z.string() })),
  /** Absent where nothing of the lock file changes. */
  tools: tools.optional(),
  /** Tokens of a model’s context that a route takes from the start (instructions and first list of tools), where that changes. */
  context: z
    .array(
      z.strictObject({
        route: z.string(),
        /** Absent where there is no such route; null where it is not known. */
        before: z.int().nullable().optional(),
        after: z.int().nullable().optional(),
        /** Servers whose tools are not known. */
        unknown: z.array(z.string()),
      }),
    )
    .optional(),
  /** What of its signatures would be refused if it were required. */
  warnings: z.array(z.string()).optional(),
  summary: z.strictObject({
    create: z.int(),
    update: z.int(),
    replace: z.int(),
    delete: z.int(),
    noop: z.int(),
  }),
});

export type Plan = z.output<typeof planSchema>;
export type Change = z.output<typeof change>;
export type FieldChange = z.output<typeof field>;
export type ToolsPlan = z.output<typeof tools>;
export type ContextChange = NonNullable<Plan['context']>[number];
export type ToolChange = z.output<typeof toolChange>;
export type Drift = z.output<typeof drift>;
export type Guard = z.output<typeof guard>;
export type AllowedGuard = Plan['allowed'][number];

/** True if something is not as the commit says. Drift may be there only to be told. */
export function hasChanges(plan: Plan): boolean {
  return hasWork(plan) || plan.drift.length > 0;
}

/** True if applying the plan would do something. */
export function hasWork(plan: Plan): boolean {
  return plan.tools !== undefined || plan.changes.some((entry) => entry.action !== 'noop');
}

/** The exit code of `plan` and `diff`: 0 nothing to do, 2 changes, 3 blocked by a guard. */
export function exitCodeOf(plan: Plan): 0 | 2 | 3 {
  if (plan.guards.length > 0) return 3;
  return hasChanges(plan) ? 2 : 0;
}

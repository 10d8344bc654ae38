/**
 * The contract between reconciler and gateway: all that the gateway needs to know, in one immutable value.
 * Holds hashes of tokens and references to secrets, never a secret value. Durations are milliseconds.
 */
import { z } from 'zod';
import { accessSchema } from './access.ts';
import { AUDIT_LEVELS, type AuditSettings } from './audit.ts';
import { LEVELS } from './log.ts';
import { headersSchema, upstreamAuthSchema } from './upstream-auth.ts';
import { budgetSchema } from './budgets.ts';
import { cacheSettingsSchema } from './cache.ts';
import { pipelineSchema } from './pipelines.ts';
import { pluginSchema } from './plugins.ts';
import { limitsSchema } from './limits.ts';
import { llmChoiceSchema, llmSchema } from './llm.ts';
import { pinnedSchema } from './lock/pinned.ts';

/** A tool as its server defined it (MCP `Tool`), kept whole: the gateway passes it on untouched but for the name. */
export const toolSchema = z.looseObject({ name: z.string().min(1) });
export type Tool = z.output<typeof toolSchema>;

const endpoint = z.strictObject({
  /** Name of the instance, or of the server for a remote one. */
  id: z.string(),
  transport: z.enum(['stdio', 'http', 'sse']),
  /** `unix:/path/to.sock` for stdio (the bridge's socket), an http(s) URL otherwise. */
  address: z.string(),
  /** Whether private networks are out of bounds: for URLs from the config, unless it allows them. */
  publicOnly: z.boolean().optional(),
});

const serverEntry = z.strictObject({
  description: z.string().optional(),
  tags: z.array(z.string()).optional(),
  examples: z.array(z.looseObject({})).optional(),
  endpoints: z.array(endpoint),
  timeoutMs: z.number(),
  /** How long its lists are waited for, if not as long as the gateway says. */
  listTimeoutMs: z.number().optional(),
  /** Each client gets an instance of its own: how many at a time, how many of them wait, and how long one is kept without a call. */
  isolated: z.strictObject({ maxInstances: z.number(), warm: z.number().optional(), idleMs: z.number() }).optional(),
  /** How the gateway gets into a remote server. */
  auth: upstreamAuthSchema.optional(),
  /** Whether the gateway checks arguments against a tool's schema before it passes them on. */
  validateArguments: z.boolean().optional(),
  /** How much of calls is in the audit log. Absent: all there is to it. */
  audit: z.enum(AUDIT_LEVELS).optional(),
  /** Whether secrets of a known shape are taken out of its results. */
  redact: z.boolean().optional(),
  /** Results that may be given again. Absent `ttlMs`: as long as the result says. The last rule that matches a tool counts. */
  cache: z
    .array(z.strictObject({ tools: z.array(z.string()), ttlMs: z.number().optional(), force: z.boolean().optional() }))
    .optional(),
  /** Pipeline of its results, where a route has none. */
  pipeline: z.string().optional(),
  /** What the server listed when it last became ready, so that listing tools need not wake it. */
  tools: z.array(toolSchema).optional(),
  instructions: z.string().optional(),
  /** What it said in its handshake that it can do, so that a client can be told without waking it. */
  capabilities: z.record(z.string(), z.unknown()).optional(),
  /** Endpoints of a version on trial, and how many in a hundred sessions are sent to them; the others go to the rest. */
  canary: z.strictObject({ endpoints: z.array(z.string()), weight: z.number().min(0).max(100) }).optional(),
  /** Which of its tools somebody accepted, with hashes of their parts, and what becomes of others. Absent: nobody looks. */
  pinned: pinnedSchema.optional(),
  /** Why there is no endpoint. */
  unavailable: z.strictObject({ code: z.string(), message: z.string() }).optional(),
});

const route = z.strictObject({
  project: z.string().optional(),
  instructions: z.string().optional(),
  servers: z.array(z.string()),
  /** What joins server and tool in a tool's name; absent where names are kept as they are. */
  separator: z.string().optional(),
  /** By server: another prefix than name and separator, tools that are left out (patterns), and what tools are called and said to do. */
  overrides: z
    .record(
      z.string(),
      z.strictObject({
        prefix: z.string().optional(),
        pipeline: z.string().optional(),
        hide: z.array(z.string()).optional(),
        tools: z
          .record(z.string(), z.strictObject({ name: z.string().optional(), description: z.string().optional() }))
          .optional(),
      }),
    )
    .optional(),
  /** What is listed instead of all tools, and of how many servers a description tells. Absent: all tools. */
  discovery: z.strictObject({ mode: z.enum(['lazy', 'search']), summaries: z.int().optional() }).optional(),
  /** How far a script that calls tools may go; absent where there are none. */
  codeMode: z
    .strictObject({
      timeoutMs: z.number(),
      cpuMs: z.number(),
      memoryBytes: z.number(),
      maxCalls: z.int(),
      maxConcurrentCalls: z.int(),
      scriptBytes: z.number(),
      resultBytes: z.number(),
      consoleBytes: z.number(),
    })
    .optional(),
  /** Pipeline of results here, where an override says nothing else. */
  pipeline: z.string().optional(),
  /** Plugin whose hooks take part in what goes through here. */
  plugin: z.string().optional(),
  /** Sessions say what they are about first; then they get the Prompts that fit, in so many bytes, and the tools. */
  gate: z
    .strictObject({
      budgetBytes: z.int(),
      /** How long after its last request a caller has passed. */
      ttlMs: z.number(),
      /** A model says which Prompts fit, where one can be had. */
      byModel: z.boolean().optional(),
      /** Sessions can propose Prompts. */
      proposals: z.boolean().optional(),
    })
    .optional(),
  /** Whether secrets of a known shape are taken out of results here. */
  redact: z.boolean().optional(),
  llm: llmChoiceSchema.optional(),
});

/** A text for models. Exactly one of content and link is there. */
const prompt = z.strictObject({
  content: z.string().optional(),
  /** A resource that is the text; without a project, straight from the server. */
  link: z.strictObject({ project: z.string().optional(), server: z.string(), uri: z.string() }).optional(),
  priority: z.int().min(1).max(10),
  summary: z.string().optional(),
  chapters: z.array(z.string()).optional(),
  /** Absent: all, and `/mcp`. */
  projects: z.array(z.string()).optional(),
});

/** A Token. */
const principal = z.strictObject({
  name: z.string(),
  sha256: z.string(),
  /** The token it replaced, in force until a Unix time in ms. */
  previous: z.strictObject({ sha256: z.string(), until: z.number() }).optional(),
  /** Names of roles and scopes, aliases resolved. */
  roles: z.array(z.string()),
  scopes: z.array(z.string()),
  /** Absent: everything. */
  projects: z.array(z.string()).optional(),
  /** Unix time in ms. */
  expiresAt: z.number().optional(),
  /** Where it is written. */
  at: z.strictObject({ file: z.string(), line: z.number() }).optional(),
});

/** Whom an identity provider's claims make. What is absent is not looked at. */
const user = z.strictObject({
  name: z.string(),
  /** In lower case. */
  email: z.string().optional(),
  subject: z.string().optional(),
  provider: z.string().optional(),
});

const group = z.strictObject({
  name: z.string(),
  users: z.array(z.string()),
  tokens: z.array(z.string()),
  /** Groups of the provider that are in it. */
  claims: z.array(z.string()),
  provider: z.string().optional(),
});

/** An identity provider whose JWTs are taken. */
const provider = z.strictObject({
  name: z.string(),
  issuer: z.string(),
  /** Absent: the gateway's own URLs. */
  audiences: z.array(z.string()).optional(),
  jwksUri: z.string().optional(),
  algorithms: z.array(z.string()),
  userClaim: z.string(),
  groupsClaim: z.string(),
  trustEmail: z.boolean(),
  requiredClaims: z.record(z.string(), z.array(z.string())),
  clockSkewMs: z.number(),
  /** OAuth scopes: those that clients are told of, those that are always needed, and those needed in places. */
  scopes: z.array(z.string()),
  requiredScopes: z.array(z.string()),
  stepUp: z.array(
    z.strictObject({ scopes: z.array(z.string()), projects: z.array(z.string()), roles: z.array(z.string()) }),
  ),
  /** Whether private addresses are out of bounds. */
  publicOnly: z.boolean(),
  keys: z.strictObject({ refreshMs: z.number(), cooldownMs: z.number(), keepMs: z.number() }),
});

const auditSettings = z.strictObject({
  schedule: z.string(),
  maxEvents: z.number(),
  maxBytes: z.number(),
  fsyncMs: z.number(),
  onFailure: z.enum(['continue', 'stop']),
  keepMs: z.number(),
  branch: z.string(),
}) satisfies z.ZodType<AuditSettings>;

const listener = z.strictObject({
  listen: z.string(),
  publicUrl: z.string().optional(),
  allowedHosts: z.array(z.string()),
  allowedOrigins: z.array(z.string()),
  maxBodyBytes: z.number(),
  sessionTtlMs: z.number(),
  /** How long the lists of servers are waited for. */
  listTimeoutMs: z.number().optional(),
  shutdownTimeoutMs: z.number(),
  providers: z.array(provider),
  audit: auditSettings.optional(),
  logging: z
    .strictObject({ level: z.enum(LEVELS), format: z.enum(['plain', 'json']), redactKeys: z.array(z.string()) })
    .optional(),
  /** Where spans go. */
  tracing: z.strictObject({ endpoint: z.string(), sampleRatio: z.number(), headers: headersSchema }).optional(),
  /** Serve the transport of MCP 2024-11-05 too: `…/sse` and `…/messages` beside each `…/mcp`. */
  httpSse: z.boolean().optional(),
  /** Whether secrets of a known shape are taken out of all results. */
  redact: z.boolean().optional(),
  cache: cacheSettingsSchema.optional(),
});

export const snapshotSchema = z.strictObject({
  formatVersion: z.literal(1),
  commit: z.string(),
  gateway: listener,
  servers: z.record(z.string(), serverEntry),
  /** By URL path: `/mcp`, `/projects/dev/mcp`, `/servers/github/mcp`. */
  routes: z.record(z.string(), route),
  principals: z.array(principal),
  users: z.array(user),
  groups: z.array(group),
  /** Who may do what. */
  access: accessSchema,
  limits: limitsSchema.optional(),
  budgets: z.array(budgetSchema).optional(),
  llms: z.array(llmSchema).optional(),
  pipelines: z.record(z.string(), pipelineSchema).optional(),
  plugins: z.record(z.string(), pluginSchema).optional(),
  /** By name. */
  prompts: z.record(z.string(), prompt).optional(),
});

/** What became of the calls of clients on an endpoint since the gateway knows it. */
export interface Tally {
  readonly calls: number;
  /** Those that failed on its side: it could not be reached, did not answer in time, or answered with an error. */
  readonly errors: number;
}

export type Snapshot = z.output<typeof snapshotSchema>;
export type ServerEntry = z.output<typeof serverEntry>;
export type Endpoint = z.output<typeof endpoint>;
export type Route = z.output<typeof route>;
export type PromptEntry = z.output<typeof prompt>;
export type Principal = z.output<typeof principal>;
export type UserEntry = z.output<typeof user>;
export type GroupEntry = z.output<typeof group>;
export type Provider = z.output<typeof provider>;

/** Whether callers must show who they are. Where they need not, nobody but this machine may call. */
export function needsCredentials({ principals, gateway }: Pick<Snapshot, 'principals' | 'gateway'>): boolean {
  return principals.length > 0 || gateway.providers.length > 0;
}

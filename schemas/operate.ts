/** What operators ask of a running Slipway besides its status: what runs costs, and what others left behind. */
import { z } from 'zod';
import type { Cited, Decision } from './access.ts';
import type { CommitInfo } from './status.ts';

/** What an instance uses right now, as its driver measures it. */
export const statsSchema = z.strictObject({
  /** CPU seconds since it was started. */
  cpuSeconds: z.number(),
  memoryBytes: z.number(),
  memoryLimitBytes: z.number().optional(),
  /** Processes and threads. */
  pids: z.int(),
});

export type Stats = z.output<typeof statsSchema>;

/** `GET /stats`. */
export interface Usage {
  /** Milliseconds of a clock that only this process has: for differences between two answers. */
  readonly at: number;
  readonly instances: readonly InstanceUsage[];
}

export interface InstanceUsage {
  readonly id: string;
  /** Of the resource it comes from. */
  readonly address: string;
  readonly state: string;
  readonly restarts: number;
  /** Absent where nothing runs, or nobody can measure it. */
  readonly stats?: Stats;
}

/** `GET /orphans`: something with Slipway's marks that belongs to another Slipway. */
export interface OrphanRow {
  readonly driver: string;
  readonly id: string;
  readonly kind: string;
  readonly owner: string;
  readonly server?: string;
  readonly createdAt: string;
  readonly dead: boolean;
}

/** `POST /prune`. Without `ids`, all of them; without `owner`, only those whose Slipway is gone. */
export const pruneSchema = z.strictObject({
  ids: z.array(z.string()).default([]),
  owner: z.string().optional(),
  dryRun: z.boolean().default(false),
});

export type PruneRequest = z.output<typeof pruneSchema>;

export interface PruneResult {
  /** What is gone; with `dryRun`, what would be. */
  readonly removed: readonly string[];
  /** What was asked for and is still there. */
  readonly kept: readonly { readonly id: string; readonly reason: string }[];
}

/** What an event is about that is about no resource. */
export const ALL = 'Slipway';

/** `GET /events`: something became another way. Kept in memory, oldest first. */
export interface EventRow {
  /** Grows with each; the same happening again gets a new one. */
  readonly seq: number;
  /** ISO times of the first and of the last of them. */
  readonly firstAt: string;
  readonly at: string;
  /** How often it happened in the same words. */
  readonly count: number;
  readonly type: 'Normal' | 'Warning';
  /** `Server/github`, or {@link ALL}. */
  readonly about: string;
  readonly instance?: string;
  /** For machines: `Applied`, `CrashLoop`, `Started` … */
  readonly reason: string;
  readonly message: string;
}

/** `GET /history/<kind>/<name>`: where a resource stands, and who changed it last. */
export interface History {
  readonly file: string;
  readonly line: number;
  /** The commit that its lines come from; absent for a plain folder. Author and subject are told to those who may view everything. */
  readonly change?: CommitInfo;
}

/** A request that the gateway refused. */
export interface Denial {
  readonly requestId: string;
  /** ISO time. */
  readonly at: string;
  /** {@link Identity.key}; absent for nobody known. */
  readonly principal: string | undefined;
  readonly method: string;
  readonly project: string | undefined;
  readonly server: string | undefined;
  readonly tool: string | undefined;
  /** An error code, or `blocked` for a tool. */
  readonly reason: string;
  /** What the caller was told. */
  readonly message: string | undefined;
  /** Names of the roles that the caller had, and where it is written that it has them; absent for nobody known. */
  readonly roles: readonly string[] | undefined;
  readonly given: readonly Cited[] | undefined;
  /** Of a tool: what decided, and where that is written. */
  readonly decision: Decision | undefined;
  readonly commit: string;
}

/** `GET /auth/can-i`: whether somebody may do something, and why. Places are told to those who may see roles. */
export interface CanI {
  readonly allowed: boolean;
  readonly principal: string;
  readonly reason: string;
  /** Where the deciding rule or binding stands: `access.yaml:12`. */
  readonly places: readonly string[];
  readonly commit: string;
  /** What would allow it. */
  readonly remedy?: string;
}

/** `GET /auth/can-i?list=true`. */
export interface Abilities {
  readonly principal: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly operations: readonly string[];
  readonly rules: readonly {
    readonly role: string;
    readonly verbs: readonly string[];
    readonly resources: readonly string[];
    readonly names: readonly string[];
    readonly projects: readonly string[];
    readonly servers: readonly string[];
  }[];
}

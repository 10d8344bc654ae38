/** What a workspace is to be, and what came of it. */
import type { SlipwayError } from '../../schemas/errors.ts';
import type { SecretUse } from '../../schemas/upstream-auth.ts';

export interface GitOrigin {
  readonly type: 'git';
  readonly url: string;
  readonly ref?: string;
  readonly credentials?: { readonly username: SecretUse; readonly password: SecretUse };
}

export interface WorkspaceSpec {
  readonly name: string;
  /** Of the resource it comes from. */
  readonly address: string;
  readonly from: GitOrigin | { readonly type: 'path'; readonly path: string };
  readonly schedule: string;
  readonly timeZone?: string;
  readonly onWebhook: boolean;
  readonly timeoutMs: number;
  /** Globs of paths; none: all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly maxBytes: number;
  readonly maxFileBytes: number;
}

/** A tree that can be read. */
export interface Tree {
  /** Name of what it is: another name, other files. */
  readonly id: string;
  /** Of its folder: absolute for a folder of the host. */
  readonly path: string;
  readonly commit?: string;
  readonly files: number;
  readonly bytes: number;
  /** How many files were left out, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** Path → what its content is known by. */
export type Manifest = Readonly<Record<string, string>>;

/** What a sync changed, for whoever keeps an index of the files. */
export interface ChangeList {
  /** ISO 8601. */
  readonly at: string;
  readonly from?: string;
  readonly to: string;
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** What is known of a workspace. */
export interface WorkspaceFacts {
  readonly spec: WorkspaceSpec;
  readonly tree?: Tree;
  /** ISO 8601: when it was last found to be as it should. */
  readonly syncedAt?: string;
  /** Path that always leads to the newest tree. */
  readonly path: string;
  readonly error?: SlipwayError;
  readonly isSyncing: boolean;
}

/** What a kind turns into. Pure: the answer depends on the resource and the context alone. */
import type { Access } from '../../schemas/access.ts';
import type { BudgetEntry } from '../../schemas/budgets.ts';
import type { LlmEntry } from '../../schemas/llm.ts';
import type { GuardsSpec } from '../../schemas/kinds/fields/guards.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import type { Allowance } from '../features.ts';
import type { Sealed } from '../secrets/sealed.ts';
import type { ReviewSettings } from '../review/settings.ts';
import type { HoldRule } from '../holds.ts';
import type { ToolDriftDraft } from '../pins/modes.ts';
import type { TrustRules } from '../trust/rules.ts';
import type { WorkspaceSpec } from '../workspaces/spec.ts';
import type { Workload, WorkloadFile } from '../workload.ts';

/** The snapshot while kinds add their parts; endpoints of workloads are filled in when instances are ready. */
export type Draft = {
  -readonly [Key in keyof Omit<Snapshot, 'formatVersion' | 'commit'>]: Snapshot[Key];
} & {
  readonly budgets: BudgetEntry[];
  readonly llms: LlmEntry[];
  readonly prompts: NonNullable<Snapshot['prompts']>;
  readonly access: Access;
  /** Which resource each entry of `servers` comes from: name → address. Not published. */
  readonly origins: Record<string, string>;
  /** What becomes of tools that are not what the lock file says, as resources put it. Not published. */
  readonly toolDrift: ToolDriftDraft;
  /** Who tells of pushes and pull requests. Not published. */
  review?: ReviewSettings;
};

export interface CompileContext {
  readonly commit: string;
  /** Another resource of the same commit; references were checked, so it is there. */
  find(kind: string, name: string): Resource | undefined;
  /** All of a kind, by name. */
  all(kind: string): readonly Resource[];
  file(path: string): WorkloadFile | undefined;
  /** The first project, by name, that lists the server. */
  projectOf(server: string): string | undefined;
}

export interface KindBehaviour<Spec> {
  /** What must run because of this resource. */
  workloads?(resource: Resource<Spec>, context: CompileContext): Workload[];
  /** Servers that it holds together. */
  members?(resource: Resource<Spec>, context: Pick<CompileContext, 'all'>): readonly string[];
  /** Encrypted values that it holds. */
  seals?(resource: Resource<Spec>, context: CompileContext): readonly Sealed[];
  /** What servers may have of their host because of this resource. */
  allows?(resource: Resource<Spec>): readonly Allowance[];
  /** What holds commits back because of this resource. */
  guards?(resource: Resource<Spec>): GuardsSpec | undefined;
  /** Trees of files that are kept ready because of this resource. */
  workspaces?(resource: Resource<Spec>, context: CompileContext): readonly WorkspaceSpec[];
  /** Whether rollouts wait because of this resource. */
  holds?(resource: Resource<Spec>): HoldRule;
  /** By what commits that come after it are judged. */
  trust?(resource: Resource<Spec>): TrustRules;
  /** What holds of the gateway, whatever the config says, where the resource stands in a floor. */
  floor?(resource: Resource<Spec>, draft: Draft): void;
  /** What the gateway must know because of this resource. */
  contribute?(resource: Resource<Spec>, draft: Draft, context: CompileContext): void;
}

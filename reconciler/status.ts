/** From facts to conditions that a person can act on. Pure: steps note facts, only this file decides what they mean. */
import type { AuditState } from '../schemas/audit.ts';
import type { Era } from '../schemas/modern.ts';
import { reasonOf, type SlipwayError } from '../schemas/errors.ts';
import { addressOf, type Issue, type Resource } from '../schemas/resource.ts';
import type { ServerEntry, Tally, Tool } from '../schemas/snapshot.ts';
import type {
  CommitInfo,
  Condition,
  ConditionType,
  InstanceStatus,
  LinkState,
  ServerStatus,
  Status,
  UpstreamStatus,
} from '../schemas/status.ts';
import type { Applied } from './applied.ts';
import type { Compiled } from './compile.ts';
import type { Instance } from './drivers/driver.ts';
import { holdOf, type Holds } from './holds.ts';
import type { LlmStatus } from '../schemas/llm.ts';
import type { WorkspaceFacts } from './workspaces/spec.ts';
import { pinnedCondition, pinsOf } from './pins/told.ts';
import { tokenStatuses } from './token-usage.ts';
import { workspaceConditions, workspaceStatus } from './workspaces/status.ts';
import { promptStatuses } from './prompt-status.ts';
import type { Health } from './health/prober.ts';
import type { Served } from './publish.ts';
import type { Stage } from './rollout/canary.ts';
import { authorized, drifted, isolation, ready, serverConditions, suspended } from './server-status.ts';
import type { Judgement } from './trust/judge.ts';
import type { Program, Workload } from './workload.ts';

export interface Facts {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly source: string;
  readonly gatewayUrl?: string | undefined;
  /** What a server speaks, as the gateway found it. */
  readonly spoken?: ((server: string) => Era | undefined) | undefined;
  /** How the gateway stands with a server's instances. */
  readonly upstreams: (server: string) => readonly UpstreamStatus[];
  readonly unlisted: (server: string) => Readonly<Record<string, string>>;
  /** What servers list, by name. */
  readonly tools: ReadonlyMap<string, readonly Tool[]>;
  /** When a Token was last used (ISO 8601). */
  readonly lastUsed: (token: string) => string | undefined;
  /** What the last pass worked towards. */
  readonly compiled: Compiled;
  readonly applied: Applied;
  readonly attempted?: CommitInfo | undefined;
  /** True while a pass changes something. */
  readonly working: boolean;
  /** Why the last pass failed as a whole. */
  readonly problem?: SlipwayError | undefined;
  readonly issues: readonly Issue[];
  /** What was found of the signatures of what was attempted. */
  readonly judgement?: Judgement | undefined;
  /** Why rollouts failed, by address. */
  readonly errors: ReadonlyMap<string, SlipwayError>;
  readonly instances: readonly Instance[];
  readonly served: ReadonlyMap<string, Served>;
  /** What the gateway was told of servers, by name. */
  readonly serving: Readonly<Record<string, ServerEntry>>;
  /** What waits, and for what, by address. */
  readonly held: Holds;
  /** Who waits for what it depends on, by address. */
  readonly waiting: ReadonlyMap<string, string>;
  /** Canaries, by address. */
  readonly canaries: ReadonlyMap<string, Stage>;
  readonly tally: (instance: string) => Tally;
  readonly health: (instance: string) => Health;
  /** What crashed instances wrote last. */
  readonly lastLines: (instance: string) => readonly string[];
  readonly lastProbe?: string | undefined;
  readonly lastReached?: string | undefined;
  readonly workspaces: readonly WorkspaceFacts[];
  /** How Prompts that are links were read last, by name. */
  readonly links: ReadonlyMap<string, LinkState>;
  readonly outbox: Status['outbox'];
  readonly llms: readonly LlmStatus[];
  readonly review?: Status['review'];
  readonly backup?: Status['backup'];
  readonly audit?: AuditState | undefined;
}

export type Draft = Omit<Condition, 'lastTransitionTime' | 'observedCommit'>;

/** @param previous the status before, from which unchanged conditions keep their transition time; @param now ISO 8601 */
export function summarize(facts: Facts, previous: Status | undefined, now: string): Status {
  const servers = serversOf(facts, previous, now);
  const commit = facts.attempted?.id;
  const { applied } = facts;
  return {
    formatVersion: 1,
    version: facts.version,
    pid: facts.pid,
    startedAt: facts.startedAt,
    source: facts.source,
    ...(facts.gatewayUrl === undefined ? {} : { gateway: { url: facts.gatewayUrl } }),
    conditions: dated(overall(facts, servers), previous?.conditions ?? [], commit, now),
    ...(facts.attempted ? { lastAttempted: facts.attempted } : {}),
    ...(applied.commit ? { lastApplied: applied.commit } : {}),
    ...(facts.lastProbe === undefined ? {} : { lastProbe: facts.lastProbe }),
    ...(facts.lastReached === undefined ? {} : { lastReached: facts.lastReached }),
    issues: facts.issues.map((issue) => ({ ...issue })),
    servers,
    tokens: tokenStatuses(facts),
    workspaces: facts.workspaces.map((workspace) => {
      const before = previous?.workspaces.find(({ address }) => address === workspace.spec.address)?.conditions ?? [];
      return { ...workspaceStatus(workspace), conditions: dated(workspaceConditions(workspace), before, commit, now) };
    }),
    ...(facts.llms.length > 0 ? { llms: [...facts.llms] } : {}),
    ...promptStatuses(facts),
    ...(facts.review ? { review: facts.review } : {}),
    outbox: facts.outbox,
    ...(facts.backup ? { backup: facts.backup } : {}),
    ...(facts.audit ? { audit: { ...facts.audit } } : {}),
  };
}

function overall(facts: Facts, servers: readonly ServerStatus[]): Draft[] {
  const unhealthy = servers.filter((server) =>
    server.conditions.some((entry) => entry.type === 'Ready' && entry.status === 'False'),
  );
  const healthy: Draft =
    unhealthy.length === 0
      ? { type: 'Healthy', status: 'True', reason: 'Succeeded', message: `${servers.length} servers` }
      : {
          type: 'Healthy',
          status: 'False',
          reason: 'ServersNotReady',
          message: `not ready: ${unhealthy.map((server) => server.name).join(', ')}`,
        };
  return [...progress(facts, unhealthy), healthy, ...allSuspended(facts), ...auditDegraded(facts), ...verified(facts)];
}

/** Told where everything is suspended, not only some servers. */
function allSuspended({ compiled, applied }: Facts): Draft[] {
  return suspended(holdOf(compiled.holds, '', new Date(0)), applied);
}

/** Told where signatures are looked at. */
function verified({ problem, judgement: { signer, warnings } = { warnings: [] } }: Facts): Draft[] {
  if (problem?.code === 'untrusted')
    return [{ type: 'Verified', status: 'False', reason: 'Untrusted', message: problem.message }];
  const [first] = warnings;
  const more = warnings.length > 1 ? ` (and ${warnings.length - 1} more)` : '';
  if (first !== undefined)
    return [{ type: 'Verified', status: 'False', reason: 'Unsigned', message: `${first}${more}` }];
  if (signer === undefined) return [];
  return [{ type: 'Verified', status: 'True', reason: 'Signed', message: `the newest commit is signed by ${signer}` }];
}

function auditDegraded({ audit }: Facts): Draft[] {
  if (audit?.lastError === undefined) return [];
  const message = `the audit log cannot be written: ${audit.lastError}; ${audit.waiting} events wait, ${audit.dropped} were left out`;
  return [{ type: 'AuditDegraded', status: 'True', reason: 'CannotWrite', message }];
}

function progress(facts: Facts, unhealthy: readonly ServerStatus[]): Draft[] {
  const { problem, issues } = facts;
  if (facts.working)
    return [
      ready('Unknown', 'Progressing', 'a commit is being applied'),
      { type: 'Reconciling', status: 'True', reason: 'Progressing', message: 'a commit is being applied' },
    ];
  if (problem) {
    const first = problem.code === 'invalid-config' ? issues[0] : undefined;
    const detail = first
      ? `${first.file}:${first.line}:${first.column} ${first.message}${issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''}`
      : problem.message;
    const type = problem.row.next === 'fix' ? 'Stalled' : 'Reconciling';
    return [
      ready('False', reasonOf(problem.code), detail),
      { type, status: 'True', reason: reasonOf(problem.code), message: detail },
    ];
  }
  if (!facts.applied.commit)
    return [
      ready('Unknown', 'Progressing', 'nothing was applied yet'),
      { type: 'Reconciling', status: 'True', reason: 'Progressing', message: 'waiting for the first commit' },
    ];
  // Also those of servers that are in the config no more, and could not be removed.
  const failed = [...facts.errors.keys()].map((address) => address.slice(address.indexOf('/') + 1));
  if (failed.length > 0) return [ready('False', 'RolloutFailed', `failed: ${failed.join(', ')}`)];
  if (unhealthy.length > 0)
    return [ready('False', 'ServersNotReady', `not ready: ${unhealthy.map((server) => server.name).join(', ')}`)];
  return [ready('True', 'Succeeded', `applied ${facts.applied.commit.id.slice(0, 8)}`)];
}

function serversOf(facts: Facts, previous: Status | undefined, now: string): ServerStatus[] {
  const { compiled, applied } = facts;
  const origins = new Set(Object.values(compiled.draft.origins));
  const known = [...Object.values(applied.good), ...compiled.workloads];
  const index: Index = {
    workloads: new Map(compiled.workloads.map((workload) => [workload.address, workload])),
    versions: new Map(known.map((workload) => [workload.hash, workload])),
    instances: Map.groupBy(facts.instances, ({ address }) => address),
    before: new Map(previous?.servers.map((server) => [server.address, server])),
  };
  return compiled.resources
    .filter((resource) => origins.has(addressOf(resource)))
    .map((resource) => serverStatus(resource, facts, index, now));
}

/** Looked up for each of many servers. */
interface Index {
  /** By address. */
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly instances: ReadonlyMap<string, readonly Instance[]>;
  readonly before: ReadonlyMap<string, ServerStatus>;
  /** By hash: what is wanted, and what was good. */
  readonly versions: ReadonlyMap<string, Workload>;
}

function serverStatus(resource: Resource, facts: Facts, index: Index, now: string): ServerStatus {
  const { name } = resource.metadata;
  const address = addressOf(resource);
  const workload = index.workloads.get(address);
  const instances = index.instances.get(address) ?? [];
  const served = facts.served.get(address);
  const era = facts.spoken?.(name) ?? served?.readiness.era;
  const before = index.before.get(address)?.conditions ?? [];
  const upstreams = facts.upstreams(name);
  const { pinned } = facts.serving[name] ?? {};
  const pins = pinsOf(pinned, facts.tools.get(name));
  const conditions = [
    ...serverConditions(address, workload, instances, facts),
    ...isolation(instances),
    ...drifted(address, workload, instances, facts),
    ...pinnedCondition(pins, pinned),
    ...suspended(facts.held.get(address), facts.applied),
    ...authorized(upstreams),
  ];
  return {
    name,
    address,
    runtime: workload?.driver ?? 'remote',
    enabled: true,
    transport: workload?.run.transport ?? facts.compiled.draft.servers[name]?.endpoints[0]?.transport ?? 'http',
    ...(era === undefined ? {} : { era }),
    ...(served ? { tools: served.readiness.tools.map((tool) => tool.name) } : {}),
    conditions: dated(conditions, before, facts.attempted?.id, now),
    instances: instances.map((instance) => instanceStatus(instance, facts, index.versions.get(instance.hash))),
    ...(pins ? { pins } : {}),
    ...(upstreams.length === 0 ? {} : { upstreams: [...upstreams] }),
    ...unlistedOf(name, facts),
    source: { file: resource.source.file, line: resource.source.line },
  };
}

function unlistedOf(name: string, facts: Facts): Pick<ServerStatus, 'unlisted'> {
  const unlisted = facts.unlisted(name);
  return Object.keys(unlisted).length === 0 ? {} : { unlisted: { ...unlisted } };
}

function instanceStatus(instance: Instance, { health }: Facts, known: Workload | undefined): InstanceStatus {
  const { id, state, hash, pid, restarts, startedAt, lastError, drift, exposed } = instance;
  const { unready } = health(id);
  return {
    name: id,
    state,
    hash,
    ...(known ? { runs: programText(known.run.program) } : {}),
    restarts,
    ...(pid === undefined ? {} : { pid }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(drift ? { drift: [...drift] } : {}),
    ...(exposed ? { exposed: [...exposed] } : {}),
    ...(unready === undefined ? {} : { unready }),
  };
}

function programText(program: Program): string {
  if (program.type === 'image') return program.image;
  if (program.type === 'package') return `${program.name}@${program.version}`;
  return program.argv[0]?.split('/').at(-1) ?? '';
}

/** `lastTransitionTime` says since when a condition has its status, so it changes only with it. */
function dated(
  drafts: readonly Draft[],
  before: readonly Condition[],
  commit: string | undefined,
  now: string,
): Condition[] {
  const since = (type: ConditionType, status: string): string =>
    before.find((entry) => entry.type === type && entry.status === status)?.lastTransitionTime ?? now;
  return drafts.map((draft) => ({
    ...draft,
    ...(commit === undefined ? {} : { observedCommit: commit }),
    lastTransitionTime: since(draft.type, draft.status),
  }));
}

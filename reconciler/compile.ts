/** From checked resources to what must run and what the gateway must know. Pure: the same input, the same output. */
import type { GuardsSpec } from '../schemas/kinds/fields/guards.ts';
import { gateway as gatewayKind } from '../schemas/kinds/gateway.ts';
import type { Resource } from '../schemas/resource.ts';
import type { Allowance } from './features.ts';
import type { Lock } from '../schemas/lock/lock.ts';
import type { HoldRule } from './holds.ts';
import { listener } from './kinds/gateway.ts';
import { gatewayLimits } from './limits.ts';
import { behaviourOf } from './kinds/index.ts';
import { pinTools, withAccepted } from './pins/modes.ts';
import type { CompileContext, Draft } from './kinds/kind.ts';
import type { Sealed } from './secrets/sealed.ts';
import type { WorkspaceSpec } from './workspaces/spec.ts';
import type { Workload, WorkloadFile } from './workload.ts';

/** A commit whose resources are all valid. */
export interface Desired {
  readonly commit: string;
  readonly resources: readonly Resource[];
  /** Files of the config repo that resources refer to. */
  readonly files: readonly WorkloadFile[];
  /** Places of the config that are there but give nothing to read: emptied files, submodules, links, empty folders. */
  readonly blank?: readonly string[];
  /** Which tools somebody accepted; absent where there is no such file. */
  readonly lock?: Lock | undefined;
  /** What holds whatever the commit says. */
  readonly floor?: Floor | undefined;
}

/** What the operator's floor file says. */
export interface Floor {
  /** SHA-256 of its content. */
  readonly id: string;
  readonly resources: readonly Resource[];
}

export interface Compiled extends Desired {
  readonly workloads: readonly Workload[];
  readonly draft: Draft;
  readonly allowances: readonly Allowance[];
  /** What holds commits back, as each resource that has a say puts it; and as the floor does. */
  readonly guards: readonly GuardsSpec[];
  readonly sealed: readonly Sealed[];
  /** What rollouts wait for. */
  readonly holds: readonly HoldRule[];
  readonly floorGuards: readonly GuardsSpec[];
  readonly workspaces: readonly WorkspaceSpec[];
}

export const NOTHING: Desired = { commit: '', resources: [], files: [] };

/** The last good commit is asked for again and again: by each plan, and whenever something is published. */
const known = new WeakMap<Desired, Compiled>();

/** Resources may come in any order: they are sorted by address first, so that output never depends on it. */
export function compile(desired: Desired): Compiled {
  let compiled = known.get(desired);
  if (!compiled) known.set(desired, (compiled = compileAnew(desired)));
  return compiled;
}

function compileAnew(desired: Desired): Compiled {
  const resources = [...desired.resources].sort((a, b) => compareText(key(a), key(b)));
  const byKey = new Map(resources.map((resource) => [key(resource), resource]));
  const files = new Map(desired.files.map((file) => [file.path, file]));
  const byKind = Map.groupBy(resources, ({ kind }) => kind);
  const all: CompileContext['all'] = (kind) => byKind.get(kind) ?? [];
  const projects = projectsOf(resources, all);
  const context: CompileContext = {
    commit: desired.commit,
    find: (kind, name) => byKey.get(`${kind}/${name}`),
    all,
    file: (path) => files.get(path),
    projectOf: (server) => projects.get(server),
  };
  const draft = emptyDraft();
  const workloads: Workload[] = [];
  const allowances: Allowance[] = [];
  const guards: GuardsSpec[] = [];
  const holds: HoldRule[] = [];
  const workspaces: WorkspaceSpec[] = [];
  const sealed: Sealed[] = [];
  for (const resource of resources) {
    const behaviour = behaviourOf(resource.kind);
    workloads.push(...(behaviour.workloads?.(resource, context) ?? []));
    behaviour.contribute?.(resource, draft, context);
    allowances.push(...(behaviour.allows?.(resource) ?? []));
    guards.push(...guardsIn(resource));
    const hold = behaviour.holds?.(resource);
    if (hold) holds.push(hold);
    workspaces.push(...(behaviour.workspaces?.(resource, context) ?? []));
    sealed.push(...(behaviour.seals?.(resource, context) ?? []));
  }
  const floor = desired.floor?.resources ?? [];
  for (const resource of floor) behaviourOf(resource.kind).floor?.(resource, draft);
  pinTools(draft, desired.lock);
  const floorGuards = floor.flatMap(guardsIn);
  return {
    ...desired,
    resources,
    workloads: desired.lock ? workloads.map((workload) => withAccepted(workload, draft, desired.lock)) : workloads,
    draft,
    allowances,
    guards,
    floorGuards,
    sealed,
    holds,
    workspaces,
  };
}

function guardsIn(resource: Resource): GuardsSpec[] {
  const guards = behaviourOf(resource.kind).guards?.(resource);
  return guards ? [guards] : [];
}

/** Which project each server belongs to where it can be only one: the first by name. */
function projectsOf(resources: readonly Resource[], all: CompileContext['all']): ReadonlyMap<string, string> {
  const pairs = resources.flatMap((resource) => {
    const members = behaviourOf(resource.kind).members?.(resource, { all }) ?? [];
    return members.map((server) => [server, resource.metadata.name] as const);
  });
  return new Map(pairs.toReversed());
}

function emptyDraft(): Draft {
  const spec = gatewayKind.spec.parse({});
  return {
    gateway: listener(spec),
    limits: gatewayLimits(spec.limits),
    budgets: [],
    llms: [],
    prompts: {},
    servers: {},
    origins: {},
    toolDrift: { servers: {} },
    routes: { '/mcp': { servers: [], separator: '__' } },
    principals: [],
    users: [],
    groups: [],
    access: { roles: {}, bindings: [], members: {}, floor: [], projects: {}, servers: {} },
  };
}

const key = (resource: Resource): string => `${resource.kind}/${resource.metadata.name}`;

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

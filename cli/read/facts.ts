/** All that a running Slipway knows of one resource. */
import type { BudgetStatus } from '../../schemas/budgets.ts';
import { kindOf } from '../../schemas/kinds/index.ts';
import type { EventRow, History } from '../../schemas/operate.ts';
import type { LlmStatus } from '../../schemas/llm.ts';
import { referencesOf, selectionsIn } from '../../schemas/refs.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import {
  conditionOf,
  type ServerStatus,
  type Status,
  type TokenStatus,
  type PromptStatus,
  type WorkspaceStatus,
} from '../../schemas/status.ts';
import type { Target } from '../target.ts';

const LAST_LINES = 10;

export interface Facts {
  readonly resource: Resource;
  readonly history: History;
  readonly status: Status;
  /** How it does, if it is a server or a token. */
  readonly server: ServerStatus | undefined;
  readonly token: TokenStatus | undefined;
  readonly workspace: WorkspaceStatus | undefined;
  readonly llm: LlmStatus | undefined;
  /** Those that it names. */
  readonly llms: readonly LlmStatus[];
  /** Of one that is a link. */
  readonly prompt: PromptStatus | undefined;
  /** Addresses of what it names, and of what names it. */
  readonly refersTo: readonly string[];
  /** Those of them that it does not name, but reaches. */
  readonly selects: readonly string[];
  readonly referredBy: readonly string[];
  /** What its fields alone do not say. */
  readonly notes: readonly string[];
  readonly events: readonly EventRow[];
  /** Of a budget, or of the one that it names: how much of it is used. */
  readonly budgets: readonly BudgetStatus[];
  /** What a server that does badly wrote last. */
  readonly log: readonly string[];
}

/** What is known of all of them. */
export interface Common {
  readonly resources: readonly Resource[];
  readonly selections: ReturnType<typeof selectionsIn>;
  readonly status: Status;
  readonly budgets: readonly BudgetStatus[];
}

export async function common(target: Target, resources: readonly Resource[]): Promise<Common> {
  const [status, budgets] = await Promise.all([
    target.json<Status>('GET', '/status?stats=true'),
    target.json<BudgetStatus[]>('GET', '/budgets'),
  ]);
  return { resources, selections: selectionsIn(resources), status, budgets };
}

export async function factsOf(
  target: Target,
  resource: Resource,
  { resources, selections, status, budgets }: Common,
): Promise<Facts> {
  const address = addressOf(resource);
  const { kind, metadata } = resource;
  const server = status.servers.find((entry) => entry.address === address);
  const [history, events, log] = await Promise.all([
    target.json<History>('GET', `/history/${kind}/${encodeURIComponent(metadata.name)}`),
    target.json<EventRow[]>('GET', `/events?for=${encodeURIComponent(address)}`),
    lastLines(target, server),
  ]);
  const targets = (from: Resource): string[] => [
    ...referencesOf(from).map((reference) => `${reference.kind}/${reference.name}`),
    ...(selections.get(addressOf(from)) ?? []),
  ];
  const selects = selections.get(address) ?? [];
  const refersTo = [...new Set(targets(resource))];
  return {
    resource,
    history,
    status,
    server,
    token: status.tokens.find((entry) => entry.address === address),
    workspace: status.workspaces.find((entry) => entry.address === address),
    llm: status.llms?.find(({ name }) => address === `LlmProvider/${name}`),
    llms: status.llms?.filter(({ name }) => refersTo.includes(`LlmProvider/${name}`)) ?? [],
    prompt: status.prompts?.find((entry) => entry.address === address),
    refersTo,
    selects,
    notes: kindOf(kind)?.notes?.(resource.spec, selects) ?? [],
    referredBy: resources.filter((other) => targets(other).includes(address)).map(addressOf),
    events,
    budgets: budgets.filter(({ budget }) => [address, ...refersTo].includes(`Budget/${budget}`)),
    log,
  };
}

/** Of a server with something to explain; none where nothing was logged, or the caller may not read it. */
async function lastLines(target: Target, server: ServerStatus | undefined): Promise<string[]> {
  const isWell = server && conditionOf(server, 'Ready')?.status === 'True';
  if (!server || (isWell && server.instances.every(({ lastError }) => lastError === undefined))) return [];
  const [kind = '', name = ''] = server.address.split('/');
  return Array.fromAsync(target.lines(`/logs/${kind}/${encodeURIComponent(name)}?tail=${LAST_LINES}`)).catch(() => []);
}

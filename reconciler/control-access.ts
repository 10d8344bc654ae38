/** What a caller of the control API may see and do: every answer goes through here. Pure. */
import { RESOURCES, type Annotations, type Grant, type Operation, type ResourceWord } from '../schemas/access.ts';
import type { ControlCaller } from '../schemas/control.ts';
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import { kindOf } from '../schemas/kinds/index.ts';
import { ALL, type EventRow, type Usage } from '../schemas/operate.ts';
import type { Resource } from '../schemas/resource.ts';
import type { Tool } from '../schemas/snapshot.ts';
import type { Status } from '../schemas/status.ts';
import type { PassResult } from './run.ts';

/** @throws SlipwayError `forbidden` @param server where it is about one; else it is about all */
export function checkOperation(grant: Grant, operation: Operation, server?: string): void {
  if (grant.operation(operation, server)) return;
  const where = server === undefined ? 'everywhere' : `for ${server}`;
  throw new SlipwayError('forbidden', `This needs the operation ${operation}, ${where}.`);
}

/** The log tells of everybody; the scope alone shows a caller its own part. @throws SlipwayError `forbidden` */
export function checkAuditor({ key, grant }: ControlCaller, query: URLSearchParams): void {
  if (grant.operation('audit') || (grant.scope('audit') && query.get('principal') === key)) return;
  throw new SlipwayError('forbidden', 'The audit log needs the operation audit.');
}

/** Whoever may change the config may see it as it is, with all that is masked elsewhere. @throws SlipwayError `forbidden` */
export function checkEditor(grant: Grant): void {
  if (!grant.may('edit', 'servers'))
    throw new SlipwayError('forbidden', 'Comparing with what runs needs a role that may edit all servers.');
}

/** @throws SlipwayError `forbidden` where there is nothing of a kind that the caller may see */
export function visible(
  grant: Grant,
  resources: readonly Resource[],
  asked?: { word: string; name?: string },
): Resource[] {
  if (asked) checkView(grant, asked.word as ResourceWord, asked.name, resources);
  return resources.filter((resource) => maySee(grant, resource));
}

/** A caller who may not see all of a kind cannot learn which names exist. */
function checkView(grant: Grant, word: ResourceWord, name: string | undefined, found: readonly Resource[]): void {
  if (name === undefined ? grant.mayAny('view', word) : grant.may('view', word)) return;
  if (name !== undefined && found.some((resource) => maySee(grant, resource))) return;
  throw new SlipwayError('forbidden', `No role of yours may view ${name === undefined ? word : `${word}/${name}`}.`);
}

function maySee(grant: Grant, { kind, metadata }: Resource): boolean {
  const word = kindOf(kind)?.plural;
  return isWord(word) && grant.may('view', word, metadata.name, metadata.project);
}

const isWord = (word: string | undefined): word is ResourceWord => (RESOURCES as readonly unknown[]).includes(word);

/** What is about all of the config, and may name anything in it, is for these. */
export const seesEverything = (grant: Grant): boolean => RESOURCES.every((word) => grant.may('view', word));

/** What a caller's share of the status depends on besides what it may. */
export interface Offer {
  /** What a server offers. @param address `Server/github` */
  tools(address: string): readonly Tool[];
  /** Names of the projects that hold a server, by its name. */
  projects(server: string): readonly string[];
}

/** The servers and Tokens that the caller may see, their instances where it may see those, and the rest if it may see all. */
export function statusFor(grant: Grant, status: Status, offer: Offer): Status {
  const all = seesEverything(grant);
  const servers = status.servers
    .filter(({ name }) => grant.may('view', 'servers', name))
    .map((whole) => {
      const server = all ? whole : withOpenTools(grant, whole, offer);
      const { upstreams, ...rest } = server;
      if (!grant.may('view', 'instances', server.name)) return { ...rest, instances: [] };
      return upstreams && !grant.may('view', 'users') ? { ...rest, upstreams: upstreams.map(unnamed) } : server;
    });
  const tokens = status.tokens.filter(({ name }) => grant.may('view', 'tokens', name));
  const workspaces = status.workspaces.filter(({ name }) => grant.may('view', 'workspaces', name));
  const llms = status.llms?.filter(({ name }) => grant.may('view', 'llmproviders', name));
  const { prompts: linked, ...others } = status;
  const prompts = linked && { prompts: linked.filter(({ name }) => grant.may('view', 'prompts', name)) };
  if (all) return { ...others, ...prompts, servers, tokens, workspaces };
  const { audit: _, review: __, backup: ___, lastAttempted, lastApplied, ...rest } = others;
  return {
    ...rest,
    ...(lastAttempted ? { lastAttempted: bare(lastAttempted) } : {}),
    ...(lastApplied ? { lastApplied: bare(lastApplied) } : {}),
    servers,
    tokens,
    ...(llms ? { llms } : {}),
    ...prompts,
    // Where they lie on this host is for who may see all of it.
    workspaces: workspaces.map(({ path: _path, ...workspace }) => workspace),
    conditions: status.conditions.map((condition) => ({ ...condition, message: '' })),
    source: '',
    issues: [],
    outbox: { pending: status.outbox.pending },
  };
}

type ServerStatus = Status['servers'][0];

/** What one may not call, on any route, one does not see; but for whoever may see the rules and all else. */
function withOpenTools(grant: Grant, server: ServerStatus, offer: Offer): ServerStatus {
  // What is said of tools names them.
  const { pins: _, findings: __, ...rest } = server;
  const { name, address } = server;
  if (!rest.tools) return rest;
  const deciders = [undefined, ...offer.projects(name)].map((project) => grant.at(name, project).decide);
  const open = offer
    .tools(address)
    .filter((tool) => deciders.some((decide) => decide(tool.name, tool['annotations'] as Annotations).allowed));
  return { ...rest, tools: open.map((tool) => tool.name) };
}

type Commit = NonNullable<Status['lastApplied']>;
type Upstream = NonNullable<Status['servers'][0]['upstreams']>[0];

/** Without what it is called. */
const bare = ({ id, at }: Commit): Commit => ({ id, at });

/** Who uses it is for those who may view users. */
function unnamed(upstream: Upstream): Upstream {
  const { principal: _, ...rest } = upstream;
  return rest;
}

/** What commits are called tells of resources that the caller may not see. */
export const changeFor = (grant: Grant, commit: Commit): Commit => (seesEverything(grant) ? commit : bare(commit));

/** Without the names of those that a version lost or changed. */
function withoutTools(outcome: PassResult['outcomes'][0]): PassResult['outcomes'][0] {
  const { surface: _, ...rest } = outcome;
  return rest;
}

/** What a pass came to, as far as the status would tell it. */
export function passedFor(grant: Grant, passed: PassResult): PassResult {
  if (seesEverything(grant)) return passed;
  const { commit, changed, outcomes } = passed;
  const own = outcomes.filter(({ address }) => grant.may('view', 'servers', nameIn(address)));
  return { commit: bare(commit), changed, outcomes: own.map(withoutTools) };
}

/** Why a pass came to nothing: what guards and git say of it names what the caller may not see. */
export function refusalFor(grant: Grant, error: unknown): SlipwayError {
  const known = toSlipwayError(error);
  return seesEverything(grant) ? known : new SlipwayError(known.code);
}

/** As with the status: what is about all is for who may see all, and instances are for who may view those. */
export function maySeeEvent(grant: Grant, { about, instance }: EventRow): boolean {
  if (about === ALL) return seesEverything(grant);
  if (about.startsWith('Workspace/')) return grant.may('view', 'workspaces', nameIn(about));
  return (
    grant.may('view', instance === undefined ? 'servers' : 'instances', nameIn(about)) &&
    grant.may('view', 'servers', nameIn(about))
  );
}

export function usageFor(grant: Grant, usage: Usage): Usage {
  const instances = usage.instances.filter(({ address }) => grant.may('view', 'instances', nameIn(address)));
  return { ...usage, instances };
}

/** `Server/github` → `github`. */
export const nameIn = (address: string): string => address.slice(address.indexOf('/') + 1);

/** What a status is made of, gathered from a world and from what its gateway tells. */
import type { Tool } from '../schemas/snapshot.ts';
import type { Lists } from './pins/offers.ts';
import type { ReconcilerOptions } from './reconciler-options.ts';
import type { Facts } from './status.ts';
import type { World } from './world.ts';

/** What is not of the world itself. */
type Seen = Pick<Facts, 'startedAt' | 'lastUsed' | 'lastProbe' | 'lastLines' | 'instances'>;

export function factsOf(world: World, options: ReconcilerOptions, seen: Seen): Facts {
  return {
    ...seen,
    tools: toolsIn(world, options.lists?.()),
    version: options.version,
    pid: process.pid,
    source: world.source.description,
    gatewayUrl: options.gatewayUrl?.(),
    spoken: options.spoken,
    upstreams: (server: string) => options.upstreams?.(server) ?? [],
    unlisted: (server: string) => options.unlisted?.(server) ?? {},
    compiled: world.compiled,
    applied: world.applied,
    attempted: world.attempted,
    working: world.working,
    problem: world.problem,
    issues: world.issues,
    judgement: world.judgement,
    errors: world.errors,
    served: world.served,
    serving: world.serving,
    canaries: world.canaries,
    waiting: world.waiting,
    held: world.held,
    tally: (id: string) => world.traffic.tally(id),
    health: (id: string) => world.prober.healthOf(id),
    lastReached: world.lastReached,
    workspaces: options.workspaces?.().facts() ?? [],
    llms: options.llms?.()?.statuses() ?? [],
    links: options.links?.() ?? new Map(),
    review: options.review?.(),
    outbox: world.recorder.state(),
    backup: world.backups?.state(),
    audit: world.audit?.state(),
  };
}

/** By server: as the gateway knows them, else as it showed them when it became ready. */
export function toolsIn({ compiled, served }: World, lists: Lists | undefined): Map<string, readonly Tool[]> {
  const known = Object.entries(compiled.draft.origins).flatMap(([name, address]) => {
    const tools = lists?.tools(name) ?? served.get(address)?.readiness.tools;
    return tools ? [[name, tools] as const] : [];
  });
  return new Map(known);
}

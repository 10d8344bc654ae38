/** Which pipeline the results of each server go through on a route. */
import { NO_PIPELINE, type PipelineEntry } from '../../schemas/pipelines.ts';
import type { Route, ServerEntry, Snapshot } from '../../schemas/snapshot.ts';

/** In place of a server's name: the config's own Prompts, which no server has. */
export const OWN = '';

/** A pipeline with its name, by the server whose results go through it; that of the config's Prompts by {@link OWN}. */
export type Pipelines = ReadonlyMap<string, NamedPipeline>;

export interface NamedPipeline extends PipelineEntry {
  readonly name: string;
  /** What is split comes whole nevertheless. */
  readonly isWhole?: boolean;
}

/**
 * What the route says of the server, else of all, else what the server says of itself. The config's Prompts go through what the route
 * says of all, if that is for prompts.
 * @returns `undefined` where there is none at all: nothing is looked up in calls there
 */
export function pipelinesOf(
  { overrides, pipeline }: Pick<Route, 'overrides' | 'pipeline'>,
  servers: readonly { readonly name: string; readonly entry: Pick<ServerEntry, 'pipeline'> }[],
  known: Snapshot['pipelines'] = {},
  hasPrompts = false,
): Pipelines | undefined {
  const found = servers.flatMap(({ name, entry }): [string, NamedPipeline][] => {
    const wanted = overrides?.[name]?.pipeline ?? pipeline ?? entry.pipeline ?? NO_PIPELINE;
    const entryOf = known[wanted];
    return entryOf ? [[name, { name: wanted, ...entryOf }]] : [];
  });
  const own = pipeline === undefined ? undefined : known[pipeline];
  if (pipeline !== undefined && hasPrompts && own?.appliesTo.includes('prompt'))
    found.push([OWN, { name: pipeline, ...own }]);
  return found.length === 0 ? undefined : new Map(found);
}

/** Which pipeline the results of each server go through on a route. */
import { NO_PIPELINE, type PipelineEntry } from '../../schemas/pipelines.ts';
import type { Route, ServerEntry, Snapshot } from '../../schemas/snapshot.ts';

/** A pipeline with its name, by the server whose results go through it. */
export type Pipelines = ReadonlyMap<string, NamedPipeline>;

export interface NamedPipeline extends PipelineEntry {
  readonly name: string;
  /** What is split comes whole nevertheless. */
  readonly isWhole?: boolean;
}

/**
 * What the route says of the server, else of all, else what the server says of itself.
 * @returns `undefined` where there is none at all: nothing is looked up in calls there
 */
export function pipelinesOf(
  { overrides, pipeline }: Pick<Route, 'overrides' | 'pipeline'>,
  servers: readonly { readonly name: string; readonly entry: Pick<ServerEntry, 'pipeline'> }[],
  known: Snapshot['pipelines'] = {},
): Pipelines | undefined {
  const found = servers.flatMap(({ name, entry }): [string, NamedPipeline][] => {
    const wanted = overrides?.[name]?.pipeline ?? pipeline ?? entry.pipeline ?? NO_PIPELINE;
    const entryOf = known[wanted];
    return entryOf ? [[name, { name: wanted, ...entryOf }]] : [];
  });
  return found.length === 0 ? undefined : new Map(found);
}

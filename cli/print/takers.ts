/** What takes part in what goes through routes: Pipelines with their stages, Plugins with their hooks, and who uses each. */
import { referencesOf } from '../../schemas/refs.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import type { PipelineSpec } from '../../schemas/kinds/pipeline.ts';
import type { PluginSpec } from '../../schemas/kinds/plugin.ts';
import type { Table } from './table.ts';

/** @param all resources, among which are those that name them */
export const pipelineTable = (found: readonly Resource[], all: readonly Resource[]): Table =>
  tableOf('stages', (spec: PipelineSpec) => spec.stages.map(({ type }) => type), found, all);

/** @param all resources, among which are those that name them */
export const pluginTable = (found: readonly Resource[], all: readonly Resource[]): Table =>
  tableOf(
    'brings',
    ({ hooks, tools, extends: parents }: PluginSpec) => [
      ...hooks,
      ...tools.map(({ name }) => `tool ${name}`),
      ...parents.map((one) => `all of ${one}`),
    ],
    found,
    all,
  );

function tableOf<Spec>(
  what: string,
  partsOf: (spec: Spec) => readonly string[],
  found: readonly Resource[],
  all: readonly Resource[],
): Table {
  const rows = found.map((resource) => {
    const { metadata, source, spec } = resource;
    const users = all.filter((other) => namesIn(other).includes(addressOf(resource))).map(addressOf);
    return [metadata.name, partsOf(spec as Spec).join(', '), users.join(', ') || '-', `${source.file}:${source.line}`];
  });
  return { head: ['name', what, 'used by', 'source'], rows };
}

const namesIn = (resource: Resource): string[] => referencesOf(resource).map(({ kind, name }) => `${kind}/${name}`);

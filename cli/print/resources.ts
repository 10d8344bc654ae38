/** Resources as a table. What runs is shown with how it does; what is only read, with where it stands. */
import { addressOf, type Resource } from '../../schemas/resource.ts';
import type { ServerStatus, Status } from '../../schemas/status.ts';
import { belongings, columnTable, sourceOf } from './columns.ts';
import { llmTable } from './llms.ts';
import { promptTable } from './prompts.ts';
import { serverRow } from './status.ts';
import { age, type Table } from './table.ts';
import { tokenTable } from './token.ts';
import { workspaceTable } from './workspaces.ts';

/** @param status of the Slipway that runs them, if one was asked */
export function resourceTable(resources: readonly Resource[], status: Status | undefined, isWide: boolean): Table {
  const [first, ...others] = resources;
  const kind = others.every((resource) => resource.kind === first?.kind) ? first?.kind : undefined;
  const own = kind !== undefined && status ? RUNNING[kind] : undefined;
  if (own && status) return own(resources, status, isWide);
  if (kind !== undefined) return columnTable(resources, isWide);
  const known = new Map(status?.servers.map((server) => [server.address, server]));
  const head = ['kind', 'name', 'ready', 'source', ...(isWide ? ['project', 'labels'] : [])];
  const rows = resources.map((resource) => {
    const server = known.get(addressOf(resource));
    const ready = server ? (serverRow(server)[1] ?? '') : '-';
    return [resource.kind, resource.metadata.name, ready, sourceOf(resource), ...(isWide ? belongings(resource) : [])];
  });
  return { head, rows };
}

/** Kinds of which a Slipway that runs knows more than is written. Each resource has its row, whatever is known of it. */
const RUNNING: Readonly<Record<string, (all: readonly Resource[], status: Status, isWide: boolean) => Table>> = {
  Server: serverTable,
  Token: (all, { tokens }) => tokenTable(all, new Map(tokens.map((token) => [token.address, token]))),
  LlmProvider: (all, { llms = [] }) => rowForEach(all, llmTable(llms)),
  Workspace: (all, { workspaces }) => rowForEach(all, workspaceTable(workspaces)),
  Prompt: (all, { prompts }) => promptTable(all, prompts),
};

/** A row for each resource: what is known of it, or no more than its name. */
export function rowForEach(resources: readonly Resource[], { head, rows }: Table): Table {
  const byName = Map.groupBy(rows, ([name = '']) => name);
  return {
    head,
    rows: resources.flatMap(({ metadata: { name } }) => byName.get(name) ?? [[name, ...head.slice(1).map(() => '-')]]),
  };
}

function serverTable(resources: readonly Resource[], { servers }: Status, isWide: boolean): Table {
  const known = new Map(servers.map((server) => [server.address, server]));
  const head = ['name', 'ready', 'state', 'tools', 'reason', 'age'];
  const rows = resources.map((resource) => {
    const server = known.get(addressOf(resource));
    return [...(server ? stateOf(server) : unknownState(resource)), ...(isWide ? moreOf(server, resource) : [])];
  });
  return { head: isWide ? [...head, 'transport', 'runs', 'rev', 'source', 'labels'] : head, rows };
}

function stateOf(server: ServerStatus): string[] {
  const started = server.instances.flatMap(({ startedAt }) => startedAt ?? []).sort();
  return [...serverRow(server), age(started[0])];
}

/** It is switched off, or so new that no pass has looked at it. */
function unknownState({ metadata, spec }: Resource): string[] {
  const isOff = (spec as { enabled?: boolean }).enabled === false;
  return [metadata.name, '-', isOff ? 'disabled' : '-', '-', '-', '-'];
}

function moreOf(server: ServerStatus | undefined, resource: Resource): string[] {
  const { instances = [], runtime = '-', transport = '-' } = server ?? {};
  const revs = [...new Set(instances.map(({ hash }) => hash.slice(0, 8)))].join(',') || '-';
  const runs = instances.find((instance) => instance.runs !== undefined)?.runs ?? runtime;
  return [transport, runs, revs, sourceOf(resource), belongings(resource)[1]];
}

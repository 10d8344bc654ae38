/** Resources as a table. What runs is shown with how it does; what is only read, with where it stands. */
import { addressOf, type Resource } from '../../schemas/resource.ts';
import type { ServerStatus, Status } from '../../schemas/status.ts';
import { serverRow } from './status.ts';
import { age, type Table } from './table.ts';
import { tokenTable } from './token.ts';

/** @param status of the Slipway that runs them, if one was asked */
export function resourceTable(resources: readonly Resource[], status: Status | undefined, wide: boolean): Table {
  const known = new Map(status?.servers.map((server) => [server.address, server]));
  const servers = resources.map((resource) => known.get(addressOf(resource))).filter((server) => server !== undefined);
  if (servers.length > 0 && servers.length === resources.length) return serverTable(resources, servers, wide);
  const tokens = new Map(status?.tokens.map((token) => [token.address, token]));
  if (tokens.size > 0 && resources.every((resource) => tokens.has(addressOf(resource))))
    return tokenTable(resources, tokens);
  const head = ['kind', 'name', 'ready', 'source', ...(wide ? ['project', 'labels'] : [])];
  const rows = resources.map((resource) => {
    const server = known.get(addressOf(resource));
    const { file, line } = resource.source;
    const more = wide ? [resource.metadata.project ?? '-', labelsOf(resource)] : [];
    return [
      resource.kind,
      resource.metadata.name,
      server ? (serverRow(server)[1] ?? '') : '-',
      `${file}:${line}`,
      ...more,
    ];
  });
  return { head, rows };
}

function serverTable(resources: readonly Resource[], servers: readonly ServerStatus[], wide: boolean): Table {
  const head = ['name', 'ready', 'state', 'tools', 'reason', 'age'];
  const rows = servers.map((server, index) => {
    const resource = resources[index] as Resource;
    const started = server.instances.flatMap(({ startedAt }) => startedAt ?? []).sort();
    return [...serverRow(server), age(started[0]), ...(wide ? moreOf(server, resource) : [])];
  });
  return { head: wide ? [...head, 'transport', 'runs', 'rev', 'source', 'labels'] : head, rows };
}

function moreOf({ instances, runtime, transport }: ServerStatus, resource: Resource): string[] {
  const { file, line } = resource.source;
  const revs = [...new Set(instances.map(({ hash }) => hash.slice(0, 8)))].join(',') || '-';
  const runs = instances.find((instance) => instance.runs !== undefined)?.runs ?? runtime;
  return [transport, runs, revs, `${file}:${line}`, labelsOf(resource)];
}

function labelsOf({ metadata }: Resource): string {
  const labels = Object.entries(metadata.labels).map(([key, value]) => `${key}=${value}`);
  return labels.join(',') || '-';
}

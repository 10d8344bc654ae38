/** Resources as a table. What runs is shown with how it does; what is only read, with where it stands. */
import { addressOf, type Resource } from '../../schemas/resource.ts';
import type { ServerStatus, Status } from '../../schemas/status.ts';
import { serverRow } from '../commands/status.ts';
import { age, table } from './table.ts';
import { tokenTable } from './token.ts';

/** @param status of the Slipway that runs them, if one was asked */
export function resourceTable(resources: readonly Resource[], status: Status | undefined, wide: boolean): string {
  const known = new Map(status?.servers.map((server) => [server.address, server]));
  const servers = resources.map((resource) => known.get(addressOf(resource))).filter((server) => server !== undefined);
  if (servers.length > 0 && servers.length === resources.length)
    return wide
      ? wideServers(resources, servers)
      : table(['name', 'ready', 'state', 'tools', 'reason'], servers.map(serverRow));
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
  return table(head, rows);
}

function wideServers(resources: readonly Resource[], servers: readonly ServerStatus[]): string {
  const head = ['name', 'ready', 'state', 'tools', 'reason', 'transport', 'runs', 'age', 'source', 'labels'];
  const rows = servers.map((server, index) => {
    const resource = resources[index] as Resource;
    const { runs } = server.instances.find((instance) => instance.runs !== undefined) ?? {};
    const started = server.instances.flatMap(({ startedAt }) => startedAt ?? []).sort();
    const { file, line } = resource.source;
    return [
      ...serverRow(server),
      server.transport,
      runs ?? server.runtime,
      age(started[0]),
      `${file}:${line}`,
      labelsOf(resource),
    ];
  });
  return table(head, rows);
}

function labelsOf({ metadata }: Resource): string {
  const labels = Object.entries(metadata.labels).map(([key, value]) => `${key}=${value}`);
  return labels.join(',') || '-';
}

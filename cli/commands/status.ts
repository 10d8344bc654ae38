import { conditionOf, type Status } from '../../schemas/status.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import type { Io } from '../io.ts';
import { age, table } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'tell how a running Slipway does: exit 0 if it is ready',
  options: [...TARGET_OPTIONS, outputOption(['text', 'json', 'yaml'])],
  examples: ['slipway status', 'slipway status -o json --server https://mcp.example.com'],

  async run({ options, io }) {
    const target = await findTarget(options, io);
    const format = options['output'];
    const machine = format === 'json' || format === 'yaml';
    const status = await target.json<Status>('GET', machine ? '/status?stats=true' : '/status');
    if (machine) io.out(formatValue(status, format));
    else print(status, io);
    return conditionOf(status, 'Ready')?.status === 'True' ? 0 : 1;
  },
};

function print(status: Status, io: Io): void {
  const ready = conditionOf(status, 'Ready');
  const style = ready?.status === 'True' ? 'green' : ready?.status === 'False' ? 'red' : 'yellow';
  const state =
    ready?.status === 'True'
      ? 'Ready'
      : conditionOf(status, 'Stalled')
        ? 'Stalled'
        : conditionOf(status, 'Reconciling')
          ? 'Reconciling'
          : 'Not ready';
  const { lastApplied, lastAttempted, outbox } = status;
  // Whoever may see a part only is told neither.
  const message = ready?.message === '' ? '' : `: ${ready?.message ?? ''}`;
  io.out(`${io.paint(style, state)}${message} (${ready?.reason ?? ''})`);
  io.out(`Source   ${status.source === '' ? '' : `${status.source}, `}reached ${age(status.lastReached)} ago`);
  if (lastApplied) io.out(`Applied  ${lastApplied.id.slice(0, 12)} ${lastApplied.subject ?? ''}`);
  if (lastAttempted && lastAttempted.id !== lastApplied?.id)
    io.out(`Tried    ${lastAttempted.id.slice(0, 12)} ${lastAttempted.subject ?? ''}`);
  if (status.gateway) io.out(`Gateway  ${status.gateway.url}/mcp`);
  if (outbox.pending > 0)
    io.out(`Audit    ${outbox.pending} records wait for the remote${outbox.lastError ? `: ${outbox.lastError}` : ''}`);
  for (const issue of status.issues.slice(0, 5))
    io.out(`Issue    ${issue.file}:${issue.line} ${issue.code}: ${issue.message}`);
  for (const line of driftLines(status)) io.out(line);
  if (status.servers.length > 0)
    io.out(`\n${table(['server', 'ready', 'state', 'tools', 'reason'], status.servers.map(serverRow))}`);
}

/** What somebody changed by hand, and nobody heals. */
export function driftLines({ servers }: Pick<Status, 'servers'>): string[] {
  return servers.flatMap((server) => {
    const drifted = conditionOf(server, 'Drifted');
    return drifted?.status === 'True' ? [`Drifted  ${server.name}: ${drifted.message}`] : [];
  });
}

/** One line for a server, shared with `get servers`. */
export function serverRow(server: Status['servers'][number]): string[] {
  const ready = conditionOf(server, 'Ready');
  const states = Object.entries(Object.groupBy(server.instances, (instance) => instance.state)).map(
    ([state, list]) => `${list?.length ?? 0} ${state}`,
  );
  return [
    server.name,
    ready?.status ?? 'Unknown',
    states.join(', ') || server.runtime,
    String(server.tools?.length ?? '-'),
    ready?.reason ?? '',
  ];
}

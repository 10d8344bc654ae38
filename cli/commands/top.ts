import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceUsage, Usage } from '../../schemas/operate.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import { bytesText } from '../print/size.ts';
import { table } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';

/** How long CPU use is watched. */
const WATCHED_MS = 1000;

export const command: Command = {
  summary: 'show what instances use: CPU, memory, processes',
  options: [...TARGET_OPTIONS, outputOption(['table', 'json', 'yaml'])],
  examples: ['slipway top', 'slipway top -o json'],

  async run({ options, io }) {
    const target = await findTarget(options, io);
    const before = await target.json<Usage>('GET', '/stats');
    await delay(WATCHED_MS, undefined, { signal: io.signal });
    const after = await target.json<Usage>('GET', '/stats');
    const rows = after.instances.map((instance) => ({ ...instance, cpu: cpuOf(instance, before, after.at) }));
    const format = options['output'];
    if (format === 'json' || format === 'yaml') io.out(formatValue(rows, format));
    else io.out(table(['instance', 'state', 'cpu', 'memory', 'limit', 'pids', 'restarts'], rows.map(row)));
    return 0;
  },
};

/** In cores, between the two samples; 0 for one that was started in between: its time before does not count. */
function cpuOf({ id, stats }: InstanceUsage, before: Usage, now: number): number | undefined {
  const earlier = before.instances.find((instance) => instance.id === id)?.stats;
  if (!stats || !earlier) return undefined;
  const used = Math.max(0, stats.cpuSeconds - earlier.cpuSeconds);
  return Number((used / ((now - before.at) / 1000)).toFixed(4));
}

function row({ id, state, restarts, stats, cpu }: InstanceUsage & { cpu: number | undefined }): string[] {
  return [
    id,
    state,
    cpu === undefined ? '-' : `${(cpu * 100).toFixed(1)}%`,
    bytesText(stats?.memoryBytes),
    bytesText(stats?.memoryLimitBytes),
    String(stats?.pids ?? '-'),
    String(restarts),
  ];
}

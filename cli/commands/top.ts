import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceUsage, Usage } from '../../schemas/operate.ts';
import type { Status, UpstreamStatus } from '../../schemas/status.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import { bytesText } from '../print/size.ts';
import { table } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import { namedAmong } from '../read/choose.ts';
import { kindFor } from '../select.ts';
import { findTarget } from '../target.ts';

/** How long CPU use is watched. */
const WATCHED_MS = 1000;

/** An instance, or a server that runs elsewhere, as the gateway sees it. */
interface Row extends Partial<Omit<InstanceUsage, 'id'>> {
  readonly id: string;
  readonly server: string;
  /** In cores. */
  readonly cpu?: number;
  readonly calls: number;
  readonly inFlight: number;
  readonly perSecond: number;
  readonly p95Ms?: number;
}

export const command: Command = {
  summary: 'show what instances use, and what they have to do: CPU, memory, calls, p95',
  usage: '[servers...]',
  options: [...TARGET_OPTIONS, outputOption(['table', 'json', 'yaml'])],
  examples: ['slipway top', "slipway top 'git*'", 'slipway top -o json'],

  async run({ args, options, io }) {
    const target = await findTarget(options, io);
    const before = await target.json<Usage>('GET', '/stats');
    await delay(WATCHED_MS, undefined, { signal: io.signal });
    const [after, status] = await Promise.all([
      target.json<Usage>('GET', '/stats'),
      target.json<Status>('GET', '/status'),
    ]);
    const names = status.servers.map(({ name }) => name);
    const isNamed = namedAmong(args, names, kindFor('server'));
    const rows = rowsOf(before, after, status).filter(({ server }) => isNamed(server));
    const format = options['output'];
    if (format === 'json' || format === 'yaml') io.out(formatValue(rows, format));
    else if (rows.length === 0) io.err('Nothing runs.');
    else
      io.out(
        table(
          ['instance', 'state', 'cpu', 'memory', 'limit', 'pids', 'calls/s', 'p95', 'in flight', 'restarts'],
          rows.map(cells),
        ),
      );
    return 0;
  },
};

function rowsOf(before: Usage, after: Usage, { servers }: Status): Row[] {
  return servers.flatMap(({ name: server, address, upstreams = [] }) => {
    const own = after.instances.filter((instance) => instance.address === address);
    const elsewhere = [...new Set(upstreams.map(({ id }) => id))].filter(
      (id) => !own.some((instance) => instance.id === id),
    );
    const work = (id: string) => workOf(upstreams.filter((upstream) => upstream.id === id));
    return [
      ...own.map((instance): Row => {
        const cpu = cpuOf(instance, before, after.at);
        return { ...instance, server, ...(cpu === undefined ? {} : { cpu }), ...work(instance.id) };
      }),
      ...elsewhere.map((id): Row => ({ id, server, address, state: 'elsewhere', ...work(id) })),
    ];
  });
}

/** Of all connections to one: each client may have its own. The slowest says how long calls take. */
function workOf(upstreams: readonly UpstreamStatus[]): Pick<Row, 'calls' | 'inFlight' | 'perSecond' | 'p95Ms'> {
  const sum = (of: (upstream: UpstreamStatus) => number): number =>
    Number(upstreams.reduce((total, one) => total + of(one), 0).toPrecision(3));
  const times = upstreams.flatMap(({ p95Ms }) => p95Ms ?? []);
  return {
    calls: upstreams.reduce((total, { calls }) => total + calls, 0),
    inFlight: sum(({ inFlight }) => inFlight),
    perSecond: sum(({ perSecond }) => perSecond),
    ...(times.length === 0 ? {} : { p95Ms: Math.max(...times) }),
  };
}

/** Between the two samples; unknown for one that was started in between: its time before does not count. */
function cpuOf({ id, stats }: InstanceUsage, before: Usage, now: number): number | undefined {
  const earlier = before.instances.find((instance) => instance.id === id)?.stats;
  if (!stats || !earlier) return undefined;
  const used = Math.max(0, stats.cpuSeconds - earlier.cpuSeconds);
  return Number((used / ((now - before.at) / 1000)).toFixed(4));
}

function cells({ id, state = '-', restarts, stats, cpu, perSecond, p95Ms, inFlight }: Row): string[] {
  return [
    id,
    state,
    cpu === undefined ? '-' : `${(cpu * 100).toFixed(1)}%`,
    bytesText(stats?.memoryBytes),
    bytesText(stats?.memoryLimitBytes),
    String(stats?.pids ?? '-'),
    perSecond.toFixed(perSecond < 10 ? 2 : 0),
    p95Ms === undefined ? '-' : `${p95Ms}ms`,
    String(inFlight),
    String(restarts ?? '-'),
  ];
}

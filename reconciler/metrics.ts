/** What the reconciler counts, and what it can tell when it is asked. See `schemas/metrics.ts` for what may be a label. */
import type { SlipwayError } from '../schemas/errors.ts';
import {
  Counts,
  counter,
  Durations,
  gauge,
  histogram,
  type MetricFamily,
  type MetricValue,
} from '../schemas/metrics.ts';
import type { InstanceUsage, Stats } from '../schemas/operate.ts';
import { conditionOf, type Status } from '../schemas/status.ts';
import { LEFT_ALONE, type Outcome } from './rollout/context.ts';

/** From a process that starts at once to an image that has to be fetched first (s). */
const BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const ROLLOUT_SECONDS = 'slipway_rollout_duration_seconds';

export class ReconcilerMetrics {
  readonly #rollouts = new Counts('result');
  readonly #durations = new Durations(BOUNDS);
  readonly #syncs = new Counts('result');
  #lastSuccess = 0;

  /** What a pass left as it was, or held back again, is no rollout. */
  rolledOut(outcomes: readonly Outcome[]): void {
    for (const { result, ms } of outcomes) {
      if (LEFT_ALONE.has(result)) continue;
      this.#rollouts.add(result);
      this.#durations.observe(ms / 1000);
    }
  }

  synced(outcomes: readonly Outcome[]): void {
    const isWhole = outcomes.every(({ error }) => error === undefined);
    this.#syncs.add(isWhole ? 'ok' : 'incomplete');
    if (isWhole) this.#lastSuccess = Date.now() / 1000;
  }

  /** That something newer came, or Slipway stops, is no failure. */
  failed({ code }: SlipwayError): void {
    if (code !== 'superseded' && code !== 'shutting-down') this.#syncs.add(code);
  }

  families(): MetricFamily[] {
    return [
      counter(
        'slipway_sync_total',
        'Passes over the config: ok, incomplete (some rollouts failed), or the code of the error.',
        this.#syncs.values(),
      ),
      gauge('slipway_sync_last_success_timestamp_seconds', 'When a pass last was ok (Unix time), or 0.', [
        { labels: {}, value: this.#lastSuccess },
      ]),
      counter('slipway_rollouts_total', 'Rollouts that did something, by result.', this.#rollouts.values()),
      histogram(ROLLOUT_SECONDS, 'How long they took.', this.#durations.values(ROLLOUT_SECONDS, {})),
    ];
  }
}

/** What is so at this moment. */
export function presentFamilies(
  { version, servers, outbox, audit, lastReached, conditions }: Status,
  usage: readonly InstanceUsage[],
): MetricFamily[] {
  const names = new Map(servers.map(({ address, name }) => [address, name]));
  const rows = usage.map((instance) => {
    const labels = { server: names.get(instance.address) ?? '', instance: instance.id };
    return { ...instance, labels };
  });
  const measured = (valueOf: (stats: Stats) => number | undefined): MetricValue[] =>
    rows.flatMap(({ labels, stats }) => {
      const value = stats && valueOf(stats);
      return value === undefined ? [] : [{ labels, value }];
    });
  const ready = (holder: Pick<Status, 'conditions'>): number =>
    conditionOf(holder, 'Ready')?.status === 'True' ? 1 : 0;
  return [
    gauge('slipway_info', 'Always 1.', [{ labels: { version }, value: 1 }]),
    gauge('slipway_ready', 'Whether the config is applied and everything in it is ready.', [
      { labels: {}, value: ready({ conditions }) },
    ]),
    gauge('slipway_source_reached_timestamp_seconds', 'When the source last answered (Unix time), or 0.', [
      { labels: {}, value: lastReached === undefined ? 0 : Date.parse(lastReached) / 1000 },
    ]),
    gauge('slipway_outbox_pending', 'Audit records that wait for the remote.', [{ labels: {}, value: outbox.pending }]),
    ...(audit ? auditFamilies(audit) : []),
    gauge(
      'slipway_server_ready',
      'Whether the server is ready.',
      servers.map((server) => ({ labels: { server: server.name }, value: ready(server) })),
    ),
    gauge(
      'slipway_instance_state',
      '1 for the state that the instance is in.',
      rows.map(({ labels, state }) => ({ labels: { ...labels, state }, value: 1 })),
    ),
    counter(
      'slipway_instance_restarts_total',
      'How often it was started again after it had failed.',
      rows.map(({ labels, restarts }) => ({ labels, value: restarts })),
    ),
    counter(
      'slipway_instance_cpu_seconds_total',
      'CPU time since it was started.',
      measured(({ cpuSeconds }) => cpuSeconds),
    ),
    gauge(
      'slipway_instance_memory_bytes',
      'Memory that it uses.',
      measured(({ memoryBytes }) => memoryBytes),
    ),
    gauge(
      'slipway_instance_memory_limit_bytes',
      'Memory that it may use, where that is limited.',
      measured(({ memoryLimitBytes }) => memoryLimitBytes),
    ),
    gauge(
      'slipway_instance_pids',
      'Its processes and threads.',
      measured(({ pids }) => pids),
    ),
  ];
}

function auditFamilies({ events, waiting, dropped, lastError }: NonNullable<Status['audit']>): MetricFamily[] {
  const one = (value: number): MetricValue[] => [{ labels: {}, value }];
  return [
    counter('slipway_audit_events_total', 'Lines in the audit log of this host.', one(events)),
    counter('slipway_audit_dropped_total', 'Events that were left out since the start.', one(dropped)),
    gauge('slipway_audit_waiting', 'Events that are not on disk yet.', one(waiting)),
    gauge('slipway_audit_degraded', '1 while the log cannot be written.', one(lastError === undefined ? 0 : 1)),
  ];
}

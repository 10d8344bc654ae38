/** What the gateway counts. Its labels are the servers of the config: what clients send never becomes one. */
import { SlipwayError } from '../schemas/errors.ts';
import { counter, Durations, gauge, histogram, type MetricFamily, type MetricValue } from '../schemas/metrics.ts';
import { RpcFailure } from '../schemas/jsonrpc.ts';
import { cacheFamilies } from './cache/desk.ts';
import type { State } from './exchange.ts';
import type { Budgets } from './limits/budgets.ts';

/** From a server in this process to one that thinks for a minute (s). */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** `error`: the server said no; `failed`: it could not be asked, or did not answer. */
export const OUTCOMES = ['ok', 'error', 'timeout', 'cancelled', 'failed'] as const;
export type CallOutcome = (typeof OUTCOMES)[number];

/** The calls of one server. */
export class CallMetrics {
  readonly durations = new Durations(BOUNDS);
  readonly outcomes: Record<CallOutcome, number> = { ok: 0, error: 0, timeout: 0, cancelled: 0, failed: 0 };
  inFlight = 0;
  /** Secrets that were taken out of what the server answered. */
  redactions = 0;
  /** Calls that were answered with what the server said before. */
  cached = 0;

  /** @param began as `performance.now()` gave it */
  end(outcome: CallOutcome, began: number): void {
    this.inFlight--;
    this.outcomes[outcome]++;
    this.durations.observe((performance.now() - began) / 1000);
  }
}

type FamilySources = Pick<
  State,
  'current' | 'streams' | 'limiter' | 'addresses' | 'budgets' | 'llm' | 'scripts' | 'texts' | 'results'
>;

export class GatewayMetrics {
  readonly #servers = new Map<string, CallMetrics>();
  /** Sessions that were opened. They are kept by their clients, so how many there are nobody knows. */
  sessions = 0;

  of(server: string): CallMetrics {
    const known = this.#servers.get(server);
    if (known) return known;
    const fresh = new CallMetrics();
    this.#servers.set(server, fresh);
    return fresh;
  }

  /** Servers that are gone from the config are forgotten, so that there are never more than it names. */
  families(state: FamilySources): MetricFamily[] {
    const { current, streams, limiter, addresses, budgets, llm, scripts } = state;
    for (const name of this.#servers.keys()) if (!current.servers.has(name)) this.#servers.delete(name);
    const servers = [...this.#servers];
    const each = (valueOf: (metrics: CallMetrics, labels: { server: string }) => readonly MetricValue[]) =>
      servers.flatMap(([server, metrics]) => valueOf(metrics, { server }));
    const duration = 'slipway_gateway_call_duration_seconds';
    return [
      counter(
        'slipway_gateway_calls_total',
        'Requests that were passed to servers, by what became of them.',
        each(({ outcomes }, labels) =>
          OUTCOMES.map((outcome) => ({ labels: { ...labels, outcome }, value: outcomes[outcome] })),
        ),
      ),
      histogram(
        duration,
        'How long they took, from the gateway to the server and back.',
        each(({ durations }, labels) => durations.values(duration, labels)),
      ),
      gauge(
        'slipway_gateway_calls_in_flight',
        'Requests that servers are working on.',
        each(({ inFlight }, labels) => [{ labels, value: inFlight }]),
      ),
      counter(
        'slipway_gateway_redactions_total',
        'Secrets that were taken out of results.',
        each(({ redactions }, labels) => [{ labels, value: redactions }]),
      ),
      counter(
        'slipway_gateway_cached_total',
        'Calls of tools that were answered with a result that was kept.',
        each(({ cached }, labels) => [{ labels, value: cached }]),
      ),
      counter('slipway_gateway_sessions_total', 'Sessions that clients opened.', [
        { labels: {}, value: this.sessions },
      ]),
      counter(
        'slipway_gateway_limited_total',
        'Requests that limits refused or ended, by the level of the limit and the reason.',
        [...limiter.refusals.values(), ...addresses.refusals.values()],
      ),
      gauge(
        'slipway_gateway_budget_used_ratio',
        'The share of a budget that is used; where each has it for itself, that of whoever used most.',
        [...shares(budgets)].map(([budget, value]) => ({ labels: { budget }, value })),
      ),
      ...scripts.families(),
      gauge('slipway_gateway_streams', 'Open streams on which clients listen.', [{ labels: {}, value: streams.size }]),
      ...llm.families(),
      ...cacheFamilies(state),
    ];
  }
}

function shares(budgets: Budgets): Map<string, number> {
  const found = new Map<string, number>();
  for (const { budget, share } of budgets.statuses()) found.set(budget, Math.max(found.get(budget) ?? 0, share));
  return found;
}

export function outcomeOf(error: unknown): CallOutcome {
  if (error instanceof RpcFailure) return 'error';
  if (!(error instanceof SlipwayError)) return 'failed';
  if (error.code === 'upstream-timeout' || error.code === 'request-timeout') return 'timeout';
  return error.code === 'cancelled' || error.code === 'shutting-down' ? 'cancelled' : 'failed';
}

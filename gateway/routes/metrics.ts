/** `GET /metrics`: everything that is counted, in Prometheus' text format. */
import type { Metric } from 'prom-client';
import type { MetricFamily } from '../../schemas/metrics.ts';
import type { Exchange } from '../exchange.ts';
import { sendText } from '../rpc/respond.ts';

export async function serveMetrics({ state, response }: Exchange): Promise<void> {
  const families = [...state.metrics.families(state), ...((await state.moreMetrics?.()) ?? [])];
  const { contentType, text } = await written(families);
  sendText(response, 200, text, contentType);
}

/** The library is loaded by whoever asks first: most gateways are never asked. */
async function written(families: readonly MetricFamily[]): Promise<{ contentType: string; text: string }> {
  const { Registry } = await import('prom-client');
  const registry = new Registry();
  for (const family of families) registry.registerMetric(asMetric(family));
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** All that a registry asks of a metric is its name and what it holds now. */
function asMetric(family: MetricFamily): Metric {
  return { name: family.name, get: async () => ({ ...family, aggregator: 'sum' }) } as unknown as Metric;
}

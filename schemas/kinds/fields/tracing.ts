/** Where spans of requests go (Gateway). */
import { z } from 'zod';
import { httpUrl } from '../fields.ts';
import type { Reference } from '../kind.ts';
import { headers, secretsOf } from './auth.ts';

export const tracing = z
  .strictObject({
    endpoint: httpUrl.describe('OpenTelemetry collector, OTLP over HTTP: http://localhost:4318/v1/traces.'),
    sampleRatio: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe('Share of the traces that begin here; one that a client began is kept if the client keeps it.'),
    headers: headers.optional().describe('Headers for the collector, with values from Secrets for instance.'),
  })
  .optional()
  .describe('Traces (OpenTelemetry). Absent: none, at no cost.');

export type TracingSpec = z.output<typeof tracing>;

export function tracingReferences(spec: TracingSpec): Reference[] {
  if (!spec?.headers) return [];
  return secretsOf({ headers: spec.headers }).map(({ path, secretRef: { name, key } }) => ({
    path: ['tracing', ...path],
    kind: 'Secret',
    name,
    keys: [key],
  }));
}

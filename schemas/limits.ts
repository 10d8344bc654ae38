/** Limits as the gateway needs them: part of the snapshot. Durations are milliseconds, sizes bytes. */
import { z } from 'zod';

const rate = z.strictObject({ perSecond: z.number().positive(), burst: z.number().min(1) });

const limitSet = z.strictObject({
  rate: rate.optional(),
  concurrency: z.number().optional(),
  streams: z.number().optional(),
  bodyBytes: z.number().optional(),
  timeoutMs: z.number().optional(),
  resultBytes: z.number().optional(),
});

const perAddress = z.strictObject({
  connections: z.number(),
  requests: rate.optional(),
  failures: rate,
  trustedHops: z.number(),
});

export const limitsSchema = z.strictObject({
  gateway: limitSet.optional(),
  /** Of each principal for itself, but for those that have some of their own. */
  perPrincipal: limitSet.optional(),
  perAddress: perAddress.optional(),
  /** By key: `token:ci`. Whole: what a principal does not say itself is filled in from `perPrincipal` by the gateway. */
  principals: z.record(z.string(), limitSet).optional(),
  projects: z.record(z.string(), limitSet).optional(),
  servers: z.record(z.string(), limitSet).optional(),
  /** By server: patterns of its own tool names; the last that matches counts. */
  tools: z.record(z.string(), z.array(z.strictObject({ pattern: z.string(), limits: limitSet }))).optional(),
});

export type Rate = z.output<typeof rate>;
export type LimitSet = z.output<typeof limitSet>;
export type AddressLimits = z.output<typeof perAddress>;
export type SnapshotLimits = z.output<typeof limitsSchema>;

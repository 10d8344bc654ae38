/** How a new version takes the place of the old one. */
import { z } from 'zod';
import { duration } from '../fields.ts';

const ZERO = { enum: [0, '0%'] };
const isZero = (value: number | string | undefined): boolean => value === 0 || value === '0%';

/** As in Kubernetes: a number of instances, or a share of `replicas`. */
const amount = z.union([
  z.int().min(0).max(64),
  z.string().regex(/^(100|[1-9]?[0-9])%$/, 'must be a number of instances or a percentage such as 25%'),
]);

const canary = z
  .strictObject({
    steps: z
      .array(
        z.strictObject({
          weight: z.int().min(1).max(99).describe('How many in a hundred sessions use the new version.'),
          pause: duration.describe('How long this step lasts.'),
        }),
      )
      .min(1)
      .max(20)
      .describe('What the new version has to stand before it gets everything.'),
    maxErrorRate: z
      .number()
      .min(0)
      .max(1)
      .default(0.05)
      .describe('A larger share of failed calls on the new version brings the old one back.'),
    minCalls: z.int().min(1).max(1_000_000).default(20).describe('The share is judged from this many calls on.'),
  })
  .describe('First a share of the sessions uses the new version, and its errors are counted.');

export const rollout = z
  .strictObject({
    strategy: z
      .enum(['rollingUpdate', 'recreate'])
      .optional()
      .describe(
        'rollingUpdate starts the new version beside the old one; recreate stops the old one first. Default: rollingUpdate; recreate where a fixed port cannot be shared.',
      ),
    maxSurge: amount
      .optional()
      .describe(
        'How many instances more than replicas there may be meanwhile; a percentage is rounded up. Default: 1.',
      ),
    maxUnavailable: amount
      .optional()
      .describe('How many instances of replicas may be missing meanwhile; a percentage is rounded down. Default: 0.'),
    timeout: duration.default('60s').describe('How long a new instance may take to become ready.'),
    drain: duration.default('30s').describe('How long running calls on the old version may take to finish.'),
    monitor: duration
      .default('10s')
      .describe(
        'How long a new version is watched after it took over: if it crashes, fails its liveness probe, or most of its calls fail, the version before is brought back. 0s: not at all.',
      ),
    canary: canary.optional(),
  })
  .check((check) => {
    const { strategy, maxSurge, maxUnavailable = 0 } = check.value;
    const refuse = (path: string[], message: string): void => {
      check.issues.push({ code: 'custom', input: check.value, path, message, params: { conflict: true } });
    };
    if (isZero(maxSurge) && isZero(maxUnavailable))
      refuse(['maxSurge'], 'cannot be 0 while maxUnavailable is 0: there would be no way to go on');
    if (isZero(maxSurge) && check.value.canary)
      refuse(['canary'], 'needs room beside the old version: maxSurge must not be 0');
    for (const field of ['maxSurge', 'maxUnavailable', 'canary'] as const)
      if (strategy === 'recreate' && check.value[field] !== undefined)
        refuse([field], 'means nothing with strategy recreate');
  })
  .meta({
    not: {
      anyOf: [
        { properties: { maxSurge: ZERO, maxUnavailable: ZERO }, required: ['maxSurge'] },
        { properties: { maxSurge: ZERO }, required: ['maxSurge', 'canary'] },
        ...['maxSurge', 'maxUnavailable', 'canary'].map((field) => ({
          properties: { strategy: { const: 'recreate' } },
          required: ['strategy', field],
        })),
      ],
    },
  })
  .prefault({})
  .describe('How a change is rolled out.');

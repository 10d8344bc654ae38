/** How much of something there may be: the same words at every level (gateway, project, principal, server, tool). */
import { z } from 'zod';
import { duration, size } from '../fields.ts';

export const rate = z
  .strictObject({
    perSecond: z.number().min(0.001).max(1_000_000).describe('Requests that become possible each second.'),
    burst: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('Requests that may come at once after a pause. Default: those of one second, at least 1.'),
  })
  .describe('Requests over time, as a token bucket that starts full. What is over it is refused with Retry-After.');

const concurrency = z
  .int()
  .min(1)
  .max(1_000_000)
  .describe('Requests being worked on at once. What is over it is refused at once: nothing waits in line.');

const streams = z
  .int()
  .min(1)
  .max(1_000_000)
  .describe('Open streams on which clients only listen; these do not count as concurrency.');

const bodySize = size.describe('Largest request body. It can only tighten the Gateway’s maxBodySize.');

/** `0s` would mean never. */
const timeout = duration
  .regex(/[1-9]/, 'must be longer than nothing')
  .describe('How long one request may take; the server is told to stop. It can only tighten a Server’s timeout.');

const resultSize = size.describe('Largest result; one that is larger becomes an error that says so, never a part.');

const common = {
  rate: rate.optional(),
  concurrency: concurrency.optional(),
  resultSize: resultSize.optional(),
};

/** Of a whole project, or of one principal. */
export const callerLimits = z.strictObject({
  ...common,
  streams: streams.optional(),
  bodySize: bodySize.optional(),
  timeout: timeout.optional(),
});

const perAddress = z
  .strictObject({
    connections: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(4096)
      .describe('Open connections from one address. Loopback is not counted.'),
    requests: rate.optional().describe('Requests from one address, before it is known who asks. Default: any number.'),
    failures: rate
      .default({ perSecond: 50, burst: 1000 })
      .describe('Failed authentications from one address, before they are answered with 429 instead of 401.'),
    trustedHops: z
      .int()
      .min(0)
      .max(16)
      .default(0)
      .describe(
        'How many proxies in front add to X-Forwarded-For: the address is the last but so many. 0: the header is not looked at. Only where clients cannot get past them.',
      ),
  })
  .prefault({})
  .describe('Limits for each remote address (IPv6: each /64), before a caller is known. Unix sockets have none.');

export const gatewayLimits = z
  .strictObject({
    ...common,
    streams: streams.optional(),
    timeout: timeout.optional(),
    perPrincipal: callerLimits
      .optional()
      .describe('Limits of each principal for itself; those of a Token or User replace them field by field.'),
    perAddress,
  })
  .prefault({})
  .describe('What all clients together may do, and each for itself.');

const pattern = z
  .string()
  .min(1)
  .max(128)
  .describe(
    'Tools by the server’s own names; * stands for anything, ? for one character; upper and lower case are alike.',
  );

export const serverLimits = z
  .strictObject({
    ...common,
    bodySize: bodySize.optional(),
    tools: z
      .array(z.strictObject({ pattern, ...common, bodySize: bodySize.optional(), timeout: timeout.optional() }))
      .max(256)
      .default([])
      .describe('Limits of single tools, each for itself. The last pattern that matches a tool counts.'),
  })
  .describe('What all clients together may ask of this server.');

export type LimitsSpec = z.output<typeof callerLimits>;
export type GatewayLimitsSpec = z.output<typeof gatewayLimits>;
export type ServerLimitsSpec = z.output<typeof serverLimits>;
export type RateSpec = z.output<typeof rate>;

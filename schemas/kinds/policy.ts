import { z } from 'zod';
import { guards } from './fields/guards.ts';
import { defineKind } from './kind.ts';

/** What a server may be given of its host only where a Policy says so. */
export const FEATURES = [
  'privileged',
  'hostNetwork',
  'hostPid',
  'engineSocket',
  'devices',
  'capabilities',
  'mounts',
] as const;
export type Feature = (typeof FEATURES)[number];

const pattern = z
  .string()
  .regex(/^[a-z0-9*?-]+$/, 'must be the name of a server, in which * stands for anything and ? for one character')
  .max(63);

const rule = z.strictObject({
  servers: z.array(pattern).min(1).max(64).describe('Servers by name; * stands for anything, ? for one character.'),
  features: z
    .array(z.enum(FEATURES))
    .min(1)
    .describe('What they may have. engineSocket: a mount of a container engine’s socket, or of a folder above one.'),
});

export const policy = defineKind({
  kind: 'Policy',
  plural: 'policies',
  short: ['pol'],
  description:
    'What servers may have of their host beyond what is safe, and how much a commit may delete. Without it, a plan that asks for more is blocked. Have its file reviewed by its own owners.',
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('Why it is allowed.'),
    allow: z.array(rule).default([]).describe('Each rule adds; nothing takes away.'),
    guards: guards.describe('What holds a commit back. A commit is judged by what was in force before it.'),
  }),
  references: () => [],
  example: `apiVersion: slipway/v1
kind: Policy
metadata: { name: browsers }
spec:
  description: The browser needs its own shared memory device.
  allow:
    - { servers: [browser-*], features: [devices] }
`,
});

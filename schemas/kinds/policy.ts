import { z } from 'zod';
import { guards } from './fields/guards.ts';
import { leastToolDrift } from './fields/tool-drift.ts';
import { defineKind, type Problem } from './kind.ts';
import { formatPath, type Resource, type Source } from '../resource.ts';

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
  .regex(/^[a-z0-9*?-]+$/, 'must be a name, in which * stands for anything and ? for one character')
  .max(63);

const rule = z.strictObject({
  servers: z.array(pattern).min(1).max(64).describe('Servers by name; * stands for anything, ? for one character.'),
  features: z
    .array(z.enum(FEATURES))
    .min(1)
    .describe('What they may have. engineSocket: a mount of a container engine’s socket, or of a folder above one.'),
});

const policySpec = z.strictObject({
  description: z.string().max(4096).optional().describe('Why it is allowed.'),
  allow: z.array(rule).default([]).describe('Each rule adds; nothing takes away.'),
  code: z
    .array(pattern)
    .max(64)
    .default([])
    .describe('Pipelines that may run code of the config repo, by name; * stands for anything, ? for one character.'),
  plugins: z
    .array(pattern)
    .max(64)
    .default([])
    .describe('Plugins that may run code of the config repo, by name in the same way.'),
  llm: z
    .array(pattern)
    .max(64)
    .default([])
    .describe(
      'Pipelines and Plugins whose code may ask language models, by name in the same way: it costs, and tells them.',
    ),
  toolDrift: leastToolDrift,
  guards: guards.describe('What holds a commit back. A commit is judged by what was in force before it.'),
});

type PolicySpec = z.output<typeof policySpec>;

/** What a config lets servers have must be within what the floor does, and its limits at most as wide. */
function belowFloor(own: readonly Resource<PolicySpec>[], floor: readonly Resource<PolicySpec>[]): Problem[] {
  const [first] = floor;
  if (!first) return [];
  const limits = floor.flatMap(({ spec, source }) =>
    spec.guards.massDelete ? [{ ...spec.guards.massDelete, source }] : [],
  );
  return own.flatMap((resource) => [
    ...resource.spec.allow.flatMap(({ servers, features }, at) => {
      const wanted = servers.flatMap((server) => features.map((feature) => ({ server, feature })));
      const over = wanted.filter(
        ({ server, feature }) => !floor.some(({ spec }) => covers(spec.allow, server, feature)),
      );
      return over.map(({ server, feature }) =>
        problemOf(resource, ['allow', at], `lets ${server} have ${feature}, which the floor does not`, first.source),
      );
    }),
    ...(['code', 'plugins', 'llm'] as const).flatMap((field) =>
      resource.spec[field].flatMap((name, at) =>
        floor.some(({ spec }) => spec[field].some((wide) => within(wide, name)))
          ? []
          : [
              problemOf(
                resource,
                [field, at],
                `lets ${name} ${field === 'llm' ? 'ask models' : 'run code'}, which the floor does not`,
                first.source,
              ),
            ],
      ),
    ),
    ...(['count', 'percent'] as const).flatMap((field) => {
      const mine = resource.spec.guards.massDelete?.[field];
      const least = limits.find((limit) => mine !== undefined && limit[field] < mine);
      const path = ['guards', 'massDelete', field];
      return least ? [problemOf(resource, path, `is more than the ${least[field]} of the floor`, least.source)] : [];
    }),
  ]);
}

function problemOf(resource: Resource, path: Problem['path'], what: string, { file, line }: Source): Problem {
  return { resource, path, code: 'below-floor', message: `${formatPath(path)} ${what} (${file}:${line}).` };
}

/**
 * Whether rules let all servers that a pattern stands for have a feature. A pattern is within another if that one matches
 * it as a text, with `?` for one character but never for a `*`.
 */
function covers(rules: PolicySpec['allow'], server: string, feature: Feature): boolean {
  return rules.some(
    ({ servers, features }) => features.includes(feature) && servers.some((wide) => within(wide, server)),
  );
}

const within = (wide: string, narrow: string): boolean =>
  new RegExp(`^${wide.replaceAll(/[*?]/g, (mark) => (mark === '*' ? '.*' : '[^*]'))}$`).test(narrow);

export const policy = defineKind({
  kind: 'Policy',
  plural: 'policies',
  short: ['pol'],
  description:
    'What servers may have of their host beyond what is safe, which Pipelines and Plugins may run code and ask models, and how much a commit may delete. Without it, a plan that asks for more is blocked. Have its file reviewed by its own owners.',
  spec: policySpec,
  references: () => [],
  floor: belowFloor,
  example: `apiVersion: slipway/v1
kind: Policy
metadata: { name: browsers }
spec:
  description: The browser needs its own shared memory device.
  allow:
    - { servers: [browser-*], features: [devices] }
`,
});

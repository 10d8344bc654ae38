/** Servers by their labels, as Kubernetes' LabelSelector says it (Project). */
import { z } from 'zod';
import { followsAll, type LabelRule } from '../../labels.ts';
import type { Metadata } from '../../resource.ts';

const key = z.string().min(1).max(317).describe('Key of the label.');
const value = z.string().max(4096);

const expression = z.discriminatedUnion('operator', [
  z.strictObject({
    key,
    operator: z
      .enum(['In', 'NotIn'])
      .describe('In: its value is one of these. NotIn: it is none of these, or there is no such label.'),
    values: z.array(value).min(1).max(256).describe('Values of the label.'),
  }),
  z.strictObject({
    key,
    operator: z.enum(['Exists', 'DoesNotExist']).describe('Whether there is such a label, whatever its value.'),
  }),
]);

export const serverSelector = z
  .strictObject({
    matchLabels: z.record(z.string().min(1).max(317), value).default({}).describe('Labels that they all have.'),
    matchExpressions: z.array(expression).max(64).default([]).describe('What else their labels must be like.'),
  })
  .optional()
  .describe(
    'More servers, by their labels: all that follow every rule, in the order of their names, after those of servers. Empty: all.',
  );

interface Spec {
  readonly servers: readonly string[];
  readonly serverSelector?: z.output<typeof serverSelector>;
}

interface Candidate {
  readonly metadata: Pick<Metadata, 'name' | 'labels'>;
}

/** Names of the servers that a selector reaches besides those that are named, in order. @param all servers of the config, with their labels as Overlays leave them */
export function selectedServers({ servers, serverSelector: selector }: Spec, all: readonly Candidate[]): string[] {
  if (!selector) return [];
  const labels = Object.entries(selector.matchLabels);
  const rules: LabelRule[] = [
    ...labels.map(([label, wanted]): LabelRule => ({ key: label, operator: 'In', values: [wanted] })),
    ...selector.matchExpressions,
  ];
  return all
    .filter(({ metadata }) => !servers.includes(metadata.name) && followsAll(rules, metadata.labels))
    .map(({ metadata }) => metadata.name)
    .sort();
}

/** All servers of a project, in display order. */
export function serversOf(spec: Spec, all: readonly Candidate[]): readonly string[] {
  return spec.serverSelector ? [...spec.servers, ...selectedServers(spec, all)] : spec.servers;
}

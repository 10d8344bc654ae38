import { z } from 'zod';
import { name } from './fields.ts';
import { defineKind } from './kind.ts';

/** RFC 6901, of what an Overlay may change: who a resource is stays as it is. */
const pointer = z
  .string()
  .regex(
    /^\/(spec|metadata\/(labels|annotations|project|protect))(\/([^~]|~[01])*)?$/,
    'must be a JSON pointer that begins with /spec, /metadata/labels, /metadata/annotations, /metadata/project or /metadata/protect',
  )
  .max(1024);

const path = pointer.describe('Where, as a JSON pointer from the top of the document: `/spec/replicas`.');

const operation = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.enum(['add', 'replace', 'test']),
    path,
    value: z.json().describe('What is to stand there. Not for secrets: it is shown.'),
  }),
  z.strictObject({ op: z.literal('remove'), path }),
  z.strictObject({ op: z.enum(['move', 'copy']), from: pointer.describe('Where it comes from.'), path }),
]);

const target = z.strictObject({
  kind: z.string().min(1).max(63).describe('Kind of the resources.'),
  name: z
    .string()
    .regex(/^[a-z0-9*?-]+$/, 'must be the name of a resource, in which * stands for anything and ? for one character')
    .max(63)
    .default('*')
    .describe('Their names; * stands for anything, ? for one character.'),
  labels: z
    .record(z.string().max(317), z.string().max(4096))
    .default({})
    .describe('Labels that they all have, as they are before any Overlay.'),
});

export const overlay = defineKind({
  kind: 'Overlay',
  plural: 'overlays',
  short: ['ov'],
  description: 'What is different in an environment, as JSON patches (RFC 6902). It is in force with `--env`.',
  isBlueprint: true,
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('What it is for.'),
    environments: z.array(name).min(1).max(64).describe('Environments that it is for: what `--env` names.'),
    order: z
      .int()
      .min(-1_000_000)
      .max(1_000_000)
      .default(0)
      .describe('Of several Overlays, lower numbers come first; equal ones in the order of their names.'),
    patches: z
      .array(
        z.strictObject({
          target: target.describe('Which resources are changed. One must be there.'),
          patch: z.array(operation).min(1).max(256).describe('All of these operations, in this order, or none.'),
        }),
      )
      .max(256)
      .default([])
      .describe('What is changed. Later ones see what earlier ones did.'),
  }),
  references: () => [],
  cited: ({ patches }) =>
    patches.flatMap(({ patch }, index) => [
      ['patches', index],
      ...patch.map((_, at) => ['patches', index, 'patch', at]),
    ]),
  example: `apiVersion: slipway/v1
kind: Overlay
metadata: { name: prod }
spec:
  environments: [prod]
  patches:
    - target: { kind: Server, name: web-* }
      patch:
        - { op: replace, path: /spec/replicas, value: 3 }
`,
});

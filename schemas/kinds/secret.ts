import { z } from 'zod';
import { envName } from './fields.ts';
import { defineKind } from './kind.ts';

const entry = z
  .strictObject({
    env: envName.optional().describe('Environment variable of Slipway that holds the value.'),
    file: z
      .string()
      .regex(/^(\/|~\/)[^\0]+$/, 'must be an absolute path or start with ~/')
      .optional()
      .describe('File that holds the value; a final line break is cut off.'),
  })
  .check((check) => {
    if ((check.value.env === undefined) === (check.value.file === undefined))
      check.issues.push({
        code: 'custom',
        input: check.value,
        path: [],
        message: 'must have either env or file',
        params: { conflict: true },
      });
  })
  .meta({ oneOf: [{ required: ['env'] }, { required: ['file'] }] });

export const secret = defineKind({
  kind: 'Secret',
  plural: 'secrets',
  short: ['sec'],
  description: 'Where secret values come from. The values themselves never stand in the config repo.',
  spec: z.strictObject({
    data: z.record(z.string().regex(/^[-._A-Za-z0-9]{1,253}$/), entry).describe('One entry per value.'),
  }),
  references: () => [],
  keys: (spec) => Object.keys(spec.data),
  example: `apiVersion: slipway/v1
kind: Secret
metadata: { name: github }
spec:
  data:
    token: { env: GITHUB_TOKEN }
`,
});

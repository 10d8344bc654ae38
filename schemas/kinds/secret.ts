import { z } from 'zod';
import type { Resource } from '../resource.ts';
import { envName } from './fields.ts';
import { configFile } from './fields/given.ts';
import { boundTo, recipients, sealedValue } from './fields/sealed.ts';
import { defineKind, type Problem } from './kind.ts';

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

const key = z.string().regex(/^[-._A-Za-z0-9]{1,253}$/);
const WAYS = ['data', 'encrypted', 'sops'] as const;

const spec = z
  .strictObject({
    data: z.record(key, entry).optional().describe('Values that lie elsewhere. One entry per value.'),
    encrypted: z
      .record(key, sealedValue)
      .optional()
      .describe('Values that lie here, encrypted with age; `slipway secret encrypt` writes them.'),
    sops: z
      .strictObject({ file: configFile.describe('The file, relative to the config path: YAML, JSON or dotenv.') })
      .optional()
      .describe('Values of a file that SOPS encrypted for age. A key is the path of a value in it, joined with dots.'),
    recipients: recipients
      .optional()
      .describe('Who can decrypt what is encrypted here. Default: as the Gateway says, `secrets.recipients`.'),
  })
  .check((check) => {
    if (WAYS.every((way) => check.value[way] === undefined))
      check.issues.push({
        code: 'custom',
        input: check.value,
        path: [],
        message: `must have ${WAYS.slice(0, -1).join(', ')} or ${WAYS.at(-1)}`,
        params: { conflict: true },
      });
  })
  .meta({ anyOf: WAYS.map((way) => ({ required: [way] })) });

export type SecretSpec = z.output<typeof spec>;

/** Keys and encrypted values of the SOPS file that belongs to a Secret, once it has been read. */
export function sopsValues({ spec: { sops }, files }: Resource<SecretSpec>): Readonly<Record<string, string>> {
  return (sops && files?.[sops.file]) ?? {};
}

/** A value has one place, and what is encrypted is where it belongs. */
function together(resources: readonly Resource<SecretSpec>[]): Problem[] {
  return resources.flatMap((resource) => {
    const { data = {}, encrypted = {} } = resource.spec;
    const sops = sopsValues(resource);
    return Object.entries(encrypted).flatMap(([name, { age }]): Problem[] => {
      const path = ['encrypted', name];
      const twice = Object.hasOwn(data, name) ? 'data' : Object.hasOwn(sops, name) ? 'the SOPS file' : undefined;
      if (twice !== undefined)
        return [{ resource, path, code: 'conflicting-fields', message: `${name} is in ${twice}, too.` }];
      // Swapped secrets: whoever cannot read a value could hand it to a server of their own by pasting it there.
      const bound = boundTo(age);
      if (bound?.name === resource.metadata.name && bound.key === name) return [];
      const is = bound ? `of Secret ${bound.name}, key ${bound.key}` : 'of no Secret';
      return [
        {
          resource,
          path: [...path, 'age'],
          code: 'secret-misplaced',
          message: `The encrypted value is ${is}, and cannot be used here.`,
        },
      ];
    });
  });
}

export const secret = defineKind({
  kind: 'Secret',
  plural: 'secrets',
  short: ['sec'],
  description:
    'Secret values: where they come from, or themselves, encrypted. They never stand in the config repo in clear.',
  spec,
  references: () => [],
  files: ({ sops }) => (sops ? [{ path: ['sops', 'file'], file: sops.file, content: 'sops' }] : []),
  keys: ({ data = {}, encrypted = {}, sops }, files = {}) => [
    ...Object.keys(data),
    ...Object.keys(encrypted),
    ...Object.keys((sops && files[sops.file]) ?? {}),
  ],
  together,
  example: `apiVersion: slipway/v1
kind: Secret
metadata: { name: github }
spec:
  data:
    token: { env: GITHUB_TOKEN }
`,
});

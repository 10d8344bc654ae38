import { z } from 'zod';
import { looksSecret } from '../sensitive.ts';
import { defineKind, type Problem } from './kind.ts';
import { placeholdersIn } from './fields/placeholders.ts';

export const PARAMETER = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;

const parameter = z.strictObject({
  description: z.string().max(4096).optional().describe('What it is, for whoever uses the template.'),
  type: z.enum(['string', 'integer', 'number', 'boolean', 'list']).default('string').describe('What it must be.'),
  required: z.boolean().default(false).describe('Whether each use must give it.'),
  default: z
    .union([z.string(), z.number(), z.boolean(), z.array(z.string())])
    .optional()
    .describe('What it is where nobody gives it. Without one, fields that are this parameter alone are left out.'),
  enum: z
    .array(z.union([z.string(), z.number()]))
    .min(1)
    .optional()
    .describe('What it may be.'),
});

export type Parameter = z.output<typeof parameter>;

export const template = defineKind({
  kind: 'Template',
  plural: 'templates',
  short: ['tpl'],
  description:
    'A blueprint of Servers. A Server that names it in `template` is made of it; `slipway template use` makes a copy.',
  isBlueprint: true,
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('What it is for.'),
    params: z
      .record(z.string().regex(PARAMETER, 'must be the name of a parameter: letters, digits and _'), parameter)
      .default({})
      .describe('What each use may say, by name.'),
    server: z
      .record(z.string(), z.json())
      .describe(
        'The spec of a Server. In its values, ${name} stands for a parameter, and alone for a value of its type; $${ for ${ itself.',
      ),
  }),
  references: () => [],
  cited: ({ server }) => [['server'], ...Object.keys(server).map((key) => ['server', key])],
  sensitive: (path) => path[0] === 'server' && path[1] === 'env' && path[3] === 'value' && looksSecret(String(path[2])),
  together: (templates) =>
    templates.flatMap((resource): Problem[] => {
      const { params, server } = resource.spec;
      const unknown = placeholdersIn(server).filter(({ name }) => !Object.hasOwn(params, name));
      const wrong = Object.entries(params).flatMap(([name, { default: value, ...rest }]) => {
        const reason = value === undefined ? undefined : misfit(rest, value);
        return reason === undefined ? [] : [{ name, reason }];
      });
      return [
        ...unknown.map(({ name, path }): Problem => ({
          resource,
          path: ['server', ...path],
          code: 'dangling-reference',
          message: `There is no parameter ${name}.`,
          hint: 'Declare it in params, or write $${ for what is none.',
        })),
        ...wrong.map(({ name, reason }): Problem => ({
          resource,
          path: ['params', name, 'default'],
          code: 'invalid-value',
          message: `The default of ${name} ${reason}.`,
        })),
      ];
    }),
  example: `apiVersion: slipway/v1
kind: Template
metadata: { name: docs }
spec:
  params:
    site: { required: true, description: Which site it searches. }
    replicas: { type: integer, default: 1 }
  server:
    command: [node, docs.mjs, --site, "\${site}"]
    replicas: \${replicas}
`,
});

const FITS: Readonly<Record<Parameter['type'], (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  integer: (value) => Number.isSafeInteger(value),
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  list: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
};

/** What is wrong with a value: `must be …`. */
export function misfit({ type, enum: allowed }: Pick<Parameter, 'type' | 'enum'>, value: unknown): string | undefined {
  if (!FITS[type](value))
    return `must be ${{ integer: 'an integer', list: 'a list of strings' }[type as string] ?? `a ${type}`}`;
  return allowed && !allowed.some((one) => one === value) ? `must be one of ${allowed.join(', ')}` : undefined;
}

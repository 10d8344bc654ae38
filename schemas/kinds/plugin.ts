import { z } from 'zod';
import { HOOKS, resolvePlugins } from '../plugins.ts';
import type { Resource } from '../resource.ts';
import { duration, name, size } from './fields.ts';
import { codeFields, unallowed } from './fields/code.ts';
import { configFile } from './fields/given.ts';
import { defineKind, type Problem } from './kind.ts';

const pluginSpec = z.strictObject({
  description: z.string().max(4096).optional().describe('What it is for.'),
  file: configFile
    .regex(/\.(ts|mjs)$/, 'must end in .ts or .mjs')
    .optional()
    .describe(
      'An ES module that exports its hooks: async (input, ctx) => what is to be changed. TypeScript whose types can be left out. A Policy must allow it.',
    ),
  hooks: z
    .array(z.enum(HOOKS))
    .max(HOOKS.length)
    .default([])
    .describe('What the file exports. Nobody runs it to find out, so it is written here.'),
  extends: z
    .array(name)
    .max(16)
    .default([])
    .describe(
      'Plugins whose hooks it has, too. Its own come before theirs; of those of sessions all run, theirs first.',
    ),
  config: z.record(z.string(), z.json()).default({}).describe('What its own hooks get as ctx.config.'),
  timeout: duration.default('1s').describe('How long one of its hooks may take: at most 10s.'),
  memory: size.default('32Mi').describe('Memory that one of its hooks may use: at most 128Mi.'),
  ...codeFields,
});

export type PluginSpec = z.output<typeof pluginSpec>;
type Resources = readonly Resource<PluginSpec>[];

/** A file without hooks does nothing; hooks without a file are nowhere. */
function halves(resource: Resource<PluginSpec>): Problem[] {
  const { file, hooks, extends: parents } = resource.spec;
  const problem = (path: string, message: string): Problem[] => [
    { resource, path: [path], code: 'missing-field', message },
  ];
  if (file !== undefined && hooks.length === 0) return problem('hooks', 'Say which hooks the file exports.');
  if (file === undefined && hooks.length > 0) return problem('file', 'Say which file exports these hooks.');
  return file === undefined && parents.length === 0 ? problem('file', 'It needs a file, or extends.') : [];
}

function conflicts(plugins: Resources): Problem[] {
  const all = new Map(plugins.map(({ metadata, spec }) => [metadata.name, spec]));
  const resolved = resolvePlugins(all);
  return plugins.flatMap((resource) => {
    const { name: own } = resource.metadata;
    return Object.entries(resolved.get(own)?.conflicts ?? {}).map(([hook, owners]): Problem => {
      const message = `${owners.join(' and ')} each have ${hook}, and only one can run.`;
      const hint = `Let ${own} have its own ${hook}, or extend just one of them.`;
      return { resource, path: ['extends'], code: 'conflicting-fields', message, hint };
    });
  });
}

export const plugin = defineKind({
  kind: 'Plugin',
  plural: 'plugins',
  short: ['plug'],
  description:
    'Code of the config repo that takes part in what goes through a route: sessions, lists, calls of tools, what is read. Shut in; a Policy must allow it.',
  // Those who come from mcpctl would expect them to be there, and to be extended.
  reserved: {
    gate: 'a gate is no Plugin here; write gate: {} on the Project',
    'content-pipeline': 'what becomes of results is no Plugin here; name a Pipeline in the Project’s pipeline',
    default: 'there is none to extend; write gate: {} and pipeline: <name> on the Project',
  },
  spec: pluginSpec,
  references: (spec) =>
    spec.extends.map((parent, at) => ({ path: ['extends', at], kind: 'Plugin', name: parent, acyclic: true })),
  together: (plugins, all) => [
    ...plugins.flatMap(halves),
    ...plugins.flatMap((resource) =>
      resource.spec.file === undefined ? [] : unallowed(resource, { all, field: 'plugins', path: ['file'] }),
    ),
    ...plugins.flatMap((resource) =>
      resource.spec.llm === true ? unallowed(resource, { all, field: 'llm', path: ['llm'] }) : [],
    ),
    ...conflicts(plugins),
  ],
  files: ({ file }) => (file === undefined ? [] : [{ path: ['file'], file, content: 'module' as const }]),
  example: `apiVersion: slipway/v1
kind: Plugin
metadata: { name: house-rules }
spec:
  file: plugins/house-rules.ts
  hooks: [onToolCallBefore, onToolsList]
  config: { never: [wipe] }
`,
});

import { z } from 'zod';
import { HOOKS, OWN_TOOL_NAMES, resolvePlugins, toolOwners } from '../plugins.ts';
import type { Resource } from '../resource.ts';
import { duration, name, size } from './fields.ts';
import { codeFields, unallowed } from './fields/code.ts';
import { configFile } from './fields/given.ts';
import { toolField } from './fields/tool.ts';
import { defineKind, type All, type Problem } from './kind.ts';

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
  tools: z
    .array(toolField)
    .max(32)
    .default([])
    .describe(
      'Tools that it brings to its routes: the file exports tools, an object with async (args, ctx) => result for each.',
    ),
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

/** A file without hooks and tools does nothing; hooks and tools without a file are nowhere. */
function halves(resource: Resource<PluginSpec>): Problem[] {
  const { file, hooks, tools, extends: parents } = resource.spec;
  const problem = (path: string, message: string): Problem[] => [
    { resource, path: [path], code: 'missing-field', message },
  ];
  const brings = hooks.length + tools.length > 0;
  if (file !== undefined && !brings) return problem('hooks', 'Say which hooks the file exports, or which tools.');
  if (file === undefined && brings) return problem('file', 'Say which file exports these hooks and tools.');
  return file === undefined && parents.length === 0 ? problem('file', 'It needs a file, or extends.') : [];
}

function conflicts(plugins: Resources): Problem[] {
  const all = new Map(plugins.map(({ metadata, spec }) => [metadata.name, spec]));
  const resolved = resolvePlugins(all);
  return plugins.flatMap((resource) => {
    const { name: own } = resource.metadata;
    const several = [...toolOwners(all, own)].filter(([, owners]) => owners.length > 1);
    const both = [...Object.entries(resolved.get(own)?.conflicts ?? {}), ...several];
    return both.map(([what, owners]): Problem => {
      const message = `${owners.join(' and ')} each have ${what}, and only one can run.`;
      const hint = `Let ${own} have its own ${what}, or extend just one of them.`;
      return { resource, path: ['extends'], code: 'conflicting-fields', message, hint };
    });
  });
}

/** Tool shadowing: nobody must take a tool for the gateway's own, or for one of a server. @param prefixes what tools of servers begin with */
function badNames(resource: Resource<PluginSpec>, prefixes: readonly string[]): Problem[] {
  const names = resource.spec.tools.map((tool) => tool.name);
  return names.flatMap((tool, at): Problem[] => {
    const path = ['tools', at, 'name'];
    const prefix = prefixes.find((one) => tool.startsWith(one));
    if (names.indexOf(tool) < at)
      return [{ resource, path, code: 'invalid-value', message: `There is a tool ${tool} above already.` }];
    if (OWN_TOOL_NAMES.includes(tool))
      return [{ resource, path, code: 'reserved-name', message: `Slipway has a tool ${tool} of its own.` }];
    if (prefix === undefined) return [];
    const message = `${tool} begins with ${prefix}, as tools of a server do.`;
    return [{ resource, path, code: 'invalid-value', message, hint: 'Call it something else.' }];
  });
}

const badNamesIn = (plugins: Resources, all: All): Problem[] => {
  const prefixes = prefixesIn(all);
  return plugins.flatMap((resource) => badNames(resource, prefixes));
};

/** What names of tools begin with, on whatever route. */
function prefixesIn(all: All): string[] {
  const separators = all('Project').map(({ spec }) => (spec as { toolSeparator: string }).toolSeparator);
  const each = [...new Set(['__', ...separators])];
  return all('Server').flatMap(({ metadata }) => each.map((separator) => metadata.name + separator));
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
    ...badNamesIn(plugins, all),
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

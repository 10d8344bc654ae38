import { z } from 'zod';
import { suggest } from '../suggest.ts';
import { name } from './fields.ts';
import { budget, budgetReference } from './fields/budget.ts';
import { citedPermissions, permissions } from './fields/permissions.ts';
import { codeMode, codeModeProblems } from './fields/code-mode.ts';
import { discovery, embedServerSummaries } from './fields/discovery.ts';
import { gate } from './fields/gate.ts';
import { callerLimits } from './fields/limits.ts';
import { llm, llmReferences } from './fields/llm.ts';
import { overrideReferences, overrides } from './fields/overrides.ts';
import { pipeline, pipelineReference } from './fields/pipeline.ts';
import { selectedServers, serverSelector, serversOf } from './fields/server-selector.ts';
import { plugin, pluginReference } from './fields/plugin.ts';
import { redact } from './fields/redact.ts';
import { defineKind } from './kind.ts';

export const project = defineKind({
  kind: 'Project',
  plural: 'projects',
  short: ['proj'],
  description: 'A route of the gateway: a set of servers that a team or an agent uses together.',
  reserved: { all: 'the route /mcp already holds every server' },
  spec: z.strictObject({
    description: z.string().max(4096).optional().describe('What the project is for.'),
    instructions: z
      .string()
      .max(16_384)
      .optional()
      .describe('What a model is told when a session begins, before what each server says. Default: the description.'),
    servers: z.array(name).default([]).describe('Servers reachable at /projects/<name>/mcp, in display order.'),
    serverSelector,
    toolSeparator: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,8}$/, 'must be 1–8 of A–Z, a–z, 0–9, _ and -')
      .default('__')
      .describe('What stands between server and tool in a tool’s name.'),
    overrides,
    discovery,
    embedServerSummaries,
    codeMode,
    pipeline,
    plugin,
    gate,
    permissions: permissions.describe('Which tools may be called through this project.'),
    limits: callerLimits.optional().describe('What all who use the project may do together.'),
    budget,
    redact,
    llm,
  }),
  references: (spec) => [
    ...spec.servers.map((target, index) => ({ path: ['servers', index], kind: 'Server', name: target })),
    ...llmReferences(spec.llm),
    ...budgetReference(spec.budget),
    ...pipelineReference(spec.pipeline),
    ...pluginReference(spec.plugin),
    ...overrideReferences(spec.overrides),
  ],
  selects: (spec, all) => selectedServers(spec, all('Server')).map((target) => ({ kind: 'Server', name: target })),
  together: (projects, all) => [
    ...codeModeProblems(projects),
    ...projects.flatMap((resource) => {
      const servers = serversOf(resource.spec, all('Server'));
      const strangers = Object.keys(resource.spec.overrides).filter((server) => !servers.includes(server));
      return strangers.map((server) => {
        const nearest = suggest(server, servers);
        return {
          resource,
          path: ['overrides', server],
          code: 'dangling-reference' as const,
          message: `The project has no server ${server}.`,
          ...(nearest === undefined ? {} : { hint: `Did you mean ${nearest}?` }),
        };
      });
    }),
  ],
  cited: (spec) => citedPermissions(spec.permissions),
  example: `apiVersion: slipway/v1
kind: Project
metadata: { name: dev }
spec:
  description: What the developers use every day.
  servers: [everything]
`,
});

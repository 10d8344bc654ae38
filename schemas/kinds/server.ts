import { z } from 'zod';
import { looksSecret } from '../sensitive.ts';
import { duration, httpUrl, name, size } from './fields.ts';
import { auth, secretsOf } from './fields/auth.ts';
import { configFiles, environmentVariable, secretFiles } from './fields/given.ts';
import { httpProbeWithoutPort, RUNNING_FIELDS, RUNNING_LISTS, usedForRunning } from './fields/running.ts';
import { imageReference, pull } from './fields/image.ts';
import { auditLevel } from './fields/audit.ts';
import { isolation } from './fields/isolation.ts';
import { argument, packageSpec } from './fields/package.ts';
import { citedPermissions, serverPermissions } from './fields/permissions.ts';
import { toolCache } from './fields/cache.ts';
import { serverLimits } from './fields/limits.ts';
import { maintenance, maintenanceProblems, suspend } from './fields/maintenance.ts';
import { pipeline, pipelineReference } from './fields/pipeline.ts';
import { PROBES, probes } from './fields/probes.ts';
import { redact } from './fields/redact.ts';
import { rollout } from './fields/rollout.ts';
import { maxInstances, sessions, warm } from './fields/sessions.ts';
import { toolDrift } from './fields/tool-drift.ts';
import type { Resource } from '../resource.ts';
import { defineKind, type Problem, type Reference } from './kind.ts';

const ways = ['package', 'command', 'image', 'url', 'template'] as const;

const serverSpec = z
  .strictObject({
    description: z.string().max(4096).optional().describe('What the server is for, for people and agents.'),
    tags: z
      .array(z.string().min(1).max(63))
      .max(32)
      .default([])
      .describe('Words about what it can do, for agents that look for a server.'),
    examples: z
      .array(z.record(z.string(), z.unknown()))
      .max(32)
      .default([])
      .describe('How it is used, for agents: any objects, such as { command, parameters, note }.'),
    package: packageSpec.optional().describe('Run a published package, installed once by exact version.'),
    command: z
      .array(argument.min(1))
      .min(1)
      .optional()
      .describe('Run a program: its path or name, then its arguments. No shell is involved.'),
    files: configFiles.describe(
      'Files of the config repo that the command needs. They are laid out in its working directory.',
    ),
    image: imageReference.optional().describe('Run a container image. With a digest, nothing floats.'),
    entrypoint: z.array(argument.min(1)).min(1).optional().describe('Program in the image, in place of its own.'),
    args: z.array(argument).default([]).describe('Arguments for the image’s program.'),
    pull: pull.optional(),
    engine: name.optional().describe('Engine to run its containers on. Default: the local one.'),
    url: httpUrl.optional().describe('Use a server that runs elsewhere.'),
    template: z
      .strictObject({
        name: name.describe('Name of the Template.'),
        params: z.record(z.string(), z.json()).default({}).describe('What its parameters are.'),
      })
      .optional()
      .describe('Make it of a Template. What else is said here goes before what the template says.'),
    privateNetwork: z
      .boolean()
      .default(false)
      .describe('Let the url lead to a private address: this host, or a network that is no part of the Internet.'),
    auth: auth.optional().describe('How to get into the server at the url.'),
    transport: z
      .enum(['stdio', 'http', 'sse'])
      .optional()
      .describe('How to speak to it. Default: http for url, stdio otherwise.'),
    http: z
      .strictObject({
        port: z
          .int()
          .min(1)
          .max(65_535)
          .optional()
          .describe('Port the program listens on. Default: a free one, given to it as PORT.'),
        path: z
          .string()
          .regex(/^\/[^\s?#]*$/, 'must be an absolute path')
          .default('/mcp')
          .describe('Path of its MCP endpoint.'),
      })
      .optional()
      .describe('Where a program with transport http listens (on 127.0.0.1).'),
    env: z
      .array(environmentVariable)
      .default([])
      .describe('Environment of the program; it sees only these and a few standard names.'),
    secretFiles: secretFiles.describe(
      'Secrets given as files, in memory: below /run/secrets in containers and sandboxes, else in the folder that the environment variable CREDENTIALS_DIRECTORY names.',
    ),
    replicas: z.int().min(1).max(64).default(1).describe('How many instances to run.'),
    enabled: z.boolean().default(true).describe('False keeps the server in the config without running it.'),
    runtime: name.optional().describe('Driver that runs it. Default: docker for image, process otherwise.'),
    lifecycle: z
      .enum(['onDemand', 'always'])
      .optional()
      .describe(
        'onDemand starts it with the first call and stops it when idle. Default: onDemand for stdio, always for http.',
      ),
    idleTimeout: duration.default('10m').describe('With onDemand: stop after this long without a call.'),
    timeout: duration.default('60s').describe('How long one call may take.'),
    listTimeout: duration
      .optional()
      .describe('How long a client waits for its lists. Default: as the Gateway says, 10s.'),
    sessions,
    audit: auditLevel,
    maxInstances,
    warm,
    validateArguments: z
      .boolean()
      .default(false)
      .describe('Check the arguments of tool calls against the tool’s schema before the server sees them.'),
    permissions: serverPermissions.describe('Which of its tools may be called.'),
    limits: serverLimits.optional(),
    redact,
    cache: toolCache,
    pipeline: pipeline.describe(
      'Pipeline of its results where the route, a Project or the Gateway, has none; none: no pipeline.',
    ),
    dependsOn: z.array(name).default([]).describe('Servers that must be ready before this one starts.'),
    probes: probes.optional(),
    rollout,
    rolloutGroup: name
      .optional()
      .describe(
        'Servers of a group return together: when a version of one fails, what changed with it goes back, too.',
      ),
    suspend,
    maintenance,
    drift: z
      .enum(['off', 'detect', 'enforce'])
      .default('enforce')
      .describe(
        'When its instances are changed or removed without a commit: enforce heals them, detect only tells, off does neither.',
      ),
    toolDrift,
    isolation: isolation.optional(),
    resources: z
      .strictObject({
        memory: size.optional().describe('Memory limit.'),
        cpu: z.number().min(0.01).max(256).optional().describe('CPU limit in cores.'),
      })
      .optional()
      .describe('Limits, enforced by drivers that can: see `slipway describe`.'),
  })
  .check((check) => {
    const refuse = (path: string[], message: string): void => {
      check.issues.push({ code: 'custom', input: check.value, path, message, params: { conflict: true } });
    };
    const used = ways.filter((way) => check.value[way] !== undefined);
    if (used.length === 0) refuse([], `must have one of ${ways.join(', ')}`);
    if (used.length > 1) refuse([used[1] as string], `cannot stand beside ${used[0]}: a server runs in one way only`);
    if (check.value.url !== undefined) {
      if (check.value.transport === 'stdio') refuse(['transport'], 'cannot be stdio for a url');
      for (const field of usedForRunning(check.value))
        refuse([field], 'means nothing for a url: the server runs elsewhere');
    }
    if (check.value.url === undefined && check.value.auth) refuse(['auth'], 'means nothing without a url');
    // Token theft: whoever sits on the way reads what is not encrypted.
    if (check.value.auth && check.value.url?.startsWith('http:') && !check.value.privateNetwork)
      refuse(['auth'], 'needs an https url, unless it is in a private network');
    if (check.value.image === undefined)
      for (const field of ['entrypoint', 'pull'] as const)
        if (check.value[field] !== undefined) refuse([field], 'means nothing without an image');
    if (check.value.image !== undefined && check.value.files.length > 0)
      refuse(['files'], 'cannot be given to an image: put them into it');
    if (check.value.image === undefined && check.value.args.length > 0)
      refuse(['args'], 'means nothing without an image');
    for (const probe of PROBES) {
      const asked = check.value.probes?.[probe]?.http;
      if (asked && asked.port === undefined && (check.value.transport ?? 'stdio') === 'stdio')
        refuse(['probes', probe, 'http'], 'needs a port: over stdio the server has none');
    }
    // What one client's instance answers is about what that client did to it.
    if (check.value.cache.length > 0 && check.value.sessions === 'isolated')
      refuse(['cache'], 'means nothing with sessions isolated');
    if (check.value.warm > 0 && check.value.sessions === 'shared')
      refuse(['warm'], 'means nothing with sessions shared');
    const { http, image, runtime, replicas } = check.value;
    // In a container every instance has ports of its own; only a driver knows that of a runtime.
    if (http?.port !== undefined && image === undefined && runtime === undefined && replicas > 1)
      refuse(['replicas'], 'must be 1 with a fixed http.port');
  })
  .meta({
    oneOf: ways.map((way) => ({ required: [way] })),
    dependentRequired: { auth: ['url'], entrypoint: ['image'], pull: ['image'] },
    not: {
      anyOf: [
        { properties: { args: { minItems: 1 } }, required: ['args'], not: { required: ['image'] } },
        { properties: { files: { minItems: 1 } }, required: ['image', 'files'] },
        { properties: { transport: { const: 'stdio' } }, required: ['url', 'transport'] },
        {
          properties: { url: { pattern: '^http:' } },
          required: ['auth', 'url'],
          not: { properties: { privateNetwork: { const: true } }, required: ['privateNetwork'] },
        },
        ...RUNNING_FIELDS.map((field) => ({ required: ['url', field] })),
        ...RUNNING_LISTS.map((field) => ({ properties: { [field]: { minItems: 1 } }, required: ['url', field] })),
        { properties: { replicas: { minimum: 2 } }, required: ['url', 'replicas'] },
        { properties: { warm: { minimum: 1 }, sessions: { const: 'shared' } }, required: ['warm'] },
        { properties: { cache: { minItems: 1 }, sessions: { const: 'isolated' } }, required: ['cache', 'sessions'] },
        ...PROBES.map(httpProbeWithoutPort),
        {
          properties: { http: { required: ['port'] }, replicas: { minimum: 2 } },
          required: ['http', 'replicas'],
          not: { anyOf: [{ required: ['image'] }, { required: ['runtime'] }] },
        },
      ],
    },
  });

export type ServerSpec = z.output<typeof serverSpec>;

function references(spec: ServerSpec): Reference[] {
  const secrets = spec.env.flatMap((variable, index): Reference[] => {
    const target = variable.valueFrom?.secretRef;
    return target
      ? [{ path: ['env', index, 'valueFrom', 'secretRef'], kind: 'Secret', name: target.name, keys: [target.key] }]
      : [];
  });
  const mounted = spec.secretFiles.map((file, index): Reference => {
    const target = file.valueFrom.secretRef;
    return {
      path: ['secretFiles', index, 'valueFrom', 'secretRef'],
      kind: 'Secret',
      name: target.name,
      keys: [target.key],
    };
  });
  const doors = (spec.auth ? secretsOf(spec.auth) : []).map(({ path, secretRef: target }): Reference => ({
    path: ['auth', ...path],
    kind: 'Secret',
    name: target.name,
    keys: [target.key],
  }));
  const login = spec.pull?.credentials;
  const credentials: Reference[] =
    login === undefined
      ? []
      : [{ path: ['pull', 'credentials'], kind: 'Secret', name: login, keys: ['username', 'password'] }];
  const servers = spec.dependsOn.map((target, index): Reference => ({
    path: ['dependsOn', index],
    kind: 'Server',
    name: target,
    acyclic: true,
  }));
  const engines: Reference[] =
    spec.engine === undefined ? [] : [{ path: ['engine'], kind: 'Engine', name: spec.engine }];
  const templates: Reference[] =
    spec.template === undefined ? [] : [{ path: ['template', 'name'], kind: 'Template', name: spec.template.name }];
  const pipelines = pipelineReference(spec.pipeline);
  return [...secrets, ...mounted, ...doors, ...credentials, ...servers, ...engines, ...templates, ...pipelines];
}

/** One port of this host is one program's; in containers each has ports of its own. */
function samePort(servers: readonly Resource<ServerSpec>[]): Problem[] {
  const taken = new Map<number, string>();
  return servers.flatMap((resource): Problem[] => {
    const { enabled, http, image, runtime } = resource.spec;
    if (!enabled || http?.port === undefined || image !== undefined || runtime !== undefined) return [];
    const first = taken.get(http.port);
    taken.set(http.port, first ?? resource.metadata.name);
    if (first === undefined) return [];
    const message = `Port ${http.port} is that of Server ${first} already.`;
    const hint = 'Give each a port of its own, or none: then a free one is found.';
    return [{ resource, path: ['http', 'port'], code: 'conflicting-fields', message, hint }];
  });
}

export const server = defineKind({
  kind: 'Server',
  plural: 'servers',
  short: ['srv'],
  description: 'An MCP server: how it runs, or where it is.',
  reserved: { slipway: 'it stands for Slipway’s own tools', all: '`get all` means every kind' },
  spec: serverSpec,
  references,
  together: (servers) => [...maintenanceProblems(servers), ...samePort(servers)],
  cited: (spec) => [
    ...citedPermissions(spec.permissions),
    ...(spec.template
      ? [['template'], ...Object.keys(spec.template.params).map((key) => ['template', 'params', key])]
      : []),
  ],
  templateOf: (spec) => spec.template,
  files: (spec) => spec.files.map((file, index) => ({ path: ['files', index], file })),
  sensitive: (path) => path[0] === 'env' && path[2] === 'value' && looksSecret(String(path[1])),
  example: `apiVersion: slipway/v1
kind: Server
metadata: { name: everything }
spec:
  description: The reference server of the MCP project.
  package: { npm: "@modelcontextprotocol/server-everything", version: 2026.8.31 }
`,
});

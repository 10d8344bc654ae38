import { z } from 'zod';
import { budget, budgetOfNoProject, budgetReference } from './fields/budget.ts';
import { cache } from './fields/cache.ts';
import { codeMode, codeModeProblems } from './fields/code-mode.ts';
import { discovery, embedServerSummaries } from './fields/discovery.ts';
import { duration, httpUrl, PORT, size } from './fields.ts';
import { citedPermissions, floor, permissions } from './fields/permissions.ts';
import { auth, gatewayProblems, providerReferences } from './fields/provider.ts';
import { gate } from './fields/gate.ts';
import { gatewayLimits } from './fields/limits.ts';
import { llm, llmReferences } from './fields/llm.ts';
import { pipeline, pipelineReference } from './fields/pipeline.ts';
import { plugin, pluginReference } from './fields/plugin.ts';
import { redact } from './fields/redact.ts';
import { recipients } from './fields/sealed.ts';
import { review, reviewReferences } from './fields/review.ts';
import { auditLog } from './fields/audit.ts';
import { logging } from './fields/logging.ts';
import { maintenance, maintenanceProblems, suspend } from './fields/maintenance.ts';
import { toolDriftOfAll } from './fields/tool-drift.ts';
import { tracing, tracingReferences } from './fields/tracing.ts';
import { defineKind } from './kind.ts';

const LISTEN = new RegExp(`^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):${PORT}$`);

const HOST = '(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]{1,253})';

const host = z
  .string()
  .regex(new RegExp(`^${HOST}(:${PORT})?$`), 'must be a host name, with a port if the port matters');

const origin = z
  .string()
  .regex(
    new RegExp(`^https?://${HOST}(:${PORT})?$`),
    'must be an origin: http(s)://host, with a port but without a path',
  );

export const gateway = defineKind({
  kind: 'Gateway',
  plural: 'gateways',
  short: ['gw'],
  description: 'How the gateway listens and what it refuses. One per config.',
  singleton: true,
  spec: z.strictObject({
    listen: z
      .string()
      .regex(LISTEN, 'must be host:port')
      .default('127.0.0.1:9877')
      .describe('Address to listen on. Beyond loopback only while a Token or an identity provider exists.'),
    publicUrl: httpUrl
      .optional()
      .describe('How clients reach the gateway from outside, behind a TLS proxy for instance.'),
    auth,
    allowedHosts: z
      .array(host)
      .default([])
      .describe('Host headers to accept besides loopback and the listen address (DNS rebinding guard).'),
    allowedOrigins: z
      .array(origin)
      .default([])
      .describe(
        'Browser origins to accept besides the gateway itself (DNS rebinding guard). Their pages may use MCP routes (CORS).',
      ),
    maxBodySize: size.default('4Mi').describe('Largest request body.'),
    limits: gatewayLimits,
    budget: budget.describe('The same as Project.spec.budget, for the route /mcp with all servers.'),
    redact,
    secrets: z
      .strictObject({ recipients: recipients.describe('age recipients that `slipway secret` encrypts for.') })
      .optional()
      .describe('Who can decrypt what is encrypted in Secrets.'),
    sessionTtl: duration.default('7d').describe('How long a client session stays valid.'),
    listTimeout: duration
      .default('10s')
      .describe(
        'How long a client waits for the lists of a server: tools, say. Lists come without those that take longer, and name them.',
      ),
    httpSse: z
      .boolean()
      .default(false)
      .describe(
        'Serve the old HTTP+SSE transport (MCP 2024-11-05) too, at …/sse beside each …/mcp. For old clients only.',
      ),
    discovery: discovery.describe('The same as Project.spec.discovery, for the route /mcp with all servers.'),
    embedServerSummaries,
    codeMode: codeMode.describe('The same as Project.spec.codeMode, for the route /mcp with all servers.'),
    llm: llm.describe('The same as Project.spec.llm, for the route /mcp with all servers.'),
    cache,
    pipeline: pipeline.describe('The same as Project.spec.pipeline, for the route /mcp with all servers.'),
    plugin: plugin.describe('The same as Project.spec.plugin, for the route /mcp with all servers.'),
    gate: gate.describe('The same as Project.spec.gate, for the route /mcp with all servers.'),
    toolDrift: toolDriftOfAll,
    floor,
    permissions: permissions.describe('Which tools may be called, on any server.'),
    audit: auditLog,
    logging,
    tracing,
    review,
    suspend,
    maintenance,
    shutdownTimeout: duration.default('10s').describe('How long running calls may take to finish on shutdown.'),
  }),
  references: (spec) => [
    ...providerReferences(spec.auth.jwt),
    ...tracingReferences(spec.tracing),
    ...reviewReferences(spec.review),
    ...llmReferences(spec.llm),
    ...budgetReference(spec.budget),
    ...pipelineReference(spec.pipeline),
    ...pluginReference(spec.plugin),
  ],
  together: (gateways, all) => [
    ...codeModeProblems(gateways),
    ...gatewayProblems(gateways),
    ...maintenanceProblems(gateways),
    ...budgetOfNoProject(gateways, all),
  ],
  // It only adds to what a config denies.
  floor: () => [],
  floorFields: ['floor'],
  cited: (spec) => [...spec.floor.map((_, index) => ['floor', index]), ...citedPermissions(spec.permissions)],
  example: `apiVersion: slipway/v1
kind: Gateway
metadata: { name: main }
spec:
  listen: 127.0.0.1:9877
  maxBodySize: 4Mi
`,
});

import { bytes, timerMs } from '../../schemas/kinds/fields.ts';
import type { ServerSpec } from '../../schemas/kinds/server.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import {
  specHash,
  type EnvEntry,
  type Program,
  type RunSpec,
  type SecretSource,
  type Workload,
  type WorkloadFile,
} from '../workload.ts';
import type { CompileContext, KindBehaviour } from './kind.ts';

export const server: KindBehaviour<ServerSpec> = {
  workloads(resource, context) {
    const { spec } = resource;
    const program = programOf(spec);
    if (!program || !spec.enabled) return [];
    const run = runSpec(spec, program, context);
    const rest = around(spec, run, program);
    return [
      {
        address: addressOf(resource),
        name: resource.metadata.name,
        hash: specHash(run, rest.driver),
        run,
        ...rest,
      },
    ];
  },

  contribute(resource, draft) {
    const { spec, metadata } = resource;
    if (!spec.enabled) return;
    draft.servers[metadata.name] = {
      ...(spec.description === undefined ? {} : { description: spec.description }),
      timeoutMs: timerMs(spec.timeout),
      endpoints: remote(resource),
    };
    draft.origins[metadata.name] = addressOf(resource);
    draft.routes['/mcp']?.servers.push(metadata.name);
    draft.routes[`/servers/${metadata.name}/mcp`] = { servers: [metadata.name] };
  },
};

function programOf(spec: ServerSpec): Program | undefined {
  if (spec.command) return { type: 'command', argv: spec.command };
  if (spec.image !== undefined) return { type: 'image', image: spec.image };
  if (!spec.package) return undefined;
  const { npm, pypi, version, bin, args } = spec.package;
  const ecosystem = npm === undefined ? 'pypi' : 'npm';
  return { type: 'package', ecosystem, name: npm ?? pypi ?? '', version, ...(bin === undefined ? {} : { bin }), args };
}

/** A server that runs elsewhere is an endpoint and no workload. */
function remote(resource: Resource<ServerSpec>): { id: string; transport: 'http' | 'sse'; address: string }[] {
  const { url, transport } = resource.spec;
  return url === undefined
    ? []
    : [{ id: resource.metadata.name, transport: transport === 'sse' ? 'sse' : 'http', address: url }];
}

function runSpec(spec: ServerSpec, program: Program, context: CompileContext): RunSpec {
  const transport = spec.transport ?? 'stdio';
  const files = spec.files.map((path) => context.file(path)).filter((file): file is WorkloadFile => file !== undefined);
  const { memory, cpu } = spec.resources ?? {};
  const resources = {
    ...(memory === undefined ? {} : { memoryBytes: bytes(memory) }),
    ...(cpu === undefined ? {} : { cpu }),
  };
  return {
    program,
    transport,
    ...(transport === 'stdio'
      ? {}
      : {
          http: { path: spec.http?.path ?? '/mcp', ...(spec.http?.port === undefined ? {} : { port: spec.http.port }) },
        }),
    env: spec.env.map((variable) => envEntry(variable, context)),
    files,
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
  };
}

function envEntry(variable: ServerSpec['env'][number], context: CompileContext): EnvEntry {
  const ref = variable.valueFrom?.secretRef;
  if (!ref) return { name: variable.name, value: variable.value ?? '' };
  const data =
    (context.find('Secret', ref.name)?.spec as { data: Record<string, SecretSource> } | undefined)?.data ?? {};
  const from = data[ref.key];
  return { name: variable.name, ...(from ? { secret: { secret: ref.name, key: ref.key, from } } : {}) };
}

/** Everything about a workload that can change without a new instance. */
function around(spec: ServerSpec, run: RunSpec, program: Program): Omit<Workload, 'address' | 'name' | 'hash' | 'run'> {
  const fixedPort = run.http?.port !== undefined;
  return {
    driver: spec.runtime ?? (program.type === 'image' ? 'docker' : 'process'),
    replicas: spec.replicas,
    lifecycle: run.transport === 'stdio' ? (spec.lifecycle ?? 'onDemand') : 'always',
    idleTimeoutMs: timerMs(spec.idleTimeout),
    callTimeoutMs: timerMs(spec.timeout),
    dependsOn: spec.dependsOn.map((name) => `Server/${name}`),
    ...(spec.probe?.tool === undefined ? {} : { probe: { tool: spec.probe.tool, arguments: spec.probe.arguments } }),
    rollout: {
      strategy: spec.rollout.strategy ?? (fixedPort ? 'stopFirst' : 'startFirst'),
      timeoutMs: timerMs(spec.rollout.timeout),
      drainMs: timerMs(spec.rollout.drain),
    },
  };
}

import type { z } from 'zod';
import type { engine as engineKind } from '../../schemas/kinds/engine.ts';
import { bytes, MAX_TIMER_MS, timerMs } from '../../schemas/kinds/fields.ts';
import type { IsolationSpec } from '../../schemas/kinds/fields/isolation.ts';
import { PROBES, type ProbesSpec, type ProbeSpec } from '../../schemas/kinds/fields/probes.ts';
import type { ServerSpec } from '../../schemas/kinds/server.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import {
  specHash,
  type Check,
  type EngineSpec,
  type EnvEntry,
  type Isolation,
  type Probe,
  type Probes,
  type Program,
  type Pull,
  type Rollout,
  type RunSpec,
  type Workload,
  type WorkloadFile,
} from '../workload.ts';
import { permissionsOf } from './fields/permissions.ts';
import { withToolCache } from './fields/cache.ts';
import type { CompileContext, KindBehaviour } from './kind.ts';
import { secretUse, upstreamAuth } from './fields/auth.ts';
import { holdRule } from '../holds.ts';
import { addServerLimits } from '../limits.ts';

export const server: KindBehaviour<ServerSpec> = {
  workloads(resource, context) {
    const { spec } = resource;
    const program = programOf(spec);
    if (!program || !spec.enabled) return [];
    const run = runSpec(resource, program, context);
    const rest = around(resource, run, context);
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

  holds: (resource) => holdRule(resource, 'itself'),

  contribute(resource, draft, context) {
    const { spec, metadata } = resource;
    if (!spec.enabled) return;
    draft.servers[metadata.name] = {
      ...(spec.description === undefined ? {} : { description: spec.description }),
      ...(spec.tags.length === 0 ? {} : { tags: spec.tags }),
      ...(spec.examples.length === 0 ? {} : { examples: spec.examples }),
      timeoutMs: timerMs(spec.timeout),
      ...(spec.listTimeout === undefined ? {} : { listTimeoutMs: timerMs(spec.listTimeout) }),
      ...(spec.sessions === 'isolated'
        ? {
            isolated: {
              maxInstances: spec.maxInstances,
              ...(spec.warm > 0 ? { warm: spec.warm } : {}),
              idleMs: timerMs(spec.idleTimeout),
            },
          }
        : {}),
      ...(spec.audit === 'full' ? {} : { audit: spec.audit }),
      ...(spec.validateArguments ? { validateArguments: true } : {}),
      ...(spec.redact ? { redact: true } : {}),
      ...withToolCache(spec.cache),
      ...(spec.pipeline === undefined ? {} : { pipeline: spec.pipeline }),
      endpoints: remote(resource),
      ...(spec.auth ? { auth: upstreamAuth(spec.auth, (ref) => secretUse(ref, context)) } : {}),
    };
    const permissions = permissionsOf(resource, spec.permissions);
    if (permissions) draft.access.servers[metadata.name] = permissions;
    addServerLimits(draft, metadata.name, spec.limits);
    draft.origins[metadata.name] = addressOf(resource);
    if (spec.toolDrift) draft.toolDrift.servers[metadata.name] = spec.toolDrift;
    draft.routes['/mcp']?.servers.push(metadata.name);
    draft.routes[`/servers/${metadata.name}/mcp`] = { servers: [metadata.name] };
  },
};

function programOf(spec: ServerSpec): Program | undefined {
  if (spec.command) return { type: 'command', argv: spec.command };
  if (spec.image !== undefined) {
    const { image, entrypoint, args } = spec;
    return { type: 'image', image, ...(entrypoint ? { entrypoint } : {}), ...(args.length > 0 ? { args } : {}) };
  }
  if (!spec.package) return undefined;
  const { npm, pypi, version, bin, args } = spec.package;
  const ecosystem = npm === undefined ? 'pypi' : 'npm';
  return { type: 'package', ecosystem, name: npm ?? pypi ?? '', version, ...(bin === undefined ? {} : { bin }), args };
}

/** A server that runs elsewhere is an endpoint and no workload. */
function remote({ metadata, spec }: Resource<ServerSpec>): Endpoint[] {
  const { url, transport, privateNetwork } = spec;
  if (url === undefined) return [];
  const endpoint = { id: metadata.name, transport: transport === 'sse' ? 'sse' : 'http', address: url } as const;
  return [privateNetwork ? endpoint : { ...endpoint, publicOnly: true }];
}

function runSpec({ metadata, spec }: Resource<ServerSpec>, program: Program, context: CompileContext): RunSpec {
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
    ...(spec.secretFiles.length === 0
      ? {}
      : {
          secretFiles: spec.secretFiles.flatMap((file) => {
            const secret = secretUse(file.valueFrom.secretRef, context);
            return secret ? [{ name: file.name, secret }] : [];
          }),
        }),
    ...(spec.isolation ? { isolation: isolationOf(spec.isolation) } : {}),
    ...(spec.engine === undefined ? {} : { engine: spec.engine }),
    ...(isNetworked(spec) ? { network: context.projectOf(metadata.name) ?? 'default' } : {}),
  };
}

/** A process of this host is on no network of its own. */
function isNetworked({ image, runtime, transport = 'stdio', isolation }: ServerSpec): boolean {
  return (image ?? runtime) !== undefined && (transport !== 'stdio' || isolation?.egress === 'all');
}

function isolationOf({ tmp, ...rest }: IsolationSpec): Isolation {
  const isolation = { ...rest, ...(tmp === undefined ? {} : { tmpBytes: bytes(tmp) }) };
  return Object.fromEntries(Object.entries(isolation).filter(([, value]) => value !== undefined));
}

function envEntry(variable: ServerSpec['env'][number], context: CompileContext): EnvEntry {
  const ref = variable.valueFrom?.secretRef;
  if (!ref) return { name: variable.name, value: variable.value ?? '' };
  const secret = secretUse(ref, context);
  return { name: variable.name, ...(secret ? { secret } : {}) };
}

/** Everything about a workload that can change without a new instance. */
function around(
  { metadata, spec }: Resource<ServerSpec>,
  run: RunSpec,
  context: CompileContext,
): Omit<Workload, 'address' | 'name' | 'hash' | 'run'> {
  // In a container every instance has ports of its own.
  const sharesPort = run.http?.port !== undefined && !spec.image && !spec.runtime;
  const engine = engineOf(spec.engine ?? LOCAL_ENGINE, context);
  const pull = pullOf(spec, context);
  return {
    driver: spec.runtime ?? (run.program.type === 'image' ? 'docker' : 'process'),
    commit: context.commit,
    project: context.projectOf(metadata.name) ?? 'default',
    ...(engine ? { engine } : {}),
    ...(pull ? { pull } : {}),
    replicas: spec.replicas,
    lifecycle: run.transport === 'stdio' ? (spec.lifecycle ?? 'onDemand') : 'always',
    idleTimeoutMs: timerMs(spec.idleTimeout),
    callTimeoutMs: timerMs(spec.timeout),
    drift: spec.drift,
    ...(spec.rolloutGroup === undefined ? {} : { group: spec.rolloutGroup }),
    dependsOn: spec.dependsOn.map((name) => `Server/${name}`),
    ...(spec.probes ? { probes: probesOf(spec.probes) } : {}),
    rollout: rolloutOf(spec, sharesPort),
  };
}

/** An Engine of this name takes the place of the one that is found in the environment. */
const LOCAL_ENGINE = 'default';

function engineOf(name: string, context: CompileContext): EngineSpec | undefined {
  const spec = context.find('Engine', name)?.spec as z.output<typeof engineKind.spec> | undefined;
  if (!spec) return undefined;
  const { host, tls, runners } = spec;
  return { name, ...(host === undefined ? {} : { host }), ...(tls ? { tls } : {}), runners } as EngineSpec;
}

function pullOf({ pull }: ServerSpec, context: CompileContext): Pull | undefined {
  if (!pull) return undefined;
  const { policy, credentials: name } = pull;
  const username = name === undefined ? undefined : secretUse({ name, key: 'username' }, context);
  const password = name === undefined ? undefined : secretUse({ name, key: 'password' }, context);
  const credentials = username && password ? { username, password } : undefined;
  return { policy, ...(credentials ? { credentials } : {}) };
}

function probesOf(spec: ProbesSpec): Probes {
  const entries = PROBES.flatMap((name) => {
    const probe = spec[name];
    return probe ? [[name, probeOf(probe)] as const] : [];
  });
  return Object.fromEntries(entries);
}

function probeOf({ interval, timeout, failures, ...check }: ProbeSpec): Probe {
  return { check: checkOf(check), intervalMs: timerMs(interval), timeoutMs: timerMs(timeout), failures };
}

function checkOf({ call, http, exec, tools }: Omit<ProbeSpec, 'interval' | 'timeout' | 'failures'>): Check {
  if (call) return withoutUndefined<Check>({ type: 'call', ...call });
  if (http) return withoutUndefined<Check>({ type: 'http', ...http });
  if (exec) return { type: 'exec', argv: exec };
  return { type: tools ? 'tools' : 'ping' };
}

function withoutUndefined<T>(value: Readonly<Record<string, unknown>>): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}

function rolloutOf({ rollout, replicas, probes }: ServerSpec, sharesPort: boolean): Rollout {
  const surge = instances(rollout.maxSurge ?? 1, replicas, Math.ceil);
  const unavailable = instances(rollout.maxUnavailable ?? 0, replicas, Math.floor);
  const { startup } = probes ?? {};
  const start = startup ? timerMs(startup.interval) * startup.failures : 0;
  const { canary } = rollout;
  return {
    strategy: rollout.strategy ?? (sharesPort ? 'recreate' : 'rollingUpdate'),
    surge,
    // A percentage can come to nothing; as in Kubernetes, one instance then makes room.
    unavailable: surge + unavailable === 0 ? 1 : unavailable,
    timeoutMs: Math.min(timerMs(rollout.timeout) + start, MAX_TIMER_MS),
    drainMs: timerMs(rollout.drain),
    monitorMs: timerMs(rollout.monitor),
    ...(canary
      ? { canary: { ...canary, steps: canary.steps.map(({ weight, pause }) => ({ weight, pauseMs: timerMs(pause) })) } }
      : {}),
  };
}

/** `25%` of 4 → 1. */
function instances(amount: number | string, replicas: number, round: (value: number) => number): number {
  return typeof amount === 'number' ? amount : round((Number.parseInt(amount, 10) * replicas) / 100);
}

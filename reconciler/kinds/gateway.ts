import type { z } from 'zod';
import type { AuditSettings } from '../../schemas/audit.ts';
import { canonicalRole, type Access } from '../../schemas/access.ts';
import type { gateway as schema } from '../../schemas/kinds/gateway.ts';
import type { ProviderSpec } from '../../schemas/kinds/fields/provider.ts';
import { bytes, milliseconds, timerMs } from '../../schemas/kinds/fields.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Provider, Snapshot } from '../../schemas/snapshot.ts';
import { cacheSettings } from './fields/cache.ts';
import { withCodeMode } from './fields/code-mode.ts';
import { withDiscovery } from './fields/discovery.ts';
import { withLlm } from './fields/llm.ts';
import { withGate } from './fields/gate.ts';
import { cite, permissionsOf, ruleOf } from './fields/permissions.ts';
import { secretUse, upstreamAuth } from './fields/auth.ts';
import { reviewSettings } from './fields/review.ts';
import type { CompileContext, KindBehaviour } from './kind.ts';
import { holdRule } from '../holds.ts';
import { gatewayLimits } from '../limits.ts';

type Spec = z.output<typeof schema.spec>;

export function listener(spec: Spec): Snapshot['gateway'] {
  return {
    listen: spec.listen,
    ...(spec.publicUrl === undefined ? {} : { publicUrl: spec.publicUrl }),
    allowedHosts: spec.allowedHosts,
    allowedOrigins: spec.allowedOrigins,
    maxBodyBytes: bytes(spec.maxBodySize),
    sessionTtlMs: milliseconds(spec.sessionTtl),
    listTimeoutMs: timerMs(spec.listTimeout),
    shutdownTimeoutMs: timerMs(spec.shutdownTimeout),
    providers: spec.auth.jwt.map(provider),
    audit: auditSettings(spec.audit),
    logging: spec.logging,
    cache: cacheSettings(spec.cache),
    ...(spec.httpSse ? { httpSse: true } : {}),
    ...(spec.redact ? { redact: true } : {}),
  };
}

function provider({ clockSkew, keys, privateNetwork, stepUp, ...spec }: ProviderSpec): Provider {
  const { audiences, jwksUri, ...rest } = spec;
  return {
    ...rest,
    ...(audiences === undefined ? {} : { audiences }),
    ...(jwksUri === undefined ? {} : { jwksUri }),
    clockSkewMs: milliseconds(clockSkew),
    stepUp: stepUp.map((step) => ({ ...step, roles: step.roles.map(canonicalRole) })),
    publicOnly: !privateNetwork,
    keys: {
      refreshMs: milliseconds(keys.refresh),
      cooldownMs: milliseconds(keys.cooldown),
      keepMs: milliseconds(keys.keep),
    },
  };
}

/** What the log of events goes by. */
export function auditSettings({ commit, branch, fsyncInterval, onFailure, keep }: Spec['audit']): AuditSettings {
  return {
    schedule: commit.schedule,
    maxEvents: commit.maxEvents,
    maxBytes: bytes(commit.maxSize),
    fsyncMs: timerMs(fsyncInterval),
    onFailure,
    keepMs: milliseconds(keep),
    branch,
  };
}

function tracingOf(spec: Spec['tracing'], context: CompileContext): Pick<Snapshot['gateway'], 'tracing'> {
  if (!spec) return {};
  const { headers } = upstreamAuth({ headers: spec.headers ?? [] }, (ref) => secretUse(ref, context));
  return { tracing: { ...spec, headers } };
}

function denied(resource: Resource<Spec>): Access['floor'] {
  return resource.spec.floor.map((rule, index) => ruleOf(rule, cite(resource, 'floor', index)));
}

export const gateway: KindBehaviour<Spec> = {
  holds: (resource) => holdRule(resource, 'everything'),
  floor: (resource, draft) => void draft.access.floor.push(...denied(resource)),

  contribute(resource, draft, context) {
    const { spec } = resource;
    draft.gateway = { ...listener(spec), ...tracingOf(spec.tracing, context) };
    draft.access.floor.push(...denied(resource));
    draft.access.global = permissionsOf(resource, spec.permissions);
    if (spec.review) draft.review = reviewSettings(spec.review, context);
    const all = draft.routes['/mcp'];
    if (all)
      draft.routes['/mcp'] = {
        ...all,
        ...withDiscovery(spec),
        ...withCodeMode(spec.codeMode),
        ...withLlm(spec.llm),
        ...withGate(spec),
        ...(spec.pipeline === undefined ? {} : { pipeline: spec.pipeline }),
        ...(spec.plugin === undefined ? {} : { plugin: spec.plugin }),
      };
    draft.limits = { ...draft.limits, ...gatewayLimits(spec.limits) };
    draft.toolDrift.all = spec.toolDrift;
  },
};

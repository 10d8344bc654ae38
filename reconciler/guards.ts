/** What a plan must not do without being asked twice. Pure. Each guard names what it protects from, and how to allow it. */
import { ERRORS } from '../schemas/errors.ts';
import { isLoopback, parseListen } from '../schemas/listen.ts';
import type { Guard } from '../schemas/plan.ts';
import { addressOf } from '../schemas/resource.ts';
import { needsCredentials } from '../schemas/snapshot.ts';
import type { Compiled, Desired } from './compile.ts';
import type { Instance } from './drivers/driver.ts';
import { featuresOf, isAllowed } from './features.ts';

export interface There {
  readonly applied: Desired;
  readonly instances: readonly Instance[];
}

export function guardsOf(desired: Compiled, actual: There): Guard[] {
  return [...emptyLoad(desired, actual), ...unsafeListen(desired), ...unsafeFeatures(desired)];
}

/** An empty load is far more often a wrong path or a bad merge than a wish to delete everything. */
function emptyLoad(desired: Compiled, actual: There): Guard[] {
  const loss = actual.applied.resources.length + actual.instances.length;
  if (desired.resources.length > 0 || loss === 0) return [];
  return [
    {
      code: 'empty-load',
      message: `The commit holds no resources at all; applying it would delete ${loss}.`,
      allow: 'Keep at least one resource (a Gateway, for instance), or correct --path.',
    },
  ];
}

/** Beyond loopback without a single Token or identity provider, anybody on the network could call every tool. */
function unsafeListen({ draft }: Compiled): Guard[] {
  if (needsCredentials(draft) || isLoopback(parseListen(draft.gateway.listen).host)) return [];
  const message = `The gateway would listen on ${draft.gateway.listen}, beyond loopback, without any Token or identity provider.`;
  return [{ code: 'unsafe-listen', message, allow: ERRORS['unsafe-listen'].hint }];
}

/** A server that has rights on its host can leave its container: whoever can talk it into that owns the host. */
function unsafeFeatures({ workloads, resources, allowances }: Compiled): Guard[] {
  const sources = new Map(resources.map((resource) => [addressOf(resource), resource.source]));
  return workloads.flatMap((workload) =>
    featuresOf(workload)
      .filter(({ feature }) => !isAllowed(workload.name, feature, allowances))
      .map(({ feature, path, what }): Guard => {
        const { address, name } = workload;
        const source = sources.get(address);
        const where = source ? `${source.file}:${source.line} ` : '';
        return {
          code: 'unsafe-feature',
          message: `${where}${address} asks for ${what} (${path}).`,
          allow: `Remove it, or allow it in a Policy: allow: [{ servers: [${name}], features: [${feature}] }].`,
          address,
          path,
          ...(source ? { source: { file: source.file, line: source.line } } : {}),
        };
      }),
  );
}

import type { z } from 'zod';
import type { gateway as schema } from '../../schemas/kinds/gateway.ts';
import { bytes, milliseconds, timerMs } from '../../schemas/kinds/fields.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import type { KindBehaviour } from './kind.ts';

type Spec = z.output<typeof schema.spec>;

export function listener(spec: Spec): Snapshot['gateway'] {
  return {
    listen: spec.listen,
    ...(spec.publicUrl === undefined ? {} : { publicUrl: spec.publicUrl }),
    allowedHosts: spec.allowedHosts,
    allowedOrigins: spec.allowedOrigins,
    maxBodyBytes: bytes(spec.maxBodySize),
    sessionTtlMs: milliseconds(spec.sessionTtl),
    shutdownTimeoutMs: timerMs(spec.shutdownTimeout),
    ...(spec.httpSse ? { httpSse: true } : {}),
  };
}

export const gateway: KindBehaviour<Spec> = {
  contribute(resource, draft) {
    draft.gateway = listener(resource.spec);
  },
};

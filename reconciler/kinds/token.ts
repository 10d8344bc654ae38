import type { z } from 'zod';
import type { token as schema } from '../../schemas/kinds/token.ts';
import { canonicalRole, canonicalScope } from '../../schemas/access.ts';
import { cite } from './fields/permissions.ts';
import type { KindBehaviour } from './kind.ts';
import { addLimits } from '../limits.ts';

export const token: KindBehaviour<z.output<typeof schema.spec>> = {
  contribute(resource, draft) {
    const { metadata, spec } = resource;
    draft.principals.push({
      name: metadata.name,
      sha256: spec.sha256,
      ...(spec.previous ? { previous: { sha256: spec.previous.sha256, until: Date.parse(spec.previous.until) } } : {}),
      roles: (spec.roles ?? (spec.scopes ? [] : ['member'])).map(canonicalRole),
      scopes: [...new Set((spec.scopes ?? []).flatMap((scope) => canonicalScope(scope) ?? []))],
      ...(spec.projects === undefined ? {} : { projects: spec.projects }),
      ...(spec.expiresAt === undefined ? {} : { expiresAt: Date.parse(spec.expiresAt) }),
      at: cite(resource),
    });
    addLimits(draft, 'principals', `token:${metadata.name}`, spec.limits);
  },
};

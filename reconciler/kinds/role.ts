import type { z } from 'zod';
import { canonicalScope } from '../../schemas/access.ts';
import type { role as schema } from '../../schemas/kinds/role.ts';
import { cite, permissionsOf } from './fields/permissions.ts';
import type { KindBehaviour } from './kind.ts';

export const role: KindBehaviour<z.output<typeof schema.spec>> = {
  contribute(resource, draft) {
    const { metadata, spec } = resource;
    const permissions = permissionsOf(resource, spec.permissions);
    draft.access.roles[metadata.name] = {
      rules: spec.rules.map(({ names, ...rule }, index) => ({
        ...rule,
        ...(names ? { names } : {}),
        ...cite(resource, 'rules', index),
      })),
      operations: spec.operations,
      scopes: [...new Set(spec.scopes.flatMap((scope) => canonicalScope(scope) ?? []))],
      ...(permissions ? { permissions } : {}),
      ...cite(resource),
    };
  },
};

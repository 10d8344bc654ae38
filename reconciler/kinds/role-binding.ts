import type { z } from 'zod';
import { canonicalRole } from '../../schemas/access.ts';
import type { roleBinding as schema } from '../../schemas/kinds/role-binding.ts';
import { cite } from './fields/permissions.ts';
import type { KindBehaviour } from './kind.ts';

export const roleBinding: KindBehaviour<z.output<typeof schema.spec>> = {
  contribute(resource, draft) {
    const { subjects, role, projects, servers } = resource.spec;
    draft.access.bindings.push({
      name: resource.metadata.name,
      subjects,
      role: canonicalRole(role),
      ...(projects ? { projects } : {}),
      ...(servers ? { servers } : {}),
      ...cite(resource),
    });
  },
};

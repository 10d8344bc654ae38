import type { z } from 'zod';
import type { token as schema } from '../../schemas/kinds/token.ts';
import type { KindBehaviour } from './kind.ts';

export const token: KindBehaviour<z.output<typeof schema.spec>> = {
  contribute({ metadata, spec }, draft) {
    draft.principals.push({
      name: metadata.name,
      sha256: spec.sha256,
      ...(spec.projects === undefined ? {} : { projects: spec.projects }),
      ...(spec.expiresAt === undefined ? {} : { expiresAt: Date.parse(spec.expiresAt) }),
    });
  },
};

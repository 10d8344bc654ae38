import type { z } from 'zod';
import type { policy as schema } from '../../schemas/kinds/policy.ts';
import type { KindBehaviour } from './kind.ts';

export const policy: KindBehaviour<z.output<typeof schema.spec>> = {
  allows: ({ spec }) => spec.allow,
  guards: ({ spec }) => spec.guards,
};

import type { z } from 'zod';
import type { policy as schema } from '../../schemas/kinds/policy.ts';
import { atLeast } from '../pins/modes.ts';
import type { KindBehaviour } from './kind.ts';

export const policy: KindBehaviour<z.output<typeof schema.spec>> = {
  allows: ({ spec }) => spec.allow,
  guards: ({ spec }) => spec.guards,
  floor: ({ spec }, draft) => atLeast(draft.toolDrift, spec.toolDrift),
  contribute: ({ spec }, draft) => atLeast(draft.toolDrift, spec.toolDrift),
};

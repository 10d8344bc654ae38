import type { z } from 'zod';
import type { secret as schema } from '../../schemas/kinds/secret.ts';
import type { KindBehaviour } from './kind.ts';

/** A Secret becomes nothing by itself: servers that refer to it carry the reference in their workloads. */
export const secret: KindBehaviour<z.output<typeof schema.spec>> = {};

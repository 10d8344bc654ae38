import type { z } from 'zod';
import type { overlay as schema } from '../../schemas/kinds/overlay.ts';
import type { KindBehaviour } from './kind.ts';

/** All that it does is done before anything is compiled: `assemble/overlay.ts`. */
export const overlay: KindBehaviour<z.output<typeof schema.spec>> = {};

import type { z } from 'zod';
import type { template as schema } from '../../schemas/kinds/template.ts';
import type { KindBehaviour } from './kind.ts';

/** All that it does is done before anything is compiled: `assemble/template.ts`. */
export const template: KindBehaviour<z.output<typeof schema.spec>> = {};

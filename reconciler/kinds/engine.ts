import type { KindBehaviour } from './kind.ts';

/** An engine runs nothing by itself: servers that name it look it up. */
export const engine: KindBehaviour<unknown> = {};

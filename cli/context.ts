/** What routes take of a model's context. The gateway and its tokenizer take time to load: only where something is to be counted. */
import type { ContextOf } from '../schemas/context.ts';

export const contextOf: ContextOf = async (...args) => (await import('../gateway/index.ts')).contextOf(...args);

/** Which language models a route is served by, as the snapshot has it. */
import type { LlmSpec } from '../../../schemas/kinds/fields/llm.ts';
import { LLM_TIERS } from '../../../schemas/llm.ts';
import type { Route } from '../../../schemas/snapshot.ts';

export function withLlm(spec: LlmSpec): Pick<Route, 'llm'> {
  if (spec === undefined) return {};
  if (typeof spec === 'string') return { llm: { fast: spec, heavy: spec } };
  return {
    llm: Object.fromEntries(LLM_TIERS.flatMap((tier) => (spec[tier] === undefined ? [] : [[tier, spec[tier]]]))),
  };
}

/** Which language models a route is served by (Project, Gateway). */
import { z } from 'zod';
import { LLM_TIERS } from '../../llm.ts';
import { name } from '../fields.ts';
import type { Reference } from '../kind.ts';

const provider = name.describe('Name of the LlmProvider.');

export const llm = z
  .union([
    provider,
    z
      .strictObject({
        fast: provider.optional().describe('For titles and summaries.'),
        heavy: provider.optional().describe('For what needs thought.'),
      })
      .describe('One for each tier.'),
  ])
  .optional()
  .describe(
    'Which LlmProvider may see what passes here, or one for each tier. Others are then never asked. Default: any, by tier, then the default one.',
  );

export type LlmSpec = z.output<typeof llm>;

export function llmReferences(spec: LlmSpec): Reference[] {
  if (spec === undefined) return [];
  if (typeof spec === 'string') return [{ path: ['llm'], kind: 'LlmProvider', name: spec }];
  return LLM_TIERS.flatMap((tier) => {
    const target = spec[tier];
    return target === undefined ? [] : [{ path: ['llm', tier], kind: 'LlmProvider', name: target }];
  });
}

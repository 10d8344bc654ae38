/** Whether a session has to say what it is about before it sees tools (Project, Gateway). */
import { z } from 'zod';
import { duration, size } from '../fields.ts';

export const gate = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether there is one.'),
    budget: size
      .default('8Ki')
      .describe('How much text of Prompts one answer brings; those of priority 10 come besides.'),
    ttl: duration.default('1h').describe('How long after its last request a caller has passed the gate.'),
    selection: z
      .enum(['tags', 'model'])
      .default('tags')
      .describe(
        'Who says which Prompts fit: tags, those that name one of the tags; model, the heavy model of the route, or the tags where it has no answer.',
      ),
    proposals: z
      .boolean()
      .default(false)
      .describe('Whether sessions can propose Prompts: as proposals, if a role lets them.'),
  })
  .optional()
  .describe(
    'Show a session one tool only, begin_session, until it has said what it is about; then it gets the Prompts that fit, and the tools. This guides; what may be called is the same.',
  );

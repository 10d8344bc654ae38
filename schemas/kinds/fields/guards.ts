/** How much may go at once, and which guards a commit may pass by saying so in its message. */
import { z } from 'zod';

/** Guards that one commit may pass with a trailer `Slipway-Allow: mass-delete`. */
export const PASSABLE = ['empty-load', 'partial-load', 'mass-delete', 'protected', 'rewind'] as const;
export type Passable = (typeof PASSABLE)[number];

/** Where no Policy says otherwise. */
export const MASS_DELETE = { count: 5, percent: 30 } as const;

export const guards = z
  .strictObject({
    massDelete: z
      .strictObject({
        count: z
          .int()
          .min(0)
          .max(100_000)
          .default(MASS_DELETE.count)
          .describe('So many resources may go at once, whatever share they are.'),
        percent: z
          .number()
          .min(0)
          .max(100)
          .default(MASS_DELETE.percent)
          .describe('So much of what is applied may go at once, however many that are.'),
      })
      .optional()
      .describe('A commit that deletes more than both is blocked. Of several Policies the lower numbers count.'),
    final: z.array(z.enum(PASSABLE)).default([]).describe('Guards that no Slipway-Allow in a commit’s message passes.'),
  })
  .prefault({});

export type GuardsSpec = z.output<typeof guards>;

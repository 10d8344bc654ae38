/** When what runs may be changed, and whether at all. */
import { z } from 'zod';
import type { Resource } from '../../resource.ts';
import { duration } from '../fields.ts';
import type { Problem } from '../kind.ts';
import { cron, timeZone, unknownTimeZones } from './cron.ts';

export const suspend = z
  .boolean()
  .default(false)
  .describe(
    'Leave alone what runs: no rollout, no removal, no healing. Rights and limits are in force at once all the same.',
  );

const window = z.strictObject({
  schedule: cron.describe('When it opens.'),
  duration: duration.describe('How long it is open.'),
});

export const maintenance = z
  .strictObject({
    timeZone: timeZone.optional().describe('Whose clock the schedules are about. Default: UTC.'),
    allow: z
      .array(window)
      .max(64)
      .default([])
      .describe('Changes are made in these windows only; always, where there are none.'),
    deny: z.array(window).max(64).default([]).describe('No changes are made in these, whatever is allowed.'),
  })
  .optional()
  .describe(
    'When instances may be started, replaced and removed because of a commit. Changes wait for it. Rights never wait.',
  );

export type MaintenanceSpec = z.output<typeof maintenance>;

/** What a pattern cannot say. */
export const maintenanceProblems = (
  resources: readonly Resource<{ readonly maintenance?: MaintenanceSpec }>[],
): Problem[] => unknownTimeZones(resources, ['maintenance', 'timeZone'], (spec) => spec.maintenance?.timeZone);

/** Whether clients share a server's instances. */
import { z } from 'zod';

export const sessions = z
  .enum(['shared', 'isolated'])
  .default('shared')
  .describe('isolated gives each client an instance, or over HTTP a session, of its own; it ends when idle.');

export const maxInstances = z
  .int()
  .min(1)
  .max(1000)
  .default(10)
  .describe(
    'With sessions isolated: how many clients may have one at a time; for each caller where all come with credentials of their own.',
  );

export const warm = z
  .int()
  .min(0)
  .max(100)
  .default(0)
  .describe('With sessions isolated: how many wait, started, for the next clients. They count towards maxInstances.');

/** How the audit log is kept (Gateway), and how much of calls is in it (Server). */
import { z } from 'zod';
import { AUDIT_LEVELS } from '../../audit.ts';
import { duration, size } from '../fields.ts';
import { cron } from './cron.ts';

export const auditLog = z
  .strictObject({
    commit: z
      .strictObject({
        schedule: cron.default('*/5 * * * *').describe('When what was gathered is committed. Cron, in UTC.'),
        maxEvents: z.int().min(1).max(1_000_000).default(25_000).describe('Committed at once when it is this much.'),
        maxSize: size.default('16Mi').describe('The same in bytes.'),
      })
      .prefault({})
      .describe('When events become a commit.'),
    branch: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9_-]*(\/[A-Za-z0-9_][A-Za-z0-9_-]*)*$/, 'must be the name of a branch')
      .max(200)
      .default('slipway/audit')
      .describe('Branch of the config repo that audit commits go to.'),
    fsyncInterval: duration.default('1s').describe('What a power failure may cost.'),
    onFailure: z
      .enum(['continue', 'stop'])
      .default('continue')
      .describe('When the log cannot be written: continue serves and counts what is left out, stop answers 503.'),
    keep: duration.default('30d').describe('How long files stay on this host after they were committed.'),
  })
  .prefault({})
  .describe('The audit log.');

export const auditLevel = z
  .enum(AUDIT_LEVELS)
  .default('full')
  .describe(
    'What the audit log keeps of its calls: full; hash, names of tools and resources only as hashes; off, nothing but refusals.',
  );

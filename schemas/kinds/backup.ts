import { z } from 'zod';
import { cron, timeZone, unknownTimeZones } from './fields/cron.ts';
import { name } from './fields.ts';
import { defineKind } from './kind.ts';

/** What git pushes to: https, ssh, `git@host:path`, a path. No credentials: they belong into git's own settings. */
const REMOTE =
  /^((https?|ssh):\/\/([A-Za-z0-9._-]+@)?[^\s@/][^\s@]*|file:\/\/\/\S+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s]+)$/;

const spec = z.strictObject({
  schedule: cron.default('0 3 * * *').describe('When: minute, hour, day, month and weekday.'),
  timeZone: timeZone.default('UTC').describe('Whose clock, as the IANA names it.'),
  keep: z.int().min(1).max(10_000).default(30).describe('How many backups stay; older ones are taken off the branch.'),
  workspaces: z
    .array(name)
    .max(64)
    .default([])
    .describe('Workspaces whose files are backed up, too: text of up to 1 MiB each and 32 MiB together.'),
  repo: z
    .string()
    .regex(REMOTE, 'must be a git URL without a password: https://…, ssh://…, git@host:path or file:///…')
    .max(2048)
    .optional()
    .describe('Another repo to keep them in, where they outlive this one. Default: the config repo.'),
  branch: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,62}){0,4}$/, 'must be the name of a branch')
    .default('slipway/backup')
    .describe('Branch of backups, and of nothing else.'),
});

export type BackupSpec = z.output<typeof spec>;

export const backup = defineKind({
  kind: 'Backup',
  plural: 'backups',
  short: ['bak'],
  description: 'When the config is backed up as a commit, and how many backups stay. One per config.',
  singleton: true,
  spec,
  references: ({ workspaces }) =>
    workspaces.map((workspace, index) => ({ path: ['workspaces', index], kind: 'Workspace', name: workspace })),
  together: (backups) => unknownTimeZones(backups, ['timeZone'], (own) => own.timeZone),
  example: `apiVersion: slipway/v1
kind: Backup
metadata: { name: nightly }
spec:
  schedule: 0 3 * * *
  keep: 30
`,
});

import { z } from 'zod';
import { duration, name, size } from './fields.ts';
import { cron, timeZone, unknownTimeZones } from './fields/cron.ts';
import { defineKind } from './kind.ts';

/** Option injection and `ext::` commands: only these ways lead to a repository. */
const url = z
  .string()
  .regex(
    /^(https?:\/\/[^\s/?#@:]+(:[0-9]+)?\/\S+|ssh:\/\/([A-Za-z0-9._-]+@)?[^\s/?#@]+\/\S+|file:\/\/\/\S+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s:]\S*)$/,
    'must be the URL of a git repository (https, ssh, file, or user@host:path) without a password',
  )
  .max(2048);

const pattern = z.string().min(1).max(512);

const git = z.strictObject({
  url: url.describe('Where the repository is.'),
  ref: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}$/, 'must be a branch, a tag, a whole ref or a full commit id')
    .optional()
    .describe('Branch, tag, whole ref or full commit id. Default: the HEAD of the repository.'),
  credentials: name
    .optional()
    .describe(
      'Secret with username and password (or a token in its place), for https. For ssh, Slipway’s own keys count.',
    ),
});

export const workspace = defineKind({
  kind: 'Workspace',
  plural: 'workspaces',
  short: ['ws'],
  description: 'A repository or folder whose files are kept ready here, as they are at a ref.',
  spec: z
    .strictObject({
      description: z.string().max(4096).optional().describe('What is in it.'),
      git: git.optional().describe('A git repository. It is checked out anew whenever its ref moves.'),
      path: z
        .string()
        .regex(/^\/[^\0]*$/, 'must be an absolute path')
        .max(4096)
        .optional()
        .describe('A folder of this host, used where it is.'),
      sync: z
        .strictObject({
          schedule: cron.default('*/15 * * * *').describe('When to look for something new.'),
          timeZone: timeZone.optional().describe('Whose clock the schedule is about. Default: UTC.'),
          onWebhook: z
            .boolean()
            .default(true)
            .describe('Look also when the forge tells of a push: its webhook is that of the Gateway’s `review`.'),
          timeout: duration.default('10m').describe('How long it may take.'),
        })
        .prefault({})
        .describe('How it is kept up to date.'),
      include: z.array(pattern).max(256).default([]).describe('Files by path; * stands for anything. Default: all.'),
      exclude: z.array(pattern).max(256).default([]).describe('Files that are left out although they are included.'),
      maxSize: size.default('1Gi').describe('How large all files together may be; with more, the tree before stays.'),
      maxFileSize: size.default('16Mi').describe('Larger files are left out.'),
    })
    .check((check) => {
      const refuse = (path: string[], message: string): void => {
        check.issues.push({ code: 'custom', input: check.value, path, message, params: { conflict: true } });
      };
      const { git: repository, path } = check.value;
      if ((repository === undefined) === (path === undefined)) refuse([], 'must have either git or path');
      // Credential theft: on plain http, whoever sits on the way reads them.
      const isOpen =
        repository?.url.startsWith('http:') && !/^http:\/\/(127\.0\.0\.1|localhost)[:/]/.test(repository.url);
      if (repository?.credentials !== undefined && (isOpen || !repository.url.startsWith('http')))
        refuse(['git', 'credentials'], 'needs an https url');
    })
    .meta({
      oneOf: [{ required: ['git'] }, { required: ['path'] }],
      not: {
        properties: {
          git: {
            properties: { url: { not: { pattern: '^(https://|http://(127\\.0\\.0\\.1|localhost)[:/])' } } },
            required: ['url', 'credentials'],
          },
        },
        required: ['git'],
      },
    }),
  references: ({ git: repository }) =>
    repository?.credentials === undefined
      ? []
      : [
          {
            path: ['git', 'credentials'],
            kind: 'Secret',
            name: repository.credentials,
            keys: ['username', 'password'],
          },
        ],
  together: (workspaces) => unknownTimeZones(workspaces, ['sync', 'timeZone'], ({ sync }) => sync.timeZone),
  example: `apiVersion: slipway/v1
kind: Workspace
metadata: { name: handbook }
spec:
  git: { url: https://git.example.com/team/handbook.git, ref: main }
  include: ["docs/*", "*.md"]
`,
});

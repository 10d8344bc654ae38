/** Who tells of pushes and pull requests, and where their plans are told (Gateway). */
import { z } from 'zod';
import { duration, httpUrl, secretRef, size } from '../fields.ts';
import type { Reference } from '../kind.ts';

export const FORGES = ['github', 'gitlab', 'gitea', 'generic'] as const;
export type ForgeName = (typeof FORGES)[number];

const webhook = z.strictObject({
  secret: secretRef.describe('What the forge signs its deliveries with, or sends with them.'),
  path: secretRef
    .optional()
    .describe('Deliveries come to /hooks/git/<this> only: who does not know it finds nothing there.'),
  maxBodySize: size.default('2Mi').describe('Largest delivery.'),
  window: duration.default('5m').describe('How old a delivery may be whose signature says when it was made.'),
});

/** A forge of no name can say that something was pushed, and no more. */
const ONLY_TOLD = { not: { properties: { forge: { const: 'generic' } }, required: ['forge', 'token'] } };

export const review = z
  .strictObject({
    forge: z
      .enum(FORGES)
      .describe(
        'Where the config repo is kept. gitea is Forgejo, too; generic is any program that signs as Standard Webhooks has it.',
      ),
    url: httpUrl.optional().describe('Where the forge is. Default: github.com, gitlab.com or gitea.com.'),
    repository: z
      .string()
      .regex(/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)+$/, 'must be owner/name, as the forge writes it')
      .max(255)
      .optional()
      .describe('The config repo, as the forge calls it. Default: what its URL ends with.'),
    token: secretRef
      .optional()
      .describe('Lets Slipway write comments and commit statuses, and open pull requests. Absent: it only listens.'),
    webhook: webhook
      .optional()
      .describe('Take deliveries at /hooks/git. Absent: the repo is only looked at now and then.'),
  })
  .check((check) => {
    if (check.value.forge === 'generic' && check.value.token)
      check.issues.push({
        code: 'custom',
        input: check.value,
        path: ['token'],
        message: 'means nothing for forge: generic, which has no comments',
        params: { conflict: true },
      });
  })
  .meta(ONLY_TOLD)
  .optional()
  .describe('Pushes are heard of at once, and pull requests get a plan. Absent: neither.');

export type ReviewSpec = z.output<typeof review>;

export function reviewReferences(spec: ReviewSpec): Reference[] {
  const refs = [
    { path: ['token'], ref: spec?.token },
    { path: ['webhook', 'secret'], ref: spec?.webhook?.secret },
    { path: ['webhook', 'path'], ref: spec?.webhook?.path },
  ];
  return refs.flatMap(({ path, ref }): Reference[] =>
    ref
      ? [
          {
            path: ['review', ...path, 'secretRef'],
            kind: 'Secret',
            name: ref.secretRef.name,
            keys: [ref.secretRef.key],
          },
        ]
      : [],
  );
}

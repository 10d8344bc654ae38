import { z } from 'zod';
import { canonicalEmail } from '../email.ts';
import { name } from './fields.ts';
import { callerLimits } from './fields/limits.ts';
import { providerProblems } from './fields/provider.ts';
import { defineKind } from './kind.ts';

const matchers = ['email', 'subject'] as const;

export const user = defineKind({
  kind: 'User',
  plural: 'users',
  short: ['usr'],
  description:
    'A person or program that an identity provider knows (Gateway spec.auth.jwt). No password or key stands here.',
  spec: z
    .strictObject({
      description: z.string().max(4096).optional().describe('Who it is.'),
      email: z
        .string()
        .regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')
        .max(254)
        .optional()
        .describe('Its e-mail address at the provider, verified there. Upper and lower case are the same.'),
      subject: z
        .string()
        .min(1)
        .max(255)
        .optional()
        .describe('What the provider’s userClaim says, exactly. With email, both must fit.'),
      provider: name
        .optional()
        .describe('Name of the provider in Gateway spec.auth.jwt. Needed where there is more than one.'),
      limits: callerLimits
        .optional()
        .describe('What it may do, in place of what the Gateway’s limits.perPrincipal says, field by field.'),
    })
    .check((check) => {
      if (matchers.some((matcher) => check.value[matcher] !== undefined)) return;
      const message = `must have ${matchers.join(' or ')}`;
      check.issues.push({ code: 'custom', input: check.value, path: [], message, params: { conflict: true } });
    })
    .meta({ anyOf: matchers.map((matcher) => ({ required: [matcher] })) }),
  references: () => [],
  /** Two Users that one person fits would be two names for the same rights, and revoking one of them would leave the other. */
  together(users, all) {
    const seen = new Map<string, string>();
    const twins = users.flatMap((resource) => {
      const { email, subject, provider } = resource.spec;
      const key = JSON.stringify([email === undefined ? undefined : canonicalEmail(email), subject, provider]);
      const first = seen.get(key);
      seen.set(key, first ?? resource.metadata.name);
      if (first === undefined) return [];
      const message = `User ${first} is matched by the same already.`;
      return [{ resource, path: [], code: 'conflicting-fields' as const, message, hint: 'Keep one of the two.' }];
    });
    return [...twins, ...providerProblems(users, all)];
  },
  example: `apiVersion: slipway/v1
kind: User
metadata: { name: ada }
spec:
  email: ada@example.com
`,
});

/** Values that lie encrypted in the config repo, and what can be seen of them without a key. Pure. */
import { z } from 'zod';

/** What an age file begins with, in Base64 (https://age-encryption.org/v1). */
const AGE_HEAD = 'YWdlLWVuY3J5cHRpb24ub3JnL3Yx';

/** Type of the stanza in the header of a value's age file that says which value it is; its arguments are name and key. */
export const BINDING = 'slipway/Secret';

export const ageRecipient = z
  .string()
  .regex(/^age1[02-9ac-hj-np-z]{50,4000}$/, 'must be an age recipient, age1…: `slipway secret keygen` shows one')
  .meta({ examples: [`age1${'q'.repeat(58)}`] });

export const recipients = z.array(ageRecipient).min(1).max(64);

export const sealedValue = z.strictObject({
  age: z
    .string()
    .regex(
      new RegExp(`^${AGE_HEAD}[A-Za-z0-9+/]+={0,2}$`),
      'must be an age file in Base64 on one line: `slipway secret encrypt` makes one',
    )
    .max(524_288)
    .meta({ examples: [`${AGE_HEAD}Ci0+IFgyNTUxOQ==`] })
    .describe('The value, encrypted with age for the recipients, in Base64.'),
  fingerprint: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 digits of a–f and 0–9: `slipway secret encrypt` makes them')
    .describe(
      'Changes when the value does, and tells nothing of it: HMAC-SHA-256 with a key that lies in the age file.',
    ),
});

export type SealedValue = z.output<typeof sealedValue>;

/**
 * Which value an age file says that it is. Whoever opens it is sure of that, because the file's MAC covers its header;
 * before, it is good for telling who pasted it somewhere else by mistake.
 * @returns undefined where it does not say
 */
export function boundTo(age: string): { readonly name: string; readonly key: string } | undefined {
  for (const line of Buffer.from(age, 'base64').toString('latin1').split('\n')) {
    if (line.startsWith('---')) return undefined;
    const [arrow, type, name, key] = line.split(' ');
    if (arrow === '->' && type === BINDING && name !== undefined && key !== undefined) return { name, key };
  }
  return undefined;
}

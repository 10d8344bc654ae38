import { z } from 'zod';
import { whoNames } from './fields/budget.ts';
import { timeZone, unknownTimeZones } from './fields/cron.ts';
import { name } from './fields.ts';
import { defineKind } from './kind.ts';

const amount = z.int().min(1).max(1_000_000_000_000);
const units = z.number().min(0).max(1_000_000_000);
const glob = z.string().min(1).max(128).default('*');

const price = z.strictObject({
  server: glob.describe('Servers by name; * stands for anything, ? for one character.'),
  tool: glob.describe('Tools by the server’s own names.'),
  perCall: units.default(0).describe('Units for each call.'),
  per1kTokens: units.default(0).describe('Units for each thousand tokens of results.'),
});

const LIMITS = ['calls', 'resultTokens', 'cost'] as const;

export const budget = defineKind({
  kind: 'Budget',
  plural: 'budgets',
  short: ['bud'],
  description: 'How much principals or projects may use of the servers in an hour, a day, a week or a month.',
  spec: z
    .strictObject({
      description: z.string().max(4096).optional().describe('What it is for.'),
      subjects: z
        .array(
          z.strictObject({
            kind: z.enum(['Token', 'User', 'Group', 'Project']).describe('What the subject is.'),
            name: name.describe('Its name.'),
          }),
        )
        .max(1024)
        .default([])
        .describe(
          'Whose calls it counts: of these principals, through these projects, and through each Project or Gateway that names it in its own `budget`. With no subject and nobody who names it: all calls.',
        ),
      per: z
        .enum(['all', 'principal', 'project'])
        .default('all')
        .describe('Whether they share it, or each principal, or each project, has it for itself.'),
      window: z
        .string()
        .regex(
          /^(hour|day|week|month|[0-9]{0,8}[1-9][0-9]{0,8}(s|m|h|d))$/,
          'must be hour, day, week, month or a duration such as 30m',
        )
        .describe(
          'hour, day, week (from Monday) and month begin anew by the calendar; a duration looks back that long from now.',
        ),
      timeZone: timeZone.default('UTC').describe('Whose calendar, as the IANA names it.'),
      calls: amount.optional().describe('Calls of tools, and requests for prompts and resources.'),
      resultTokens: amount.optional().describe('Tokens of their results, as a model counts them (o200k_base).'),
      cost: z
        .strictObject({
          units: z.number().min(0.001).max(1_000_000_000_000).describe('How many units may be used.'),
          prices: z.array(price).min(1).max(256).describe('What calls cost. The last that matches counts.'),
        })
        .optional()
        .describe('Units of your own, by the price of each call.'),
      warnAt: z
        .number()
        .min(0.01)
        .max(1)
        .default(0.8)
        .describe('The share at which it is logged, and told once in a result.'),
      mode: z
        .enum(['enforce', 'warn'])
        .default('enforce')
        .describe('enforce refuses what is over it; warn only tells.'),
    })
    .check((check) => {
      if (LIMITS.some((field) => check.value[field] !== undefined)) return;
      const message = `must have ${LIMITS.join(', ')} or several of them`;
      check.issues.push({ code: 'custom', input: check.value, path: [], message });
    })
    .meta({ anyOf: LIMITS.map((field) => ({ required: [field] })) }),
  references: ({ subjects }) =>
    subjects.map((subject, index) => ({ path: ['subjects', index, 'name'], kind: subject.kind, name: subject.name })),
  selects: (_, all, own) => whoNames(own, all),
  notes: ({ subjects }, selected) => [`It counts ${counted(subjects, selected).join(', ')}.`],
  together: (budgets) => unknownTimeZones(budgets, ['timeZone'], (own) => own.timeZone),
  example: `apiVersion: slipway/v1
kind: Budget
metadata: { name: agents }
spec:
  per: principal
  window: day
  timeZone: Europe/Vienna
  calls: 5000
  resultTokens: 2000000
`,
});

/** @param selected addresses of what names it */
function counted(
  subjects: readonly { readonly kind: string; readonly name: string }[],
  selected: readonly string[],
): string[] {
  const addresses = subjects.map(({ kind, name: own }) => `${kind}/${own}`);
  const isRoute = (address: string): boolean => address.startsWith('Project/');
  const routes = new Set([...addresses.filter(isRoute), ...selected]);
  const all = [
    ...addresses.filter((address) => !isRoute(address)).map((address) => `calls of ${address}`),
    ...[...routes].map((address) => `calls through ${address}`),
  ];
  return all.length > 0 ? all : ['all calls'];
}

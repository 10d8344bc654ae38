/** Budgets as the gateway needs them, what it tells of them, and where it keeps what was used. */
import { z } from 'zod';

export const PERIODS = ['hour', 'day', 'week', 'month'] as const;
export type Period = (typeof PERIODS)[number];

const window = z.union([
  z.strictObject({ period: z.enum(PERIODS), timeZone: z.string() }),
  z.strictObject({ slidingMs: z.number().positive() }),
]);

export const budgetSchema = z.strictObject({
  name: z.string(),
  /** Keys of principals, names of groups, paths of routes; with none of them, all calls count. */
  principals: z.array(z.string()),
  groups: z.array(z.string()),
  routes: z.array(z.string()),
  per: z.enum(['all', 'principal', 'project']),
  window,
  calls: z.number().optional(),
  tokens: z.number().optional(),
  cost: z.number().optional(),
  /** The last whose patterns match counts. */
  prices: z.array(
    z.strictObject({ server: z.string(), tool: z.string(), perCall: z.number(), per1kTokens: z.number() }),
  ),
  warnAt: z.number(),
  enforce: z.boolean(),
});

export type BudgetEntry = z.output<typeof budgetSchema>;
export type BudgetWindow = z.output<typeof window>;

/** What is counted. */
export const AMOUNTS = ['calls', 'tokens', 'cost'] as const;
export type Amounts = Record<(typeof AMOUNTS)[number], number>;

/** A window that moves is counted in so many parts, and moves on by one of them. */
export const WINDOW_PARTS = 60;

export const accountSchema = z.strictObject({
  /** What the window was, as text: another one begins at zero. */
  window: z.string(),
  /** What is forgotten together, and until when it is added to (unix time, ms). */
  parts: z
    .array(
      z.strictObject({ end: z.number(), calls: z.number().min(0), tokens: z.number().min(0), cost: z.number().min(0) }),
    )
    .max(WINDOW_PARTS + 1),
  /** Whether its users were told that it comes to its end. */
  warned: z.boolean(),
});

/** What is kept of them: accounts ({@link accountSchema}) by the name of the budget, and of whoever has it for itself. */
export const savedBudgetsSchema = z.strictObject({
  formatVersion: z.literal(1),
  accounts: z.record(z.string(), z.unknown()),
});
export type SavedAccount = z.output<typeof accountSchema>;

/** How it stands with a budget, or with one of those who each have it for themselves. */
export interface BudgetStatus {
  readonly budget: string;
  /** The principal or project that it is about; absent where all share it. */
  readonly subject?: string;
  readonly used: Amounts;
  readonly limits: Partial<Amounts>;
  /** The largest share of a limit that is used: 1 is all of it. */
  readonly share: number;
  readonly state: 'ok' | 'warning' | 'exhausted';
  readonly mode: 'enforce' | 'warn';
  /** Unix time (ms): when it begins anew, or when some of what was used is forgotten. */
  readonly resetAt: number;
}

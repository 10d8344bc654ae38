/** A budget as a snapshot has it. */
import type { BudgetEntry } from '../../../schemas/budgets.ts';

export function budget(more: Partial<BudgetEntry>): BudgetEntry {
  return {
    name: 'agents',
    principals: [],
    groups: [],
    routes: [],
    per: 'all',
    window: { period: 'month', timeZone: 'UTC' },
    prices: [],
    warnAt: 0.8,
    enforce: true,
    ...more,
  };
}

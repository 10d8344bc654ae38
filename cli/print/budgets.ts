/** Budgets, and what is used of them. */
import { AMOUNTS, type BudgetStatus } from '../../schemas/budgets.ts';
import type { Table } from './table.ts';

const HEAD = ['name', 'of', 'calls', 'tokens', 'cost', 'used', 'state', 'resets'];

/** A row for each budget, or for each of those who have it for themselves and used any of it. */
export function budgetTable(statuses: readonly BudgetStatus[]): Table {
  return { head: HEAD, rows: statuses.map(budgetRow) };
}

function budgetRow(status: BudgetStatus): string[] {
  const { budget, subject = 'all', share, state, mode, resetAt } = status;
  const amounts = AMOUNTS.map((name) => amountOf(status, name));
  const verdict = mode === 'warn' ? `${state} (warn only)` : state;
  return [budget, subject, ...amounts, `${Math.round(share * 100)} %`, verdict, new Date(resetAt).toISOString()];
}

/** `12/100`; what is not limited is `-`. */
function amountOf({ used, limits }: BudgetStatus, name: (typeof AMOUNTS)[number]): string {
  const limit = limits[name];
  return limit === undefined ? '-' : `${Number(used[name].toFixed(3))}/${limit}`;
}

/** What was used of budgets, in the state directory. */
import { open, rename } from 'node:fs/promises';
import type { BudgetStore } from '../schemas/budgets.ts';
import { readJson, unwritable } from './state.ts';

/** Not in one go with the event loop, as the rest of the state is: calls run while this is written, again and again. */
export function budgetFile(path: string): BudgetStore {
  return {
    read: () => readJson(path),
    async write(json) {
      const temporary = `${path}.${process.pid}.tmp`;
      try {
        const file = await open(temporary, 'w', 0o600);
        try {
          await file.writeFile(json);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (error) {
        throw unwritable(path, error);
      }
    },
  };
}

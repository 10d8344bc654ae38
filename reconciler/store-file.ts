/** What a gateway keeps in the state directory: what was used of budgets, what sessions want. */
import { existsSync, renameSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import type { Store } from '../schemas/store.ts';
import { readJson, unwritable } from './state.ts';

/** Not in one go with the event loop, as the rest of the state is: calls run while this is written, again and again. */
export function storeFile(path: string): Store {
  return {
    read() {
      const known = readJson(path);
      if (known !== undefined || !existsSync(path)) return known;
      // For a person to look into: the next one is written in its place within a second.
      renameSync(path, `${path}.unreadable`);
      return null;
    },
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

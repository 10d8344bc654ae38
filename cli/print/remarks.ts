/** What of another program's config is not the same here. */
import type { Remark } from '../import/draft.ts';
import type { Io } from '../io.ts';

export function printRemarks(remarks: readonly Remark[], io: Io): void {
  for (const { about, text, lost } of remarks)
    io.err(`${lost ? io.paint('yellow', 'left out') : 'note    '}  ${about}: ${text}`);
}

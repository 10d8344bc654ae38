/** A list that goes on: first all of it, then each row that became another one. */
import type { Io } from '../io.ts';
import { rowText, widest } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import type { Target } from '../target.ts';
import type { Format, Listing } from './listing.ts';

/** Something that is shown. */
interface Entry {
  /** What tells it from others. */
  readonly key: string;
  /** What tells it from what it was before: all of it but what changes while nothing happens. */
  readonly mark: string;
  readonly cells: readonly string[];
}

/** Columns that say which row it is. */
const IDENTITY: ReadonlySet<string> = new Set(['kind', 'name', 'id', 'of', 'server', 'project']);
const FLEETING: ReadonlySet<string> = new Set(['age', 'last used']);

/** Ends with the signal, or when the Slipway that is asked does. @param look what is there now */
export async function watch(look: () => Promise<Listing>, format: Format, target: Target, io: Io): Promise<void> {
  let known: ReadonlyMap<string, Entry> | undefined;
  let widths: readonly number[] = [];
  for await (const _ of target.lines('/changes')) {
    const { head, entries } = await entriesOf(await look(), format);
    widths = widest(widths, [head, ...entries.map(({ cells }) => cells)]);
    if (!known && head.length > 0) io.out(rowText(head, widths));
    for (const { key, mark, cells } of entries)
      if (known?.get(key)?.mark !== mark) io.out(head.length > 0 ? rowText(cells, widths) : cells.join(''));
    const now = new Map(entries.map((entry) => [entry.key, entry]));
    for (const key of known?.keys() ?? []) if (!now.has(key)) io.err(`(${key} is gone)`);
    known = now;
  }
}

async function entriesOf(listing: Listing, format: Format): Promise<{ head: readonly string[]; entries: Entry[] }> {
  if (format !== 'table' && format !== 'wide') {
    const entries = listing.names.map((key, at) => {
      const text = format === 'name' ? key : formatValue(listing.documents[at], format);
      return { key, mark: text, cells: [format === 'yaml' ? `---\n${text}` : text] };
    });
    return { head: [], entries };
  }
  const { head, rows } = await listing.table();
  const entries = rows.map((cells) => {
    const of = (isWanted: (column: string) => boolean): string =>
      cells.filter((_, at) => isWanted(head[at] ?? '')).join(' ');
    return { key: of((name) => IDENTITY.has(name)), mark: of((name) => !FLEETING.has(name)), cells };
  });
  return { head: head.map((name) => name.toUpperCase()), entries };
}

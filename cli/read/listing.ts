/** What `get` shows: rows for people, documents and names for programs. */
import type { Io } from '../io.ts';
import { table, type Table } from '../print/table.ts';
import { documentsText, formatValue } from '../print/value.ts';

export interface Listing {
  /** `server/github`: what other commands take. */
  readonly names: readonly string[];
  readonly documents: readonly unknown[];
  /** One thing was asked for: as JSON it is no list. */
  readonly isOne?: boolean;
  /** Made only where it is shown: how things do has to be asked for. */
  table(): Promise<Table>;
}

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export async function print({ names, documents, isOne, ...listing }: Listing, format: Format, io: Io): Promise<void> {
  if (format === 'json') io.out(formatValue(isOne ? documents[0] : documents, 'json'));
  else if (format === 'yaml') io.out(documents.length === 0 ? '' : documentsText(documents));
  else if (format === 'name') for (const name of names) io.out(name);
  else {
    const { head, rows } = await listing.table();
    if (rows.length === 0) io.err('There is none.');
    else io.out(table(head, rows));
  }
}

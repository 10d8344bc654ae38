import { plain } from './plain.ts';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Tables as kubectl prints them: upper-case heads, three spaces between, no lines. */
export function table(head: readonly string[], rows: Table['rows']): string {
  const all = [head.map((cell) => cell.toUpperCase()), ...rows];
  const widths = widest([], all);
  return all.map((row) => rowText(row, widths)).join('\n');
}

/** How wide columns are, with more rows. */
export function widest(before: readonly number[], rows: Table['rows']): number[] {
  const columns = Math.max(before.length, ...rows.map((row) => row.length));
  return Array.from({ length: columns }, (_, column) =>
    Math.max(before[column] ?? 0, ...rows.map((row) => plain(row[column] ?? '').length)),
  );
}

export function rowText(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => plain(cell).padEnd(widths[column] ?? 0))
    .join('   ')
    .trimEnd();
}

/** `3d`, `4h`, `12m`, `5s`: how long ago, as short as it can be said. */
export function age(iso: string | undefined, now: number = Date.now()): string {
  if (iso === undefined) return '-';
  const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

export const indent = (block: string): string =>
  block
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');

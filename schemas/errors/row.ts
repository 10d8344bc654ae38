/** What there is to say of an error code. */

/** What happens next: `fix` needs a person, `retry` may heal by itself. */
export type Next = 'fix' | 'retry';

export interface ErrorRow {
  readonly meaning: string;
  readonly hint: string;
  readonly exit: 1 | 3 | 64;
  readonly http: number;
  readonly next: Next;
}

/** With what most rows have in common. */
export const row = (meaning: string, hint: string, more: Partial<ErrorRow> = {}): ErrorRow => ({
  meaning,
  hint,
  exit: 1,
  http: 400,
  next: 'fix',
  ...more,
});

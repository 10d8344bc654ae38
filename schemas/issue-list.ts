/** Gathers the issues of one file, each with its place. */
import type { Document, LineCounter, Range } from 'yaml';
import { ERRORS, type ErrorCode } from './errors.ts';
import type { Position } from './position.ts';
import { formatPath, type Issue } from './resource.ts';
import { suggest } from './suggest.ts';

/** What issues are about, and where they go. */
export interface IssueContext {
  readonly file: string;
  readonly issues: Issue[];
  /** What `slipway schema` shows it by, once that is known. */
  readonly schema?: string;
  /** Where a field stands, or would. */
  readonly place: (path: readonly PropertyKey[], on: 'key' | 'value') => Position;
}

/** One document of the file. */
export interface Context extends IssueContext {
  readonly lines: LineCounter;
  readonly document: Document.Parsed;
  readonly refused: string[];
}

export interface NewIssue {
  code: ErrorCode;
  path?: readonly PropertyKey[];
  message?: string;
  hint?: string;
  on?: 'key' | 'value';
  at?: { line: number; column: number };
}

export function add(context: IssueContext, issue: NewIssue): void {
  const path = issue.path ?? [];
  const position = issue.at ?? context.place(path, issue.on ?? 'value');
  const { meaning, hint } = ERRORS[issue.code];
  const told = issue.hint ?? hint;
  context.issues.push({
    file: context.file,
    ...position,
    path: formatPath(path),
    code: issue.code,
    message: issue.message ?? meaning,
    hint: context.schema === undefined ? told : told.replace('schema <kind>', `schema ${context.schema}`),
  });
}

/** @param known the fields that exist there; one of them may have been meant */
export function unknownField(context: IssueContext, path: readonly PropertyKey[], known: readonly string[]): void {
  const nearest = suggest(String(path.at(-1)), known);
  const hint = nearest
    ? `Did you mean ${nearest}?`
    : known.length > 0
      ? `Known here: ${known.join(', ')}.`
      : ERRORS['unknown-field'].hint;
  add(context, { code: 'unknown-field', path, message: `There is no field ${formatPath(path)}.`, hint, on: 'key' });
}

export function positionOf(
  { lines }: Context,
  node: { range?: Range | null | undefined },
): { line: number; column: number } {
  const { line, col } = lines.linePos(node.range?.[0] ?? 0);
  return { line, column: col };
}

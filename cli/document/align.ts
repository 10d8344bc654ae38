/** Which items of a list are the same before and after. */
import { nameOf, same, type Json } from './json.ts';

/** In the order of the list afterwards: both indexes for an item that stays, one for what goes or comes. */
export interface Step {
  readonly from?: number;
  readonly to?: number;
}

/** Beyond this many comparisons only a common start and end are looked for. */
const MAX_CELLS = 250_000;

/**
 * The longest common subsequence stays. Between, an item stays where it has the same name, or none, and is told apart by
 * its place.
 */
export function align(before: readonly Json[], after: readonly Json[]): Step[] {
  const steps: Step[] = [];
  let [from, to] = [0, 0];
  for (const [nextFrom, nextTo] of [...common(before, after), [before.length, after.length] as const]) {
    steps.push(...between(before, after, [from, nextFrom], [to, nextTo]));
    if (nextFrom < before.length || nextTo < after.length) steps.push({ from: nextFrom, to: nextTo });
    [from, to] = [nextFrom + 1, nextTo + 1];
  }
  return steps;
}

type Range = readonly [start: number, end: number];

function between(before: readonly Json[], after: readonly Json[], old: Range, young: Range): Step[] {
  const steps: Step[] = [];
  let from = old[0];
  for (let to = young[0]; to < young[1]; to++) {
    let match = from;
    while (match < old[1] && nameOf(before[match]) !== nameOf(after[to])) match++;
    if (match === old[1]) {
      steps.push({ to });
      continue;
    }
    for (; from < match; from++) steps.push({ from });
    steps.push({ from: from++, to });
  }
  for (; from < old[1]; from++) steps.push({ from });
  return steps;
}

function common(before: readonly Json[], after: readonly Json[]): (readonly [number, number])[] {
  let start = 0;
  while (start < before.length && start < after.length && same(before[start], after[start])) start++;
  let tail = 0;
  const most = Math.min(before.length, after.length) - start;
  while (tail < most && same(before[before.length - 1 - tail], after[after.length - 1 - tail])) tail++;
  const head = Array.from({ length: start }, (_, index) => [index, index] as const);
  const end = Array.from(
    { length: tail },
    (_, index) => [before.length - tail + index, after.length - tail + index] as const,
  );
  const [rows, columns] = [before.length - tail, after.length - tail];
  if ((rows - start) * (columns - start) > MAX_CELLS) return [...head, ...end];
  return [...head, ...longest(before, after, start, rows, columns), ...end];
}

/** Dynamic programming over what lies between the common start and the common end. */
function longest(before: readonly Json[], after: readonly Json[], start: number, rows: number, columns: number) {
  const lengths = Array.from({ length: rows + 1 }, () => new Uint32Array(columns + 1));
  const at = (row: number, column: number): number => lengths[row]?.[column] ?? 0;
  for (let row = rows - 1; row >= start; row--)
    for (let column = columns - 1; column >= start; column--) {
      const line = lengths[row];
      if (!line) continue;
      line[column] = same(before[row], after[column])
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
    }
  const pairs: (readonly [number, number])[] = [];
  for (let [row, column] = [start, start]; row < rows && column < columns;)
    if (same(before[row], after[column])) pairs.push([row++, column++]);
    else if (at(row + 1, column) >= at(row, column + 1)) row++;
    else column++;
  return pairs;
}

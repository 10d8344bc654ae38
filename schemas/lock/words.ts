/** The difference between two descriptions, word by word. */

/** One run of words. */
export interface Run {
  readonly sign: ' ' | '+' | '-';
  readonly text: string;
}

/** Beyond this, all of it is another text (product of the numbers of words): comparing takes time. */
const MAX_CELLS = 1_000_000;

/** What comparing many texts, one after the other, may take together. */
export interface Effort {
  cells: number;
}

const forOne = (): Effort => ({ cells: MAX_CELLS });
export const forMany = (): Effort => ({ cells: 4 * MAX_CELLS });
/** How many words of what stays are shown beside what changed. */
const CONTEXT = 4;

/** Longest common subsequence of words; what goes stands before what comes. Joined with nothing, the runs are the texts. */
export function wordRuns(before: string, after: string, effort = forOne()): Run[] {
  const [old, young] = [wordsOf(before), wordsOf(after)];
  const start = commonStart(old, young);
  const end = commonStart(old.slice(start).toReversed(), young.slice(start).toReversed());
  const middle = runsOf(old.slice(start, old.length - end), young.slice(start, young.length - end), effort);
  const same = (words: readonly string[]): Run => ({ sign: ' ', text: words.join('') });
  return joined([same(old.slice(0, start)), ...middle, same(old.slice(old.length - end))]);
}

/** A word with the space behind it. */
const wordsOf = (text: string): string[] => text.match(/\S+\s*|\s+/g) ?? [];

function commonStart(a: readonly string[], b: readonly string[]): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at;
}

function runsOf(old: readonly string[], young: readonly string[], effort: Effort): Run[] {
  const all = (sign: Run['sign'], words: readonly string[]): Run => ({ sign, text: words.join('') });
  const cells = old.length * young.length;
  if (cells > Math.min(MAX_CELLS, effort.cells)) return [all('-', old), all('+', young)];
  effort.cells -= cells;
  const width = young.length + 1;
  const longest = new Uint32Array((old.length + 1) * width);
  const at = (row: number, column: number): number => longest[row * width + column] ?? 0;
  for (let row = old.length - 1; row >= 0; row--)
    for (let column = young.length - 1; column >= 0; column--)
      longest[row * width + column] =
        old[row] === young[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
  const runs: Run[] = [];
  let [row, column] = [0, 0];
  while (row < old.length || column < young.length) {
    const [gone, come] = [old[row], young[column]];
    if (gone !== undefined && gone === come) {
      runs.push({ sign: ' ', text: gone });
      [row, column] = [row + 1, column + 1];
    } else if (gone !== undefined && (come === undefined || at(row + 1, column) >= at(row, column + 1))) {
      runs.push({ sign: '-', text: gone });
      row++;
    } else {
      runs.push({ sign: '+', text: come ?? '' });
      column++;
    }
  }
  return runs;
}

/** Runs of one sign become one; between two that stay, all that goes stands before all that comes. */
function joined(runs: readonly Run[]): Run[] {
  const out: Run[] = [];
  let [gone, come] = ['', ''];
  const flush = (): void => {
    if (gone !== '') out.push({ sign: '-', text: gone });
    if (come !== '') out.push({ sign: '+', text: come });
    [gone, come] = ['', ''];
  };
  for (const { sign, text } of runs) {
    if (sign === '-') gone += text;
    else if (sign === '+') come += text;
    else if (text !== '') {
      flush();
      const last = out.at(-1);
      if (last?.sign === ' ') out[out.length - 1] = { sign, text: last.text + text };
      else out.push({ sign, text });
    }
  }
  flush();
  return out;
}

/** On one line, as `git diff --word-diff` marks it: `Reads a note [-by title.-]{+by its id.+}`. */
export function wordDiff(before: string, after: string, effort = forOne()): string {
  const runs = wordRuns(before, after, effort);
  const shown = runs.map(({ sign, text }, index) => {
    const plain = text.replaceAll(/\s+/g, ' ');
    if (sign === ' ') return shortened(plain, index > 0, index < runs.length - 1);
    const space = plain.endsWith(' ') ? ' ' : '';
    const word = plain.trimEnd();
    return sign === '-' ? `[-${word}-]${space}` : `{+${word}+}${space}`;
  });
  return shown.join('').trim();
}

/** Of what stays, only what stands beside a change. */
function shortened(text: string, isAfter: boolean, isBefore: boolean): string {
  const words = wordsOf(text);
  if (words.length <= CONTEXT * 2 + 1) return text;
  const head = isAfter ? words.slice(0, CONTEXT).join('') : '';
  const tail = isBefore ? words.slice(-CONTEXT).join('') : '';
  return `${head}… ${tail}`;
}

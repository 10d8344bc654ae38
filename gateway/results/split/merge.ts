/** Parts that are too small to be worth a question go together with their neighbours. */

/** Characters. */
export interface Sizes {
  /** What is smaller is merged with the next. */
  readonly minSize: number;
  /** What is larger is split again; nothing is merged beyond it. */
  readonly maxSize: number;
}

/** @returns runs of neighbours, in order: nobody is left out, what is large stays alone */
export function merged<T>(items: readonly T[], sizeOf: (item: T) => number, { minSize, maxSize }: Sizes): T[][] {
  const runs: T[][] = [];
  let size = 0;
  for (const item of items) {
    const own = sizeOf(item);
    const run = runs.at(-1);
    if (run && (size < minSize || own < minSize) && size + own <= maxSize) {
      run.push(item);
      size += own;
    } else {
      runs.push([item]);
      size = own;
    }
  }
  return runs;
}

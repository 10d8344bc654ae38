/** Texts split at marks: places where something begins. What is between two marks is cut out as it is, so nothing is ever lost. */
import { partOf, titleOf, type Part } from '../part.ts';
import { merged, type Sizes } from './merge.ts';
import { pieces } from './pages.ts';

/** Where something begins (at the start of a line). */
export interface Mark {
  readonly at: number;
  /** 1 is the outermost. */
  readonly level: number;
  readonly title: string;
}

interface Piece {
  readonly title: string;
  readonly from: number;
  readonly to: number;
}

/** @param marks in order */
export function splitAt(text: string, marks: readonly Mark[], sizes: Sizes): Part {
  return within(text, { title: '', from: 0, to: text.length }, marks, sizes);
}

function within(text: string, { title, from, to }: Piece, marks: readonly Mark[], sizes: Sizes): Part {
  const inside = marks.filter(({ at }) => at > from && at < to);
  const level = inside.reduce((least, mark) => Math.min(least, mark.level), Infinity);
  const outer = inside.filter((mark) => mark.level === level);
  if (outer.length === 0) return bySize(text, { title, from, to }, sizes);
  const head = marks.find(({ at }) => at === from)?.title ?? '';
  const cuts = [{ at: from, title: head || title || 'beginning' }, ...outer];
  const found = cuts.map((cut, index): Piece => ({ title: cut.title, from: cut.at, to: cuts[index + 1]?.at ?? to }));
  const runs = merged(found, (piece) => piece.to - piece.from, sizes);
  const parts = runs.map((run): Part => {
    const [first] = run as [Piece];
    const last = run.at(-1) as Piece;
    if (first === last && first.to - first.from > sizes.maxSize) return within(text, first, inside, sizes);
    return { title: titleOf(run.map((piece) => piece.title)), text: text.slice(first.from, last.to) };
  });
  return partOf(title, parts);
}

function bySize(text: string, { title, from, to }: Piece, { maxSize }: Sizes): Part {
  const own = text.slice(from, to);
  if (own.length <= maxSize) return { title, text: own };
  const texts = pieces(own, maxSize);
  return partOf(
    title,
    texts.map((each, at) => ({ title: `${title} (piece ${at + 1} of ${texts.length})`.trim(), text: each })),
  );
}

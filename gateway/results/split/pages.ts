/** Texts cut by size alone. */
import { partOf, type Part } from '../part.ts';

/** Cuts a text into pieces of at most `size` characters: at the end of a line, else of a word, else anywhere but within a character. */
export function pieces(text: string, size: number): string[] {
  const found: string[] = [];
  let from = 0;
  while (text.length - from > size) {
    const to = endOf(text, from, from + size);
    found.push(text.slice(from, to));
    from = to;
  }
  found.push(text.slice(from));
  return found;
}

function endOf(text: string, from: number, most: number): number {
  for (const end of ['\n', ' ']) {
    const at = text.lastIndexOf(end, most - 1) + 1;
    // Very short pieces help nobody.
    if (at > from + (most - from) / 2) return at;
  }
  const last = text.charCodeAt(most - 1);
  return last >= 0xd800 && last < 0xdc00 && most - 1 > from ? most - 1 : most;
}

/** Numbered pages; the text itself where it is one. */
export function paginated(leaf: Part, pageSize: number): Part {
  const texts = pieces(leaf.text ?? '', pageSize);
  if (texts.length === 1) return leaf;
  return partOf(
    leaf.title,
    texts.map((text, at) => ({ title: `Page ${at + 1}`, text })),
  );
}

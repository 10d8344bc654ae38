/** What a result is while stages work on it: one text, or parts with titles, of which each can be made of parts again. Plain data. */

export interface Part {
  readonly title: string;
  /** Absent where it is made of parts. */
  readonly text?: string;
  readonly parts?: readonly Part[];
  /** What it is about, for a table of contents. */
  readonly summary?: string;
}

/** Entries of one table of contents: a list that is longer is grouped. */
export const MAX_ENTRIES = 40;
const MAX_TITLE = 100;

export function* leavesOf(part: Part): Generator<Part> {
  if (!part.parts) return yield part;
  for (const inner of part.parts) yield* leavesOf(inner);
}

/** Of its texts (characters). */
export function lengthOf(part: Part): number {
  let length = 0;
  for (const { text = '' } of leavesOf(part)) length += text.length;
  return length;
}

/** Of its texts, in UTF-8. */
export function bytesOf(part: Part): number {
  let bytes = 0;
  for (const { text = '' } of leavesOf(part)) bytes += Buffer.byteLength(text);
  return bytes;
}

/** The same with other leaves. */
export async function mapLeaves(part: Part, change: (leaf: Part) => Part | Promise<Part>): Promise<Part> {
  if (!part.parts) return change(part);
  const parts: Part[] = [];
  for (const inner of part.parts) parts.push(await mapLeaves(inner, change));
  return { ...part, parts };
}

/** The same with other texts. */
export const mapTexts = (part: Part, change: (text: string) => string | Promise<string>): Promise<Part> =>
  mapLeaves(part, async (leaf) => ({ ...leaf, text: await change(leaf.text ?? '') }));

/** A part made of these, where they are several: not too many at once, so that each table of contents is short. */
export function partOf(title: string, parts: readonly Part[]): Part {
  const [only] = parts;
  if (parts.length === 1 && only) return { ...only, title: only.title || title };
  if (parts.length <= MAX_ENTRIES) return { title, parts };
  const groups = Math.min(MAX_ENTRIES, Math.ceil(parts.length / MAX_ENTRIES));
  const each = Math.ceil(parts.length / groups);
  const grouped = Array.from({ length: Math.ceil(parts.length / each) }, (_, at) => {
    const some = parts.slice(at * each, (at + 1) * each);
    return partOf(titleOf([some[0]?.title ?? '', some.at(-1)?.title ?? ''], ' … '), some);
  });
  return { title, parts: grouped };
}

/** Several titles as one, and not too long. */
export function titleOf(titles: readonly string[], between = ', '): string {
  const title = titles.filter((one) => one !== '').join(between);
  return title.length <= MAX_TITLE ? title : `${whole(title.slice(0, MAX_TITLE - 1))}…`;
}

/** Without half a character at its end. */
export const whole = (text: string): string => text.replace(/[\uD800-\uDBFF]$/, '');

/** All that stands in a part, with its number (`2`, `2.3`), in order. */
export function* numbered(part: Part, number = ''): Generator<readonly [number: string, part: Part]> {
  for (const [at, inner] of (part.parts ?? []).entries()) {
    const own = number === '' ? `${at + 1}` : `${number}.${at + 1}`;
    yield [own, inner];
    yield* numbered(inner, own);
  }
}

/**
 * A part by its number or its title, with its number.
 * @param section `''` for the whole
 */
export function find(root: Part, section: string): readonly [number: string, part: Part] | undefined {
  if (section === '') return ['', root];
  const path = section.split('.').map(Number);
  const found = path.reduce<Part | undefined>((part, number) => part?.parts?.[number - 1], root);
  if (found) return [path.join('.'), found];
  const all = [...numbered(root)];
  return all.find(([, { title }]) => title === section) ?? all.find(([, { title }]) => title === `Page ${section}`);
}

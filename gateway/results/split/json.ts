/**
 * JSON, split at elements and keys. Texts are cut, never written anew: what JavaScript's numbers cannot hold, a key that comes twice, and
 * how it is all spelt stay as they are. Each part is JSON by itself.
 */
import { partOf, titleOf, type Part } from '../part.ts';
import { merged, type Sizes } from './merge.ts';
import { pieces } from './pages.ts';

/** Deeper down, parts are cut by size: each level is read once more. */
const MAX_DEPTH = 12;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** An element, or a key with its value: where it stands in the text. */
interface Member {
  readonly start: number;
  readonly end: number;
  /** Of the value alone. */
  readonly value: number;
  readonly name: string;
}

/** @param text JSON, as `JSON.parse` takes it @param path what leads to it: `users[3]` */
export function splitJson(text: string, sizes: Sizes, path = '', depth = 0): Part {
  const from = text.search(/\S/);
  const kind = text[from];
  if (text.length <= sizes.minSize) return { title: path, text };
  if ((kind !== '[' && kind !== '{') || depth > MAX_DEPTH) return byBits(text, sizes, path);
  const isList = kind === '[';
  const found = membersOf(text, from, isList);
  if (found.length === 0) return byBits(text, sizes, path);
  const runs = merged(found, ({ start, end }) => end - start, sizes);
  if (runs.length <= 1 && text.length <= sizes.maxSize) return { title: path, text };
  const parts = runs.map((run): Part => {
    const [first] = run as [Member];
    const last = run.at(-1) as Member;
    const own = first === last ? nameOf(first, isList, path) : titleOfRun(run, isList, path);
    if (first === last && first.end - first.start > sizes.maxSize)
      return splitJson(text.slice(first.value, first.end), sizes, own, depth + 1);
    const inner = text.slice(first.start, last.end);
    return { title: own, text: isList ? `[${inner}]` : `{${inner}}` };
  });
  return partOf(path, parts);
}

function byBits(text: string, { maxSize }: Sizes, path: string): Part {
  const texts = pieces(text, maxSize);
  if (texts.length === 1) return { title: path, text };
  return partOf(
    path,
    texts.map((each, at) => ({ title: `${path} (piece ${at + 1} of ${texts.length})`.trim(), text: each })),
  );
}

function nameOf({ name }: Member, isList: boolean, path: string): string {
  if (isList) return `${path}[${name}]`;
  return titleOf([path, name], '.');
}

function titleOfRun(run: readonly Member[], isList: boolean, path: string): string {
  if (isList) return `${path}[${run[0]?.name}–${run.at(-1)?.name}]`;
  const names = titleOf(run.map(({ name }) => name));
  return path === '' ? names : titleOf([path, `(${names})`], ' ');
}

/** What stands in one list or object. @param from where it begins; the text is known to be JSON */
export function membersOf(text: string, from: number, isList: boolean): Member[] {
  const found: Member[] = [];
  let depth = 0;
  let start = -1;
  let value = -1;
  let name = '';
  const close = (end: number): void => {
    if (start < 0) return;
    let last = end;
    while (text.charCodeAt(last - 1) <= 0x20) last--;
    found.push({ start, end: last, value: isList ? start : value, name: isList ? String(found.length) : name });
    start = value = -1;
  };
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 0x20) continue;
    if (depth === 0) {
      if (code === COMMA) {
        close(at);
        continue;
      }
      if (code === 0x5d || code === 0x7d) {
        close(at);
        return found;
      }
      if (code === COLON) continue;
      if (start < 0) start = at;
      else if (!isList && value < 0) value = at;
    }
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (depth === 0 && !isList && value < 0) name = String(JSON.parse(text.slice(at, end + 1)));
      at = end;
    } else if (code === 0x5b || code === 0x7b) depth++;
    else if (code === 0x5d || code === 0x7d) depth--;
  }
  return found;
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

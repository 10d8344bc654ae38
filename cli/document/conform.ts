/**
 * Makes a document say something else and leaves everything else as it is written: comments, blank lines, the order of
 * keys, quotes, lists on one line, anchors, and the other documents of the file. Changes are spliced in at the places
 * where `yaml` found the values; the result is read again and compared, and only a document that cannot be edited so
 * is written anew by the library, which keeps comments but not spacing.
 */
import { isMap as isMapNode, isSeq, visit, type Document, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import { SlipwayError } from '../../schemas/errors.ts';
import { align } from './align.ts';
import { documentsOf, type FileDocument } from './documents.ts';
import { editFlowList, editFlowMap } from './flow.ts';
import { isList, isMap, fieldOf, same, type Json, type JsonMap } from './json.ts';
import { blockValue, itemLines, pairLines } from './render.ts';
import { colonEnd, contentEnd, dashes, isInline, keyed, nodesOf, quoteOf, Sheet, startOf, Unusual } from './sheet.ts';

/** An alias may say something else after its anchor was changed; each round writes one more of them out. */
const MAX_ROUNDS = 4;

/** @param text of the whole file @param index which of its documents @returns the new text of the file */
export function conform(text: string, index: number, wanted: Json): string {
  const before = documentsOf(text);
  const isRight = (candidate: readonly FileDocument[]): boolean =>
    candidate.length === before.length &&
    candidate.every(({ value }, at) => same(value, at === index ? wanted : before[at]?.value));
  let [current, documents] = [text, before];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (isRight(documents)) return current;
    const next = spliced(current, documents[index], wanted);
    if (next === undefined) break;
    [current, documents] = [next, documentsOf(next)];
  }
  if (isRight(documents)) return current;
  const rewritten = writtenAnew(text, before[index], wanted);
  if (rewritten === undefined || !isRight(documentsOf(rewritten)))
    throw new SlipwayError('internal', 'The document could not be edited.');
  return rewritten;
}

function spliced(text: string, at: FileDocument | undefined, wanted: Json): string | undefined {
  const root = at?.document.contents;
  if (!root || at.value === undefined) return undefined;
  const sheet = new Sheet(text);
  try {
    edit(sheet, { after: startOf(root), indent: '' }, root, at.value, wanted);
    return sheet.result();
  } catch (error) {
    if (error instanceof Unusual) return undefined;
    throw error;
  }
}

/** Where a value in a block stands: behind a colon or a dash, on a line that is indented so far. */
interface Slot {
  readonly after: number;
  readonly indent: string;
  readonly isItem?: boolean;
}

function edit(sheet: Sheet, slot: Slot, node: Node, before: Json | undefined, wanted: Json): void {
  if (same(before, wanted)) return;
  const keeps =
    isMapNode(node) && isMap(wanted) && isMap(before) && Object.keys(wanted).some((key) => Object.hasOwn(before, key));
  if (keeps && node.flow) return editFlowMap(sheet, node, before, wanted);
  if (keeps) return editMap(sheet, node, before, wanted);
  if (isSeq(node) && isList(wanted) && isList(before) && wanted.length > 0 && before.length > 0) {
    const steps = align(before, wanted);
    if (node.flow) return editFlowList(sheet, node, before, wanted, steps);
    if (steps.some(({ from, to }) => from !== undefined && to !== undefined))
      return editList(sheet, node, before, wanted, steps);
  }
  put(sheet, slot, node, wanted);
}

function editMap(sheet: Sheet, map: YAMLMap, before: JsonMap, wanted: JsonMap): void {
  const pairs = keyed(map);
  const first = pairs[0];
  if (!first) throw new Unusual();
  const column = startOf(first.keyNode) - sheet.lineStart(startOf(first.keyNode));
  const indent = ' '.repeat(column);
  let last = 0;
  for (const [index, { key, keyNode, value, pair }] of pairs.entries()) {
    const wish = fieldOf(wanted, key);
    if (wish !== undefined) {
      edit(sheet, { after: colonEnd(pair), indent }, value, fieldOf(before, key), wish);
      last = Math.max(contentEnd(sheet, value), colonEnd(pair));
      continue;
    }
    const next = pairs[index + 1];
    if (sheet.beginsLine(startOf(keyNode)))
      sheet.removeLines(startOf(keyNode), Math.max(contentEnd(sheet, value), colonEnd(pair)));
    // The first of a map that begins behind a dash: the next one moves up.
    else if (next) sheet.replace(startOf(keyNode), startOf(next.keyNode), '');
    else throw new Unusual();
  }
  const lines = Object.entries(wanted)
    .filter(([key]) => !Object.hasOwn(before, key))
    .flatMap(([key, value]) => pairLines(key, value));
  if (lines.length > 0) sheet.insertLines(last, indented(lines, indent));
}

function editList(
  sheet: Sheet,
  list: YAMLSeq,
  before: readonly Json[],
  wanted: readonly Json[],
  steps: ReturnType<typeof align>,
): void {
  const [items, starts] = [nodesOf(list), dashes(list)];
  const indent = ' '.repeat((starts[0] ?? 0) - sheet.lineStart(starts[0] ?? 0));
  const end = (index: number): number => Math.max(contentEnd(sheet, items[index] as Node), (starts[index] ?? 0) + 1);
  let position = sheet.above(starts[0] ?? 0);
  for (const { from, to } of steps) {
    const [start, wish] = [from === undefined ? undefined : starts[from], to === undefined ? undefined : wanted[to]];
    if (start !== undefined && !sheet.beginsLine(start)) throw new Unusual();
    if (from !== undefined && start !== undefined && wish !== undefined)
      edit(sheet, { after: start + 1, indent, isItem: true }, items[from] as Node, before[from], wish);
    else if (from !== undefined && start !== undefined) sheet.removeLines(start, end(from));
    else if (wish !== undefined) sheet.insertLines(position, indented(itemLines(wish), indent));
    if (from !== undefined && to !== undefined) position = end(from);
  }
}

/** Another value in the place of one. What stands behind it on its line stays. */
function put(sheet: Sheet, { after, indent, isItem }: Slot, node: Node, wanted: Json): void {
  const { head, body } = blockValue(wanted, quoteOf(node));
  const lines = indented(body, indent);
  if (!isInline(node)) {
    const below = lines.map((line) => sheet.newline + line).join('');
    return sheet.replace(after, contentEnd(sheet, node), (head === '' ? '' : ` ${head}`) + below);
  }
  const [start, end] = [startOf(node), node.range?.[1] ?? startOf(node)];
  if (isItem && head === '' && sheet.source.slice(end, sheet.lineEnd(end)).trim() === '') {
    const [first = '', ...rest] = itemLines(wanted);
    return sheet.replace(
      after,
      end,
      first.slice(1) +
        indented(rest, indent)
          .map((line) => sheet.newline + line)
          .join(''),
    );
  }
  if (head === '') sheet.replace(after, end, '');
  else sheet.replace(start, end, start === after && (isItem || after > 0) ? ` ${head}` : head);
  if (lines.length > 0) sheet.insertLines(end, lines);
}

const indented = (lines: readonly string[], indent: string): string[] =>
  lines.map((line) => (line === '' ? '' : indent + line));

/** The one document through the library's own editing; the rest of the file stays. */
function writtenAnew(text: string, at: FileDocument | undefined, wanted: Json): string | undefined {
  if (!at || at.value === undefined) return undefined;
  const { document } = at;
  visit(document, { Alias: (_, alias) => document.createNode(alias.toJS(document)) as Node });
  visit(document, { Value: (_, node) => void delete (node as { anchor?: string }).anchor });
  assign(document, [], at.value, wanted);
  const marked = text.slice(at.start).startsWith('---') ? '---\n' : '';
  const own = document.toString({ lineWidth: 0 }).replace(/^---\n/, '');
  return text.slice(0, at.start) + marked + own + text.slice(at.end);
}

function assign(document: Document, path: readonly string[], before: Json | undefined, wanted: Json): void {
  if (same(before, wanted)) return;
  if (!isMap(before) || !isMap(wanted))
    return void (path.length === 0
      ? (document.contents = document.createNode(wanted))
      : document.setIn(path, document.createNode(wanted)));
  for (const key of Object.keys(before)) if (!Object.hasOwn(wanted, key)) document.deleteIn([...path, key]);
  for (const [key, value] of Object.entries(wanted)) assign(document, [...path, key], fieldOf(before, key), value);
}

/** Lists and maps that stand in brackets: `[a, b]`, `{ a: 1 }`. JSON is written so, too. */
import { isMap as isMapNode, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import { align, type Step } from './align.ts';
import { isList, isMap, fieldOf, same, type Json, type JsonMap } from './json.ts';
import { flowText } from './render.ts';
import { keyed, nodesOf, quoteOf, startOf, Unusual, type Sheet } from './sheet.ts';

/** One entry in the brackets: an item, or a key with its value. */
interface Entry {
  readonly start: number;
  readonly end: number;
}

export function editFlowMap(sheet: Sheet, map: YAMLMap, before: JsonMap, wanted: JsonMap): void {
  const pairs = keyed(map);
  const json = pairs.some(({ keyNode }) => isScalar(keyNode) && keyNode.type === 'QUOTE_DOUBLE');
  const entries = pairs.map(({ keyNode, value }) => ({ start: startOf(keyNode), end: endOf(value) }));
  for (const { key, value } of pairs) {
    const wish = fieldOf(wanted, key);
    if (wish !== undefined) editFlow(sheet, value, fieldOf(before, key), wish, json);
  }
  const steps: Step[] = pairs.map(({ key }, from) => (Object.hasOwn(wanted, key) ? { from, to: from } : { from }));
  const texts = Object.entries(wanted)
    .filter(([key]) => !Object.hasOwn(before, key))
    .map(([key, value]) => `${flowText(key, json)}: ${flowText(value, json)}`);
  arrange(sheet, entries, [...steps, ...texts.map((_, index) => ({ to: index }))], (to) => texts[to] ?? '');
}

export function editFlowList(
  sheet: Sheet,
  list: YAMLSeq,
  before: readonly Json[],
  wanted: readonly Json[],
  steps: readonly Step[],
): void {
  const items = nodesOf(list);
  const json = items.length > 0 && items.every((item) => isScalar(item) && item.type === 'QUOTE_DOUBLE');
  for (const { from, to } of steps) {
    const [item, wish] = [items[from ?? -1], wanted[to ?? -1]];
    if (item && wish !== undefined && from !== undefined) editFlow(sheet, item, before[from], wish, json);
  }
  const entries = items.map((item) => ({ start: startOf(item), end: endOf(item) }));
  if (!steps.some(({ from, to }) => from !== undefined && to !== undefined))
    return sheet.replace(startOf(list), endOf(list), flowText(wanted, json));
  arrange(sheet, entries, steps, (to) => flowText(wanted[to] as Json, json));
}

function editFlow(sheet: Sheet, node: Node, before: Json | undefined, wanted: Json, json: boolean): void {
  if (same(before, wanted)) return;
  if (
    isMapNode(node) &&
    isMap(before) &&
    isMap(wanted) &&
    Object.keys(wanted).some((key) => Object.hasOwn(before, key))
  )
    return editFlowMap(sheet, node, before, wanted);
  if (isSeq(node) && isList(before) && isList(wanted) && before.length > 0 && wanted.length > 0)
    return editFlowList(sheet, node, before, wanted, align(before, wanted));
  const [start, end] = [startOf(node), endOf(node)];
  const text = flowText(wanted, json, quoteOf(node));
  sheet.replace(start, end, start === end ? ` ${text}` : text); // `{ key: }` has nothing behind its colon.
}

/** Takes entries out and puts others in, with their commas. */
function arrange(sheet: Sheet, entries: readonly Entry[], steps: readonly Step[], text: (to: number) => string): void {
  const kept = new Set(steps.flatMap(({ from, to }) => (from !== undefined && to !== undefined ? [from] : [])));
  const lastKept = Math.max(...kept);
  for (const [index, entry] of entries.entries()) {
    if (kept.has(index)) continue;
    const [previous, next] = [entries[index - 1], entries[index + 1]];
    if (index < lastKept && next) sheet.replace(entry.start, next.start, '');
    else if (previous) sheet.replace(previous.end, entry.end, '');
  }
  let after: Entry | undefined;
  for (const { from, to } of steps) {
    if (from !== undefined && to !== undefined) after = entries[from];
    if (from !== undefined || to === undefined) continue;
    const divider = dividerAt(sheet, entries);
    if (after) sheet.replace(after.end, after.end, `,${divider}${text(to)}`);
    else if (entries[Math.min(...kept)]) {
      const first = entries[Math.min(...kept)] as Entry;
      sheet.replace(first.start, first.start, `${text(to)},${divider}`);
    } else throw new Unusual();
  }
}

/** A space, or a new line where each entry has one of its own. */
function dividerAt(sheet: Sheet, entries: readonly Entry[]): string {
  const last = entries.at(-1);
  return last && sheet.beginsLine(last.start) ? sheet.newline + sheet.indentAt(last.start) : ' ';
}

function endOf(node: Node): number {
  if (!node.range) throw new Unusual();
  return node.range[1];
}

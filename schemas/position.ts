/** Where a field stands in a YAML document. */
import { isMap, isNode, isPair, isScalar, isSeq, type Document, type LineCounter, type Node } from 'yaml';

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Position of the field at `path`; of the nearest thing above it that exists when the field itself is missing. */
export function locate(
  document: Document,
  lines: LineCounter,
  path: readonly PropertyKey[],
  on: 'key' | 'value',
): Position {
  let node: Node | null = document.contents;
  let offset = offsetOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    const wantKey = on === 'key' && index === path.length - 1;
    const next = child(node, step, wantKey);
    if (!next) break;
    node = next;
    offset = offsetOf(next) ?? offset;
  }
  const position = lines.linePos(offset);
  return { line: position.line, column: position.col };
}

function child(node: Node | null, step: PropertyKey, wantKey: boolean): Node | null {
  if (isSeq(node)) return asNode(node.items[Number(step)]);
  if (!isMap(node)) return null;
  const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
  if (!pair) return null;
  const value = asNode(pair.value);
  return wantKey || value === null ? asNode(pair.key) : value;
}

const asNode = (value: unknown): Node | null => (isNode(value) ? value : null);
const offsetOf = (node: Node | null): number | undefined => node?.range?.[0];

/** The field names and indexes that lead to the last of `ancestors`, as `yaml`'s visitor hands them over. */
export function pathOf(ancestors: readonly unknown[]): PropertyKey[] {
  return ancestors.flatMap((node, index): PropertyKey[] => {
    if (isPair(node)) return isScalar(node.key) ? [String(node.key.value)] : [];
    const next = ancestors[index + 1];
    return isSeq(node) && next !== undefined ? [node.items.indexOf(next)] : [];
  });
}

/** Where in the lock file stands what was accepted. */
import { isMap, isScalar, isSeq, type Node } from 'yaml';
import type { Context } from '../issue-list.ts';

/** Lines, from 1, of servers and of their tools, by name. */
export type Places = Readonly<
  Record<string, { readonly line: number; readonly tools: Readonly<Record<string, number>> }>
>;

/** Of a file that was checked. In one walk: to look up each of thousands would take long. */
export function placesIn({ document, lines }: Pick<Context, 'document' | 'lines'>): Places {
  const servers = document.get('servers', true);
  const lineOf = (node: Node): number => lines.linePos(node.range?.[0] ?? 0).line;
  if (!isMap(servers)) return {};
  const entries = servers.items.flatMap(({ key, value }) => {
    if (!isScalar(key)) return [];
    const tools = isMap(value) ? value.get('tools', true) : undefined;
    const items = isSeq(tools) ? tools.items.filter((item) => isMap(item)) : [];
    const named = items.map((item) => [String(item.get('name')), lineOf(item)] as const);
    return [[String(key.value), { line: lineOf(key), tools: Object.fromEntries(named) }] as const];
  });
  return Object.fromEntries(entries);
}

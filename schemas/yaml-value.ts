/** From a YAML document to plain data, without what YAML allows and nobody should need. */
import { isScalar, visit, type YAMLMap } from 'yaml';
import { add, positionOf, unknownField, type Context } from './issue-list.ts';
import { pathOf } from './position.ts';

const MAX_ALIASES = 100;

/** The document as plain data. Refuses billion-laughs expansion and anchors that are missing or contain themselves. */
export function toValue(context: Context): unknown {
  const { document } = context;
  const found = context.issues.length;
  let aliases = 0;
  visit(document, {
    Alias(_, node, path) {
      // Counted before it is resolved: resolving searches the document, so many aliases would take for ever.
      if (++aliases > MAX_ALIASES)
        return (add(context, { code: 'yaml-alias', at: positionOf(context, node) }), visit.BREAK);
      const target = node.resolve(document);
      if (target && !path.includes(target)) return undefined;
      const why = target ? 'refers to the value that contains it' : 'refers to no anchor above it';
      add(context, { code: 'yaml-alias', message: `The alias *${node.source} ${why}.`, at: positionOf(context, node) });
      return undefined;
    },
    Map: (_, map) => uniqueKeys(context, map),
    Pair(_, pair, path) {
      // Set as a plain property it would change the object's prototype, and every check after it.
      if (!isScalar(pair.key) || pair.key.value !== '__proto__') return undefined;
      unknownField(context, pathOf([...path, pair]), []);
      return visit.REMOVE;
    },
  });
  if (context.issues.slice(found).some((issue) => issue.code !== 'unknown-field')) return undefined;
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    add(context, { code: 'yaml-alias' });
    return undefined;
  }
}

/** The library's own check compares every key with every other. */
function uniqueKeys(context: Context, map: YAMLMap): void {
  const seen = new Set<unknown>();
  for (const { key } of map.items) {
    if (!isScalar(key)) continue;
    if (seen.has(key.value))
      add(context, {
        code: 'yaml-syntax',
        message: `The key ${String(key.value)} stands here twice.`,
        at: positionOf(context, key),
      });
    seen.add(key.value);
  }
}

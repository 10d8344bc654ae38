/** Every field below a kind or a field, with its type: what `explain --recursive` prints. */
import type { Kind } from '../../schemas/kinds/kind.ts';
import { explained, type Explained } from '../read/fields.ts';

/** No config is written deeper. */
const DEEP = 12;

export function fieldTree(kind: Kind, { path, type, ...top }: Explained): string {
  const words = path === '' ? [] : path.split('.');
  const head = [`KIND     ${kind.kind}`, ...(path === '' ? [] : [`FIELD    ${path} <${type}>`])];
  return [...head, '', 'FIELDS', ...lines(kind, words, top.fields, 1)].join('\n');
}

function lines(kind: Kind, above: readonly string[], fields: Explained['fields'], depth: number): string[] {
  return fields.flatMap(({ name, type, isRequired }) => {
    const path = [...above, name];
    const below = depth < DEEP ? explained(kind, path).fields : [];
    const line = `${'  '.repeat(depth)}${name}  <${type}${isRequired ? ', required' : ''}>`;
    return [line, ...lines(kind, path, below, depth + 1)];
  });
}

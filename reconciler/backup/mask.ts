/** Takes values that plans mask out of a YAML text, and leaves every other character as it is. */
import { isMap, isScalar, isSeq, parseAllDocuments, type Document } from 'yaml';
import { kindOf } from '../../schemas/kinds/index.ts';
import { MASK } from '../../schemas/sensitive.ts';

export interface MaskedField {
  readonly file: string;
  /** `Server/github` */
  readonly address: string;
  /** `spec.env.API_KEY.value` */
  readonly path: string;
}

interface Cut {
  readonly start: number;
  readonly end: number;
  readonly path: string;
}

/** @returns the text with `"***"` in the places of such values. What cannot be read is no config, and stays as it is. */
export function maskedText(
  file: string,
  text: string,
): { readonly text: string; readonly fields: readonly MaskedField[] } {
  const documents = parseAllDocuments(text, { keepSourceTokens: true });
  if (!Array.isArray(documents)) return { text, fields: [] };
  const found = documents.flatMap((document) => {
    const [kind, name] = [document.get('kind', false), document.getIn(['metadata', 'name'])] as unknown[];
    const sensitive = typeof kind === 'string' ? kindOf(kind)?.sensitive : undefined;
    if (!sensitive || document.errors.length > 0) return [];
    return cutsIn(document, sensitive).map((cut) => ({ ...cut, address: `${String(kind)}/${String(name)}` }));
  });
  const masked = found
    .toSorted((a, b) => b.start - a.start)
    .reduce((result, { start, end }) => `${result.slice(0, start)}"${MASK}"${result.slice(end)}`, text);
  return { text: masked, fields: found.map(({ address, path }) => ({ file, address, path })) };
}

function cutsIn(document: Document, sensitive: (path: readonly (string | number)[]) => boolean): Cut[] {
  const walk = (node: unknown, path: readonly (string | number)[]): Cut[] => {
    if (isScalar(node) && typeof node.value === 'string' && node.range && sensitive(path) && node.value !== MASK) {
      const [start, end] = node.range;
      return [{ start, end, path: ['spec', ...path].join('.') }];
    }
    if (isSeq(node)) return node.items.flatMap((item, index) => walk(item, [...path, nameOf(item) ?? index]));
    if (!isMap(node)) return [];
    return node.items.flatMap(({ key, value }) => walk(value, [...path, String(isScalar(key) ? key.value : key)]));
  };
  return walk(document.get('spec', true), []);
}

/** Items of a list are known by name, as they are in plans. */
function nameOf(item: unknown): string | undefined {
  const name = isMap(item) ? item.get('name') : undefined;
  return typeof name === 'string' ? name : undefined;
}

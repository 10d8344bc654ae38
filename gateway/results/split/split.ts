/** A text, split where it is made of parts. */
import { headingsIn } from '../../markdown.ts';
import type { Part } from '../part.ts';
import { splitJson } from './json.ts';
import { codeMarks, proseMarks, yamlMarks } from './lines.ts';
import { splitAt, type Mark } from './marks.ts';
import type { Sizes } from './merge.ts';

export type ContentType = 'json' | 'yaml' | 'markdown' | 'code' | 'text';

/** What it is made of tells what it is: nobody else does. */
export function split(leaf: Part, sizes: Sizes): Part {
  const text = leaf.text ?? '';
  if (isJson(text)) return titled(leaf, splitJson(text, sizes));
  const yaml = yamlMarks(text);
  if (yaml) return titled(leaf, splitAt(text, yaml, sizes));
  const code = hasFence(text) ? undefined : codeMarks(text);
  const marks = code ?? markdownMarks(text) ?? proseMarks(text);
  return titled(leaf, splitAt(text, marks, sizes));
}

export function contentTypeOf(text: string): ContentType {
  if (isJson(text)) return 'json';
  if (yamlMarks(text)) return 'yaml';
  if (!hasFence(text) && codeMarks(text)) return 'code';
  return markdownMarks(text) ? 'markdown' : 'text';
}

/** `undefined` for what has fewer than two headings. */
function markdownMarks(text: string): Mark[] | undefined {
  const marks = headingsIn(text);
  return marks.length >= 2 ? marks : undefined;
}

export function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Blocks of code stand in Markdown, not in code. */
const hasFence = (text: string): boolean => /^ {0,3}(?:```|~~~)/m.test(text);

const titled = (leaf: Part, part: Part): Part => (leaf.title === '' ? part : { ...part, title: leaf.title });

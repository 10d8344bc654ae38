/** A text, split where it is made of parts. */
import type { Part } from '../part.ts';
import { splitJson } from './json.ts';
import { codeMarks, proseMarks, yamlMarks } from './lines.ts';
import { markdownMarks } from './markdown.ts';
import { splitAt } from './marks.ts';
import type { Sizes } from './merge.ts';

export type ContentType = 'json' | 'yaml' | 'markdown' | 'code' | 'text';

/** What it is made of tells what it is: nobody else does. */
export async function split(leaf: Part, sizes: Sizes): Promise<Part> {
  const text = leaf.text ?? '';
  if (isJson(text)) return titled(leaf, splitJson(text, sizes));
  const yaml = yamlMarks(text);
  if (yaml) return titled(leaf, splitAt(text, yaml, sizes));
  const code = hasFence(text) ? undefined : codeMarks(text);
  const marks = code ?? (await markdownMarks(text)) ?? proseMarks(text);
  return titled(leaf, splitAt(text, marks, sizes));
}

export async function contentTypeOf(text: string): Promise<ContentType> {
  if (isJson(text)) return 'json';
  if (yamlMarks(text)) return 'yaml';
  if (!hasFence(text) && codeMarks(text)) return 'code';
  return (await markdownMarks(text)) ? 'markdown' : 'text';
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

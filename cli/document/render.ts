/** Values as YAML text, in the style of hand-written configs: short lists and maps of plain values stand on one line. */
import { stringify } from 'yaml';
import { isList, isMap, type Json, type JsonMap } from './json.ts';

/** How a scalar was quoted before, as `yaml` calls it; what replaces it is quoted alike. */
export type Quote = 'QUOTE_SINGLE' | 'QUOTE_DOUBLE' | undefined;

const SHORT = 80;

/** On one line, as in `{ a: 1, b: [x, y] }`. @param json as JSON has it: every text in double quotes */
export function flowText(value: Json, json = false, quote?: Quote): string {
  if (isList(value)) return `[${value.map((item) => flowText(item, json)).join(', ')}]`;
  if (!isMap(value)) return scalarText(value, true, json ? 'QUOTE_DOUBLE' : quote);
  const entries = Object.entries(value).map(([key, item]) => `${flowText(key, json)}: ${flowText(item, json)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

/** What stands behind a key: `head` on its line, `body` on the lines below, indented from where the key begins. */
export interface Rendered {
  readonly head: string;
  readonly body: readonly string[];
}

export function blockValue(value: Json, quote?: Quote): Rendered {
  if (typeof value === 'string' && value.includes('\n')) return multiLine(value);
  if (!isList(value) && !isMap(value)) return { head: scalarText(value, false, quote), body: [] };
  if (isShort(value)) return { head: flowText(value), body: [] };
  const lines = isList(value) ? value.flatMap((item) => itemLines(item)) : mapLines(value);
  return { head: '', body: lines.map((line) => (line === '' ? '' : `  ${line}`)) };
}

/** `key: value` and the lines below it. */
export function pairLines(key: string, value: Json): string[] {
  const { head, body } = blockValue(value);
  return [`${scalarText(key, false)}:${head === '' ? '' : ` ${head}`}`, ...body];
}

/** `- value` and the lines below it. */
export function itemLines(value: Json): string[] {
  if (isMap(value) && !isShort(value))
    return mapLines(value).map((line, index) => `${index === 0 ? '- ' : '  '}${line}`);
  const { head, body } = blockValue(value);
  return head === '' ? body.map((line, index) => (index === 0 ? `- ${line.slice(2)}` : line)) : [`- ${head}`, ...body];
}

export const mapLines = (map: JsonMap): string[] => Object.entries(map).flatMap(([key, item]) => pairLines(key, item));

/** A list or map of nothing but plain values that fits on a line. */
function isShort(value: readonly Json[] | JsonMap): boolean {
  const parts = isList(value) ? value : Object.values(value);
  return parts.every((part) => typeof part !== 'object' || part === null) && flowText(value).length <= SHORT;
}

function scalarText(value: null | boolean | number | string, flow: boolean, quote?: Quote): string {
  if (typeof value !== 'string') return String(value);
  if (quote === 'QUOTE_SINGLE' && !/[\n\r]/.test(value)) return `'${value.replaceAll("'", "''")}'`;
  const plain = quote === undefined && !value.includes('\n') && !(flow && /[,[\]{}]/.test(value));
  // The library knows what must be quoted; a text in JSON's quotes means the same in YAML.
  return plain && stringify(value, { lineWidth: 0 }) === `${value}\n` ? value : JSON.stringify(value);
}

function multiLine(value: string): Rendered {
  const lines = stringify({ k: value }, { lineWidth: 0 }).replace(/\n$/, '').split('\n');
  return { head: (lines[0] ?? '').slice('k: '.length), body: lines.slice(1) };
}

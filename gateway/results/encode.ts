/** JSON written in fewer characters, where nothing of it is lost. */
import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '../../schemas/record.ts';

/** @returns the text itself where it is no JSON, would not get shorter, or could not be read back as what it was */
export async function asToon(text: string): Promise<string> {
  const value = exactly(text);
  if (value === undefined) return text;
  const { encode, decode } = await import('@toon-format/toon');
  const toon = encode(value);
  return toon.length < text.length && isDeepStrictEqual(decode(toon), value) ? toon : text;
}

/**
 * A list of like objects as CSV (RFC 4180): the first row has the keys. What is no text is as JSON has it; what is within an object, too.
 * @returns the text itself where it is no such list, or would not get shorter
 */
export function asCsv(text: string): string {
  const rows = exactly(text);
  if (!Array.isArray(rows) || rows.length === 0 || !rows.every(isRecord)) return text;
  const keys = Object.keys(rows[0] ?? {});
  const isLike = (row: Record<string, unknown>): boolean =>
    Object.keys(row).length === keys.length && keys.every((key) => Object.hasOwn(row, key));
  if (keys.length === 0 || !rows.every(isLike)) return text;
  const lines = [keys, ...rows.map((row) => keys.map((key) => row[key]))];
  const csv = lines.map((cells) => cells.map(cellOf).join(',')).join('\r\n');
  return csv.length < text.length ? csv : text;
}

function cellOf(value: unknown): string {
  const text = typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** `undefined` for what is no list or object, and for numbers that would come out as others: ids of 64 bits, say. */
function exactly(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!/[\d.]{16}|\d[eE]|-0/.test(text)) return value;
    let isExact = true;
    JSON.parse(text, (_key, each: unknown, context?: { source?: string }) => {
      if (typeof each === 'number' && String(each) !== context?.source) isExact = false;
      return each;
    });
    return isExact ? value : undefined;
  } catch {
    return undefined;
  }
}

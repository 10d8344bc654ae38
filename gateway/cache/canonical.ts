/** One text for one value: where objects differ in the order of their fields alone, they are the same. */
import { isVerbatim } from '../../schemas/exact-json.ts';

/** Deeper than this nobody asks for anything; it would only fill the stack. */
const MAX_DEPTH = 64;

/** @param value what `parseExact` gave @returns JSON with sorted fields; `undefined` for what is nested too deep */
export function canonical(value: unknown, depth = 0): string | undefined {
  if (typeof value !== 'object' || value === null || isVerbatim(value)) return JSON.stringify(value) ?? 'null';
  if (depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value))
    return joined(
      value.map((each) => canonical(each, depth + 1)),
      '[',
      ']',
    );
  const fields = Object.entries(value as Record<string, unknown>)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]) => {
      const text = canonical(each, depth + 1);
      return text === undefined ? undefined : `${JSON.stringify(name)}:${text}`;
    });
  return joined(fields, '{', '}');
}

function joined(parts: readonly (string | undefined)[], open: string, close: string): string | undefined {
  return parts.includes(undefined) ? undefined : `${open}${parts.join(',')}${close}`;
}

/**
 * JSON whose whole numbers go on as they came. An id of 64 bits does not fit into a number of JavaScript: read and written again it would
 * be another id (RFC 8259 §6). What would change is kept as its own text, which `JSON.stringify` writes as it is. Fractions
 * are as any reader of doubles has them.
 */

/** Of TC39's "JSON.parse source text access", which Node has and TypeScript does not know yet. */
const { rawJSON, isRawJSON } = JSON as JSON & { rawJSON(text: string): object; isRawJSON(value: unknown): boolean };

/** Whatever has fewer digits in a row fits. */
const SIXTEEN_DIGITS = /\d{16}/;
const WHOLE = /^-?\d{16,}$/;
/** A look at every value takes fifty times as long as none: what is longer is read as usual (characters). */
const MOST = 256 * 1024;

/** As `JSON.parse`, but for whole numbers that it would change: see {@link isVerbatim}. @throws SyntaxError */
export function parseExact(text: string): unknown {
  if (!SIXTEEN_DIGITS.test(text) || text.length > MOST) return JSON.parse(text);
  try {
    return JSON.parse(text, verbatim as Parameters<typeof JSON.parse>[1]);
  } catch (error) {
    // Looking at every value takes stack for each level, which reading alone does not.
    if (error instanceof RangeError) return JSON.parse(text);
    throw error;
  }
}

function verbatim(_key: string, value: unknown, { source }: { source?: string }): unknown {
  const changes = typeof value === 'number' && source !== undefined && WHOLE.test(source) && String(value) !== source;
  return changes ? rawJSON(source) : value;
}

/** Whether a value is a number in its own words. It is an object that nobody can clone, so whoever looks into values has to ask. */
export const isVerbatim = (value: unknown): boolean => isRawJSON(value);

/** For whoever calculates or clones: the same with all numbers as JavaScript has them. */
export function rounded(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text === undefined || !SIXTEEN_DIGITS.test(text) ? value : JSON.parse(text);
}
